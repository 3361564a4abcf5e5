"""ServiceEntry: which cells a region's host has, and who knows it. ISTIO: networking.istio.io."""

from collections.abc import Iterator

from extproc.core.ids import RegionId
from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.scope import check_export, check_place
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.resource import Resource
from extproc.mesh.check.rules.clusters import OPEN_CLUSTER, REGION_ENDPOINTS, TWO_REGIONS

_FIXED = ("STATIC", "DNS", "DNS_ROUND_ROBIN")


def check_service_entry(entry: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge one that is about a region: by its hosts, or by its endpoints."""
    spec = entry.spec
    hosts = spec.at("hosts").each()
    regions = tuple(dict.fromkeys(region for host in hosts for region in attached.regions_of(host.text)))
    cells = {region for each in spec.at("endpoints").each() for region in _at_cell(each, attached)}
    if not regions and not cells:
        return
    for host in hosts:
        if "*" in host.text and (attached.regions_of(host.text) or cells):
            mend = f"name one region's host, like '{attached.istio.host_of(attached.regions[0])}'"
            yield found(OPEN_CLUSTER, entry, host, f"'{host.text}' stands for more than one host", mend)
    resolution = spec.at("resolution")
    if resolution.text not in _FIXED:
        told = resolution.text or "not given, which is NONE"
        yield found(OPEN_CLUSTER, entry, resolution, f"the resolution is {told}", "write STATIC, or DNS for names")
    if len(regions) > 1:
        names = ", ".join(regions)
        yield found(TWO_REGIONS, entry, spec.at("hosts"), f"hosts of {names} share endpoints", "write one entry each")
    elif len(cells) > 1:
        names = ", ".join(sorted(cells))
        mend = "write one ServiceEntry for each region"
        yield found(TWO_REGIONS, entry, spec.at("endpoints"), f"cells of {names} have one host", mend)
    elif regions:
        yield from _endpoints(entry, regions[0], attached)
    else:
        mend = f"leave the cells to the ServiceEntry of '{attached.istio.host_of(next(iter(cells)))}'"
        told = f"cells of {next(iter(cells))} have a host that is no region's"
        yield found(REGION_ENDPOINTS, entry, spec.at("hosts"), told, mend)
    if regions:
        yield from check_place(entry, attached.istio.namespace)
    yield from check_export(entry, attached)


def _at_cell(endpoint: Camel, attached: Attached) -> tuple[RegionId, ...]:
    """Give the regions of an endpoint: by address and port where that tells, else by address alone."""
    address = endpoint.at("address").text
    at = attached.regions_at(address)
    exact = tuple(region for region in at if any(attached.is_cell(region, address, port) for port in _ports(endpoint)))
    return exact or at


def _endpoints(entry: Resource, region: RegionId, attached: Attached) -> Iterator[Finding]:
    spec = entry.spec
    mend = f"write the endpoints that the mesh file has for {region}, or mend the mesh file"
    selector = spec.at("workload_selector")
    if selector.is_there:
        told = "its endpoints are chosen by labels, which whoever starts a pod may write"
        yield found(REGION_ENDPOINTS, entry, selector, told, mend)
    endpoints = spec.at("endpoints").each()
    if not endpoints and not selector.is_there:
        yield found(
            REGION_ENDPOINTS, entry, spec.at("endpoints"), "it has none, so its host's own addresses count", mend
        )
    target = {port.at("name").text: port.at("target_port").number for port in spec.at("ports").each()}
    numbers = {port.at("name").text: port.at("number").number for port in spec.at("ports").each()}
    for endpoint in endpoints:
        address = endpoint.at("address")
        own = dict(_named_ports(endpoint))
        for name in target or [""]:
            port = own.get(name) or target.get(name) or numbers.get(name)
            if not attached.is_cell(region, address.text, port):
                at = "" if port is None else f", port {port:g}"
                told = f"{address.text or 'an endpoint without an address'}{at}"
                yield found(REGION_ENDPOINTS, entry, address, f"{told} is no cell of {region} in the mesh file", mend)


def _ports(endpoint: Camel) -> tuple[float, ...]:
    return tuple(port for _, port in _named_ports(endpoint))


def _named_ports(endpoint: Camel) -> Iterator[tuple[str, float]]:
    for name, port in endpoint.at("ports").fields():
        if port.number is not None:
            yield name, port.number
