"""`situs mesh render --for kubernetes`: from the policy and the mesh file to the folders of Kustomize. Pure.

`gateway/` is one cluster's; `cells/REGION/plain` and `cells/REGION/kserve` are two ways to run the cells of a region,
in that region's cluster.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from extproc.core.tables import Region
from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.kubernetes.cells import cells_deployment, cells_service
from extproc.mesh.kubernetes.cells_section import Cells
from extproc.mesh.kubernetes.check import check_gateway, check_regions
from extproc.mesh.kubernetes.common import (
    Fields,
    cell_labels,
    disruption,
    gateway_labels,
    kustomization,
    namespace,
)
from extproc.mesh.kubernetes.gateway import envoy_map, gateway, mesh_map, policy_map
from extproc.mesh.kubernetes.kserve import inference_service, outside_service, serving_runtime
from extproc.mesh.kubernetes.network import cells_network, gateway_network, nothing_else
from extproc.mesh.kubernetes.peers import is_here
from extproc.mesh.kubernetes.reasons import CELLS, GATEWAY, KSERVE
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.kubernetes.services import autoscaler, clients_service, pods_service
from extproc.mesh.rendering import Rendering
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import write_yaml
from extproc.policy.compile import CompiledPolicy

POLICY_FILE: Final = "gateway/policy.yaml"
MESH_FILE: Final = "gateway/mesh.yaml"
_Folder: TypeAlias = tuple[str, Mapping[str, str], Mapping[str, Fields]]
_MOST_BYTES: Final = 1_000_000
"""SPEC: Kubernetes, ConfigMap: at most 1 MiB; a little is left for what stands around it."""
_ENVOY_HEADING: Final = (
    "Envoy's configuration, as `situs mesh render --for envoy` makes it. Nothing here names the policy's revision: "
    "while this file stays the same, Envoy is not restarted."
)


def render_kubernetes(policy: CompiledPolicy, mesh: Mesh, heading: str) -> Rendering:
    """Render the resources. `heading` becomes a comment at the top of each.

    The policy and the mesh file belong beside them, as they were written: see :func:`with_sources`. Raises ValueError,
    with the place and the mend, for a mesh file that lacks what Kubernetes needs.
    """
    settings = mesh.kubernetes
    if settings is None:
        raise ValueError(
            "kubernetes: the section is missing. Mend: add 'kubernetes:' with images "
            "(extproc/mesh/kubernetes/section.py is its manual)"
        )
    check_gateway(policy.tables, policy.reading, mesh, settings)
    if settings.cells is not None:
        check_regions(policy.tables, mesh, settings, settings.cells)
    files = {
        f"gateway/{name}": write_yaml(fields, heading=heading, reasons=GATEWAY)
        for name, fields in _gateway(mesh, settings).items()
    }
    if settings.cells is not None:
        for region in policy.tables.regions:
            for folder, reasons, resources in _cells(mesh, settings, settings.cells, region):
                for name, fields in resources.items():
                    text = write_yaml(fields, heading=heading, reasons=reasons)
                    files[f"cells/{region.id}/{folder}/{name}"] = text
    files["gateway/envoy.yaml"] = _envoy(policy, mesh)
    return Rendering(files=files)


def with_sources(rendering: Rendering, *, policy: str, mesh: str) -> Rendering:
    """Put the texts of the policy and of the mesh file beside the resources that show them to the sidecar.

    Raises ValueError for one that no ConfigMap can hold.
    """
    _check_size(POLICY_FILE, policy, "serve it over HTTPS as a bundle, and give --policy in kubernetes.arguments")
    _check_size(MESH_FILE, mesh, "split the deployment")
    return Rendering(files={**rendering.files, POLICY_FILE: policy, MESH_FILE: mesh})


def _gateway(mesh: Mesh, settings: KubernetesMesh) -> Mapping[str, Fields]:
    files = {
        "namespace.yaml": namespace(settings.namespace),
        "statefulset.yaml": gateway(mesh, settings),
        "service.yaml": clients_service(mesh, settings),
        "pods-service.yaml": pods_service(settings),
        "disruption.yaml": disruption(settings.name, settings.namespace, gateway_labels(settings)),
        "network.yaml": gateway_network(mesh, settings),
        "network-nothing-else.yaml": nothing_else(settings.namespace),
    }
    if settings.autoscaling is not None:
        files["autoscaler.yaml"] = autoscaler(settings, settings.autoscaling)
    generated: Fields = {
        "configMapGenerator": [
            {"name": envoy_map(settings), "namespace": settings.namespace, "files": ["envoy.yaml"]},
            {"name": mesh_map(settings), "namespace": settings.namespace, "files": ["mesh.yaml"]},
            {
                "name": policy_map(settings),
                "namespace": settings.namespace,
                "files": ["policy.yaml"],
                "options": {"disableNameSuffixHash": True},
            },
        ]
    }
    return {**files, "kustomization.yaml": kustomization(list(files), generated)}


def _cells(mesh: Mesh, settings: KubernetesMesh, cells: Cells, region: Region) -> Iterator[_Folder]:
    here = is_here(mesh, settings, region.id)
    shared = {
        "namespace.yaml": namespace(cells.namespace),
        "disruption.yaml": disruption(f"cell-{region.id}", cells.namespace, cell_labels(region.id)),
        "network.yaml": cells_network(mesh, settings, cells, region.id),
        "network-nothing-else.yaml": nothing_else(cells.namespace),
    }
    plain = {
        "deployment.yaml": cells_deployment(cells, region, mesh.tls),
        "service.yaml": cells_service(cells, region, here=here),
    }
    kserve = {
        "serving-runtime.yaml": serving_runtime(cells, region, mesh.tls),
        "inference-service.yaml": inference_service(cells, region),
    }
    if not here:
        kserve["service.yaml"] = outside_service(cells, region)
    for folder, reasons, own in (("plain", CELLS, plain), ("kserve", KSERVE, kserve)):
        files = {**shared, **own}
        yield folder, reasons, {**files, "kustomization.yaml": kustomization(list(files))}


def _envoy(policy: CompiledPolicy, mesh: Mesh) -> str:
    rendered = render_bootstrap(policy.tables, policy.reading, mesh)
    text = format_bootstrap(rendered, heading=_ENVOY_HEADING)
    _check_size("gateway/envoy.yaml", text, "shorten the plans (the policy's deployment), or have fewer regions")
    return text


def _check_size(name: str, text: str, mend: str) -> None:
    size = len(text.encode())
    if size > _MOST_BYTES:
        raise ValueError(f"{name}: {size} bytes are more than a ConfigMap holds ({_MOST_BYTES}). Mend: {mend}")
