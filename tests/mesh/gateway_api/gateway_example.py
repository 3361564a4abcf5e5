"""The example of an attachment to Envoy Gateway, as it is shipped, and variants of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import yaml

from extproc.mesh.gateway_api.render import render_gateway_api
from extproc.mesh.gateway_api.section import GatewayApiMesh
from extproc.mesh.parse import load_mesh
from extproc.mesh.section import Mesh
from extproc.policy.compile import CompiledPolicy
from extproc.policy.load import load_policy

Resource = Mapping[str, Any]


def example() -> tuple[CompiledPolicy, Mesh]:
    """Give the demo's policy and the mesh file that goes with it."""
    with (
        as_file(files("extproc.policy") / "examples" / "demo.yaml") as policy_file,
        as_file(files("extproc.mesh") / "examples" / "gateway-api.yaml") as mesh_file,
    ):
        policy = load_policy(policy_file)
        return policy, load_mesh(mesh_file, policy.tables, policy.reading)


def place_of(mesh: Mesh) -> GatewayApiMesh:
    """Give the section, which is there."""
    assert mesh.gateway_api is not None
    return mesh.gateway_api


def resources_of(policy: CompiledPolicy, mesh: Mesh) -> dict[str, Resource]:
    """Give the rendered resources by the names of their files, without their endings."""
    rendering = render_gateway_api(policy, mesh, "Rendered.")
    return {name.removesuffix(".yaml"): yaml.load(text, yaml.CSafeLoader) for name, text in rendering.files.items()}


@cache
def shipped() -> Mapping[str, Resource]:
    """Give the resources of the example."""
    return resources_of(*example())


def rendered(change: Callable[[Mesh], Mesh] = lambda mesh: mesh) -> dict[str, Resource]:
    """Give the resources of the example with its mesh changed, and for speed with plans of one region only."""
    policy, mesh = example()
    return resources_of(replace(policy, tables=replace(policy.tables, plan_length=1)), change(mesh))


def placed(**changes: Any) -> Callable[[Mesh], Mesh]:  # noqa: ANN401 - any field of the section
    """Give a change of the section."""
    return lambda mesh: replace(mesh, gateway_api=replace(place_of(mesh), **changes))


def patches_of(resources: Mapping[str, Resource]) -> Iterator[Resource]:
    """Give the patches of all policies, in the order in which they are applied."""
    for resource in resources.values():
        if resource["kind"] == "EnvoyPatchPolicy":
            yield from resource["spec"]["jsonPatches"]
