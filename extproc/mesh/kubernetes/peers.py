"""Who is at the other end of a connection, as a NetworkPolicy can say it: pods by labels, or networks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from extproc.core.ids import RegionId
from extproc.mesh.kubernetes.common import Fields, cell_labels, gateway_labels
from extproc.mesh.kubernetes.section import KubernetesMesh
from extproc.mesh.section import Mesh, TcpAddress
from extproc.mesh.yaml_text import Json

_SERVICE: Final = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?")
_SCHEME_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service of this cluster, known by its name."""

    name: str
    namespace: str


def service_of(host: str) -> Service | None:
    """Give the Service that a host name names, or None for another host. SPEC: Kubernetes, DNS for Services."""
    found = _SERVICE.fullmatch(host)
    return None if found is None else Service(name=found["name"], namespace=found["namespace"])


def is_here(mesh: Mesh, settings: KubernetesMesh, region: RegionId) -> bool:
    """Tell whether the region's cells are pods of the cluster of the gateway, in the namespace of `cells`."""
    cells = settings.cells
    services = [service_of(endpoint.address) for endpoint in mesh.regions[region].endpoints]
    return cells is not None and any(service and service.namespace == cells.namespace for service in services)


def ways_to_cells(mesh: Mesh, settings: KubernetesMesh) -> Iterator[Json]:
    """Give a rule for each region: the gateway may connect to its cells. Raises ValueError for a host of no network."""
    for region in sorted(mesh.regions):
        for endpoint in sorted(mesh.regions[region].endpoints, key=str):
            where = f"regions.{region}.endpoints"
            service = service_of(endpoint.address)
            cells = settings.cells
            if cells is not None and service is not None and service.namespace == cells.namespace:
                yield rule([pods(cells.namespace, cell_labels(region))], cells.port)
            else:
                yield rule(list(_peers(where, endpoint.address, settings)), endpoint.port)


def ways_to_dependencies(mesh: Mesh, settings: KubernetesMesh) -> Iterator[Json]:
    """Give a rule for each thing that a region needs, which the sidecar asks how fresh it is."""
    for region in sorted(mesh.regions):
        for name, url in sorted(mesh.regions[region].dependencies.items()):
            split = urlsplit(url)
            port = split.port or _SCHEME_PORTS[split.scheme]
            where = f"regions.{region}.dependencies.{name}"
            yield rule(list(_peers(where, split.hostname or "", settings)), port)


def names_hosts(mesh: Mesh) -> bool:
    """Tell whether any name has to be looked up."""
    hosts = [endpoint.address for entry in mesh.regions.values() for endpoint in entry.endpoints]
    hosts += [urlsplit(url).hostname or "" for entry in mesh.regions.values() for url in entry.dependencies.values()]
    return any(not _is_ip(host) for host in hosts)


def pods(namespace: str, labels: Fields) -> Json:
    """Give the pods with these labels in that namespace."""
    return {**in_namespace(namespace), "podSelector": {"matchLabels": labels}}


def in_namespace(namespace: str) -> Fields:
    """Give all pods of a namespace. SPEC: every namespace bears its name in this label."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


def network(cidr: str) -> Json:
    """Give a network."""
    return {"ipBlock": {"cidr": cidr}}


def gateways_of(mesh: Mesh, settings: KubernetesMesh, region: RegionId) -> list[Json]:
    """Give who may connect to the cells of a region. Raises ValueError where nobody could."""
    cells = settings.cells
    found: list[Json] = []
    if is_here(mesh, settings, region):
        found.append(pods(settings.namespace, gateway_labels(settings)))
    if cells is not None:
        found.extend(network(cidr) for cidr in cells.gateways)
    if not found:
        raise ValueError(
            f"kubernetes.cells.gateways: the cells of '{region}' are reached from outside their cluster, and no "
            "network is named from which that may be. Mend: add the networks that the gateways come from"
        )
    return found


def rule(peers: list[Json], *ports: int, to: str = "to") -> Json:
    """Give a rule: these peers, these TCP ports."""
    return {to: peers, "ports": [{"protocol": "TCP", "port": port} for port in ports]}


def check_endpoints(mesh: Mesh, settings: KubernetesMesh) -> None:
    """See that a Service of the rendered cells is named with its port. Raises ValueError."""
    cells = settings.cells
    if cells is None:
        return
    for region in sorted(mesh.regions):
        expected = {
            f"cell-{region}": cells.port,
            f"cell-{region}-predictor": 80,
        }
        for endpoint in mesh.regions[region].endpoints:
            service = service_of(endpoint.address)
            if service is None or service.namespace != cells.namespace:
                continue
            _check_service(region, endpoint, service, expected)


def _check_service(region: RegionId, endpoint: TcpAddress, service: Service, expected: dict[str, int]) -> None:
    named = " or ".join(f"{name}.{service.namespace}.svc:{port}" for name, port in expected.items())
    if expected.get(service.name) != endpoint.port:
        raise ValueError(
            f"regions.{region}.endpoints: {endpoint} is no Service of the cells that are rendered for '{region}'. "
            f"Mend: write {named} (the second is KServe's)"
        )


def _peers(where: str, host: str, settings: KubernetesMesh) -> Iterator[Json]:
    service = service_of(host)
    if _is_ip(host):
        yield network(str(ip_network(host)))
    elif host in settings.networks:
        yield from (network(cidr) for cidr in settings.networks[host])
    elif service is not None:
        yield in_namespace(service.namespace)
    else:
        raise ValueError(
            f"{where}: a NetworkPolicy knows no names, and nothing says in which networks {host} is. "
            f"Mend: add '{host}: [\"203.0.113.0/24\"]' to kubernetes.networks"
        )


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
