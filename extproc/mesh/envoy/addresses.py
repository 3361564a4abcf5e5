"""Addresses and endpoints of clusters and listeners."""

from collections.abc import Sequence
from ipaddress import ip_address

from extproc.mesh.envoy.api import cluster, core, endpoint
from extproc.mesh.section import SidecarAddress, TcpAddress, UnixSocket


def address_of(place: SidecarAddress) -> core.Address:
    """Give the address of a socket or of a host and port."""
    match place:
        case UnixSocket(unix=path):
            return core.Address(pipe=core.Pipe(path=path))
        case TcpAddress(address=host, port=port):
            return core.Address(socket_address=core.SocketAddress(address=host, port_value=port))


def assignment_of(name: str, places: Sequence[SidecarAddress]) -> endpoint.ClusterLoadAssignment:
    """Give the endpoints of a cluster: one priority and one locality, so that Envoy has nowhere else to fail over."""
    endpoints = [endpoint.LbEndpoint(endpoint=endpoint.Endpoint(address=address_of(place))) for place in places]
    return endpoint.ClusterLoadAssignment(
        cluster_name=name, endpoints=[endpoint.LocalityLbEndpoints(lb_endpoints=endpoints)]
    )


def discovery_of(places: Sequence[SidecarAddress]) -> cluster.ClusterDiscoveryType:
    """Choose how endpoints are found: as they stand, or by resolving names when there are any."""
    is_fixed = all(isinstance(place, UnixSocket) or is_ip(place.address) for place in places)
    return cluster.ClusterDiscoveryType.STATIC if is_fixed else cluster.ClusterDiscoveryType.STRICT_DNS


def is_ip(host: str) -> bool:
    """Tell whether a host is an address, so that nothing has to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
