"""Applications whose own proxy decides: the inference host that they send to, on a port of its own."""

from collections.abc import Iterator, Mapping

from extproc.mesh.istio.gateway import refusal
from extproc.mesh.istio.kinds import NETWORKING, resource
from extproc.mesh.istio.patches import Attachment, Context, Patch
from extproc.mesh.istio.section import IstioMesh, OutboundAttachment
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

NAME = "situs-outbound"


def outbound_attachment(outbound: OutboundAttachment, namespace: str) -> Attachment:
    """Give where the patches of one namespace go."""
    return Attachment(
        name=NAME,
        context=Context.OUTBOUND,
        namespace=namespace,
        labels=outbound.labels,
        port=outbound.port,
        route_port=outbound.port,
        hosts=[f"{outbound.host}:{outbound.port}"],
    )


def no_passage(outbound: OutboundAttachment) -> Iterator[Patch]:
    """Give the patches that take the ways past the decision from the port.

    ISTIO: with the mesh's default (ALLOW_ANY) a proxy passes on what no service claims, to wherever the application
    addressed it: requests to another host by a virtual host, and what is not HTTP by a filter chain.
    """
    port = outbound.port
    for to, match in (
        ("VIRTUAL_HOST", _match("routeConfiguration", {"portNumber": port, "vhost": {"name": "allow_any"}})),
        ("FILTER_CHAIN", _match("listener", {"portNumber": port, "filterChain": {"name": "PassthroughFilterChain"}})),
    ):
        yield {"applyTo": to, "match": match, "patch": {"operation": "REMOVE"}}


def _match(what: str, where: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"context": Context.OUTBOUND.value, what: where}


def outbound_resources(outbound: OutboundAttachment, mesh: Mesh, istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    """Give the inference host, which has no endpoints, and the only routes of Istio's own, which refuse.

    ISTIO: whatever host a proxy has a cluster for, it also has a listener and a route for. Without the second refusal
    an application could send to a region's host itself, past the decision and with its proxy's identity (measured).
    """
    entry: dict[str, Json] = {
        "hosts": [outbound.host],
        "exportTo": list(outbound.namespaces),
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": [{"number": outbound.port, "name": "http", "protocol": "HTTP"}],
    }
    yield resource(NETWORKING, "ServiceEntry", NAME, istio.namespace, entry)
    regions = [istio.host_of(region) for region in mesh.regions]
    for name, hosts in ((NAME, [outbound.host]), ("situs-regions", regions)):
        service: dict[str, Json] = {"hosts": hosts, "exportTo": list(outbound.namespaces), "http": [refusal()]}
        yield resource(NETWORKING, "VirtualService", name, istio.namespace, service)
