"""What Istio's resources are held against: the regions with their hosts, cells and plans, and where we attach."""

from dataclasses import dataclass
from ipaddress import ip_address

from extproc.core.ids import RegionId
from extproc.core.steering import PLAN_SEPARATOR
from extproc.mesh.check.config import Expected
from extproc.mesh.check.finding import Finding, Rule
from extproc.mesh.check.node import Node
from extproc.mesh.check.resource import Resource
from extproc.mesh.istio.section import IstioMesh
from extproc.names import SIDECAR_CLUSTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """The policy and the mesh file, in Istio's terms."""

    expected: Expected
    istio: IstioMesh

    @property
    def regions(self) -> tuple[RegionId, ...]:
        """Give all regions, in the policy's order."""
        return tuple(region.id for region in self.expected.tables.regions)

    def regions_of(self, host: str) -> tuple[RegionId, ...]:
        """Give the regions whose host this is, or one of whose hosts this stands for (`*`, `*.example`)."""
        return tuple(region for region in self.regions if any(_covers(host, each) for each in self._hosts(region)))

    def regions_at(self, address: str) -> tuple[RegionId, ...]:
        """Give the regions that have a cell at this address, whatever its port."""
        plain = _plain(address)
        return tuple(
            region
            for region in self.regions
            if any(_plain(place.address) == plain for place in self.expected.mesh.regions[region].endpoints)
        )

    def is_cell(self, region: RegionId, address: str, port: float | None) -> bool:
        """Tell whether the mesh file names this place for the region; any port will do where none is known."""
        return any(
            _plain(place.address) == _plain(address) and port in (None, place.port)
            for place in self.expected.mesh.regions[region].endpoints
        )

    def leads_to_region(self, cluster: str) -> bool:
        """Tell whether a cluster of this name holds a region, or a plan of regions."""
        parts = cluster.split("|")
        if len(parts) == 4:  # noqa: PLR2004 - ISTIO: direction|port|subset|host
            return bool(self.regions_of(parts[3]))
        names = {region.cluster for region in self.expected.tables.regions}
        return all(name in names for name in cluster.split(PLAN_SEPARATOR))

    def is_ours(self, cluster: str) -> bool:
        """Tell whether a cluster of this name belongs to the decision."""
        return cluster == SIDECAR_CLUSTER or self.leads_to_region(cluster)

    def virtual_hosts(self) -> frozenset[str]:
        """Give the virtual hosts whose requests are routed by plan, as Istio names them."""
        gateway, outbound = self.istio.gateway, self.istio.outbound
        hosts = {f"{host}:{self.expected.mesh.listener.port}" for host in (gateway.hosts if gateway else ())}
        return frozenset(hosts | ({f"{outbound.host}:{outbound.port}"} if outbound else set()))

    def namespaces(self) -> frozenset[str]:
        """Give the namespaces in which something of ours is."""
        cells = () if self.istio.cells is None else (self.istio.cells.namespace,)
        return frozenset((self.istio.namespace, *self.istio.namespaces(), *cells))

    def _hosts(self, region: RegionId) -> tuple[str, ...]:
        """Give the names by which a region's cells are known, as far as they are told."""
        named = (place.address for place in self.expected.mesh.regions[region].endpoints)
        return (self.istio.host_of(region), *(name for name in named if not _is_ip(name)))


def found(rule: Rule, resource: Resource, node: Node, message: str, mend: str) -> Finding:
    """Give a finding at a field of a resource."""
    return Finding(rule=rule, origin=resource.origin, path=node.path, message=message, mend=mend)


def _covers(pattern: str, host: str) -> bool:
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _plain(address: str) -> str:
    return str(ip_address(address)) if _is_ip(address) else address.lower().rstrip(".")


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
