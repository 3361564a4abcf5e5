"""Who may connect to whom: everything that is not rendered here is refused.

SPEC: Kubernetes, network policies. What a node itself sends to its pods (the kubelet's probes) is not subject to them.
"""

from collections.abc import Iterator
from typing import Final

from extproc.core.ids import RegionId
from extproc.mesh.kubernetes.cells_section import Cells, Way
from extproc.mesh.kubernetes.common import Fields, cell_labels, gateway_labels, resource
from extproc.mesh.kubernetes.peers import (
    gateways_of,
    in_namespace,
    names_hosts,
    network,
    pods,
    rule,
    ways_to_cells,
    ways_to_dependencies,
)
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

_DNS_PORT: Final = 53
_BOTH: Final = ("Ingress", "Egress")


def nothing_else(namespace: str) -> Fields:
    """Give the policy that refuses, for every pod of a namespace, what no other policy permits."""
    return _policy("nothing-else", namespace, {}, {})


def gateway_network(mesh: Mesh, settings: KubernetesMesh) -> Fields:
    """Give the policy of the gateway. Raises ValueError for a host whose networks nobody named."""
    rules: Fields = {"ingress": list(_to_gateway(mesh, settings)), "egress": list(_from_gateway(mesh, settings))}
    return _policy(settings.name, settings.namespace, gateway_labels(settings), rules)


def cells_network(mesh: Mesh, settings: KubernetesMesh, cells: Cells, region: RegionId) -> Fields:
    """Give the policy of the cells of one region. Raises ValueError where nobody could reach them."""
    rules: Fields = {"ingress": [rule(gateways_of(mesh, settings, region), cells.port, to="from")]}
    if cells.ways:
        rules["egress"] = [_dns(), *_ways(cells.ways)]
    return _policy(f"cell-{region}", cells.namespace, cell_labels(region), rules)


def _to_gateway(mesh: Mesh, settings: KubernetesMesh) -> Iterator[Json]:
    port: list[Json] = [{"protocol": "TCP", "port": mesh.listener.port}]
    if settings.clients:
        yield {"from": [network(cidr) for cidr in settings.clients], "ports": port}
    else:
        yield {"ports": port}
    if settings.monitoring is not None:
        yield rule([in_namespace(settings.monitoring)], settings.admin_port, to="from")


def _from_gateway(mesh: Mesh, settings: KubernetesMesh) -> Iterator[Json]:
    if names_hosts(mesh) or settings.ways:
        yield _dns()
    seen: list[Json] = []
    for way in (*ways_to_cells(mesh, settings), *ways_to_dependencies(mesh, settings), *_ways(settings.ways)):
        if way not in seen:
            seen.append(way)
            yield way


def _ways(ways: tuple[Way, ...]) -> Iterator[Json]:
    yield from (rule([network(way.network)], way.port) for way in ways)


def _dns() -> Json:
    return {
        "to": [pods("kube-system", {"k8s-app": "kube-dns"})],
        "ports": [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")],
    }


def _policy(name: str, namespace: str, labels: Fields, rules: Fields) -> Fields:
    selector: Fields = {"matchLabels": labels} if labels else {}
    spec: Fields = {"podSelector": selector, "policyTypes": list(_BOTH), **rules}
    return resource("networking.k8s.io/v1", "NetworkPolicy", {"name": name, "namespace": namespace}, {"spec": spec})
