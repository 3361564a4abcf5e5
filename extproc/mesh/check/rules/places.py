"""Where endpoints are: addresses of a configuration and of the mesh file, made alike so that they can be compared."""

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from typing import NewType

from extproc.mesh.check.node import Node
from extproc.mesh.section import SidecarAddress, UnixSocket

Place = NewType("Place", str)
"""An address and a port, or the path of a socket, in one spelling."""


def place_of(place: SidecarAddress) -> Place:
    """Give the place that the mesh file names."""
    if isinstance(place, UnixSocket):
        return Place(f"unix:{place.unix}")
    return _tcp(place.address, place.port)


def places_of(assignment: Node) -> Iterator[tuple[Node, Place | None]]:
    """Give every endpoint of a ClusterLoadAssignment with its place; None for one that is no plain address."""
    for _, named in assignment.at("named_endpoints").fields():
        yield named.at("address"), _place(named.at("address"))
    for locality in assignment.at("endpoints").items():
        for field in ("leds_cluster_locality_config", "load_balancer_endpoints"):
            if locality.at(field).is_there:
                yield locality.at(field), None
        for endpoint in locality.at("lb_endpoints").items():
            held = endpoint.at("endpoint")
            if not held.is_there:
                yield endpoint, None
                continue
            yield held.at("address"), _place(held.at("address"))
            for more in held.at("additional_addresses").items():
                yield more, _place(more.at("address"))


def _place(address: Node) -> Place | None:
    pipe, socket = address.at("pipe", "path").text, address.at("socket_address")
    if pipe:
        return Place(f"unix:{pipe}")
    port = socket.at("port_value").number
    return None if not socket.at("address").text or port is None else _tcp(socket.at("address").text, int(port))


def _tcp(host: str, port: int) -> Place:
    try:
        address = ip_address(host)
        # SPEC: RFC 4291 section 2.5.5.2, the same place in another spelling.
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        host = (mapped or address).compressed
    except ValueError:
        host = host.rstrip(".").lower()
    return Place(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
