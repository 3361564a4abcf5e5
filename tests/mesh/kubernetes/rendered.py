"""The example of `kubernetes`, rendered, and its resources by what they are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import yaml

from extproc.mesh.kubernetes.render import render_kubernetes, with_sources
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.parse import load_mesh
from extproc.mesh.rendering import Rendering
from extproc.mesh.section import Mesh
from extproc.policy.compile import CompiledPolicy
from extproc.policy.load import load_policy

Resource: TypeAlias = dict[str, Any]
"""A resource as it is read back."""

HEADING = "Rendered in a test."
_OTHERS = {"kustomization.yaml", "envoy.yaml", "policy.yaml", "mesh.yaml"}
"""Files that are no resources."""


@cache
def example() -> tuple[CompiledPolicy, Mesh, KubernetesMesh]:
    """Give the policy of the demo, with the mesh file for Kubernetes."""
    with (
        as_file(files("extproc.policy") / "examples" / "demo.yaml") as policy_file,
        as_file(files("extproc.mesh") / "examples" / "kubernetes.yaml") as mesh_file,
    ):
        policy = load_policy(policy_file)
        mesh = load_mesh(mesh_file, policy.tables, policy.reading)
    assert mesh.kubernetes is not None
    return policy, mesh, mesh.kubernetes


def text_of(package: str, name: str) -> str:
    """Give the text of an example."""
    return (files(package) / "examples" / name).read_text()


@cache
def rendering() -> Rendering:
    """Give the rendering of the example, with its sources."""
    policy, mesh, _ = example()
    sources = {"policy": text_of("extproc.policy", "demo.yaml"), "mesh": text_of("extproc.mesh", "kubernetes.yaml")}
    return with_sources(render_kubernetes(policy, mesh, HEADING), **sources)


def rendered(mesh: Mesh) -> Rendering:
    """Render another mesh for the same policy."""
    return render_kubernetes(example()[0], mesh, HEADING)


def changed(**changes: Any) -> Mesh:  # noqa: ANN401 - as for dataclasses.replace
    """Give the example's mesh with another section `kubernetes`."""
    _, mesh, settings = example()
    return replace(mesh, kubernetes=replace(settings, **changes))


def resources(found: Rendering) -> Mapping[str, Resource]:
    """Give every resource by its file."""
    return {name: _parsed(text) for name, text in found.files.items() if PurePosixPath(name).name not in _OTHERS}


@cache
def _parsed(text: str) -> Resource:
    """Read a text once; nobody changes what it gives."""
    resource: Resource = yaml.load(text, Loader=yaml.CSafeLoader)
    return resource


def pods(found: Rendering) -> Iterator[tuple[str, Resource, Resource]]:
    """Give every pod: its file, its labels, and its specification."""
    for name, resource in resources(found).items():
        match resource["kind"]:
            case "StatefulSet" | "Deployment":
                template = resource["spec"]["template"]
                yield name, template["metadata"]["labels"], template["spec"]
            case "ServingRuntime":
                yield name, resource["spec"]["labels"], kserve_pod(found, name)


def kserve_pod(found: Rendering, name: str) -> Resource:
    """Give the pod that KServe makes: the runtime's, over which the InferenceService's is laid."""
    folder = PurePosixPath(name).parent
    runtime = resources(found)[name]["spec"]
    predictor = resources(found)[f"{folder}/inference-service.yaml"]["spec"]["predictor"]
    return {**predictor, "containers": runtime["containers"], "volumes": [*runtime["volumes"], {"name": "kserve"}]}


def containers(pod: Resource) -> list[Resource]:
    """Give all containers of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]
