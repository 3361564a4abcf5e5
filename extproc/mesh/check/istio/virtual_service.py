"""VirtualService: routes that lead to a region past the plan, and copies of requests. ISTIO: networking.istio.io."""

from collections.abc import Iterator

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.rules import RETRIES
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.resource import Resource
from extproc.mesh.check.rules.filters import MIRROR
from extproc.mesh.check.rules.ways import ROUTE_TO_REGION

_BY_PLAN = "remove it: the EnvoyFilter routes by plan, and nothing else may lead to a region"


def check_virtual_service(service: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge one that names a region's host, or that holds where requests are decided."""
    named = any(host.text != "*" and attached.regions_of(host.text) for host in service.spec.at("hosts").each())
    for kind in ("http", "tls", "tcp"):
        for route in service.spec.at(kind).each():
            yield from _route(service, route, attached, is_of_region=named)


def _route(service: Resource, route: Camel, attached: Attached, *, is_of_region: bool) -> Iterator[Finding]:
    leads = is_of_region
    for each in route.at("route").each():
        host = each.at("destination", "host")
        regions = attached.regions_of(host.text)
        if regions:
            leads = True
            yield found(
                ROUTE_TO_REGION, service, host, f"this route leads to {', '.join(regions)}, not by plan", _BY_PLAN
            )
    decides = service.namespace in attached.istio.namespaces()
    for mirror in (route.at("mirror"), *route.at("mirrors").each()):
        host = mirror.at("host") if mirror.at("host").is_there else mirror.at("destination", "host")
        if mirror.is_there and (leads or decides or attached.regions_of(host.text)):
            yield found(MIRROR, service, mirror, f"requests are copied to '{host.text}'", "remove it")
    for name in ("retries", "fault", "timeout"):
        if leads and route.at(name).is_there:
            yield found(RETRIES, service, route.at(name), f"it sets {name}", "remove it; the mesh file says how long")
