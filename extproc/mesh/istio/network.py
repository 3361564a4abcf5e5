"""What the network lets through, should a proxy be missing or be gone around."""

from collections.abc import Iterator, Mapping

from extproc.mesh.istio.kinds import KUBERNETES_NETWORK, resource
from extproc.mesh.istio.section import IstioMesh
from extproc.mesh.section import Mesh, TcpAddress
from extproc.mesh.yaml_text import Json

_READINESS = 15021
_METRICS = 15020


def network_policies(mesh: Mesh, istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    """Give the policies of the pods in which the sidecar is, and of cells in this cluster."""
    if istio.gateway is not None:
        # The sidecar's admin port and Envoy's own are in this pod too, and are in no list.
        ports = (mesh.listener.port, _READINESS, _METRICS)
        spec: dict[str, Json] = {
            "podSelector": {"matchLabels": istio.gateway.labels},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [_port(port) for port in ports]}],
        }
        yield resource(KUBERNETES_NETWORK, "NetworkPolicy", "situs-gateway", istio.gateway.namespace, spec)
    if isinstance(mesh.sidecar, TcpAddress) and mesh.sidecar.address not in ("127.0.0.1", "::1"):
        yield _only_from_deciders(
            "situs-sidecar",
            istio.namespace,
            {"app.kubernetes.io/name": "situs"},
            [place.port for place in mesh.sidecars() if isinstance(place, TcpAddress)],
            istio,
        )
    if istio.cells is not None:
        cells = istio.cells
        yield _only_from_deciders("situs-cells", cells.namespace, cells.labels, [cells.port], istio)


def _only_from_deciders(
    name: str, namespace: str, labels: Mapping[str, str], ports: list[int], istio: IstioMesh
) -> Mapping[str, Json]:
    spec: dict[str, Json] = {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": list(_deciders(istio)), "ports": [_port(port) for port in ports]}],
    }
    return resource(KUBERNETES_NETWORK, "NetworkPolicy", name, namespace, spec)


def _deciders(istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    if istio.gateway is not None:
        yield _pods(istio.gateway.namespace, istio.gateway.labels)
    if istio.outbound is not None:
        for namespace in istio.outbound.namespaces:
            yield _pods(namespace, istio.outbound.labels)


def _pods(namespace: str, labels: Mapping[str, str]) -> Mapping[str, Json]:
    """Give pods with these labels in that namespace. KUBERNETES: both in one entry, or either would do."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": labels},
    }


def _port(port: int) -> Mapping[str, Json]:
    return {"protocol": "TCP", "port": port}
