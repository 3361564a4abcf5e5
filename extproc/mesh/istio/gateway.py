"""The gateway: the port that it opens, and the one route that Istio itself knows for our hosts, which is a refusal."""

from collections.abc import Iterator, Mapping

from extproc.mesh.envoy.routes import UNDECIDED
from extproc.mesh.istio.kinds import NETWORKING, resource
from extproc.mesh.istio.patches import Attachment, Context
from extproc.mesh.istio.section import GatewayAttachment
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json
from extproc.names import REFUSAL_CONTENT_TYPE

NAME = "situs-gateway"


def gateway_attachment(gateway: GatewayAttachment, mesh: Mesh) -> Attachment:
    """Give where the gateway's patches go."""
    routed = _service_port(gateway, mesh)
    return Attachment(
        name=NAME,
        context=Context.GATEWAY,
        namespace=gateway.namespace,
        labels=gateway.labels,
        port=mesh.listener.port,
        route_port=routed,
        hosts=[f"{host}:{routed}" for host in gateway.hosts],
    )


def _service_port(gateway: GatewayAttachment, mesh: Mesh) -> int:
    return mesh.listener.port if gateway.service_port is None else gateway.service_port


def gateway_resources(gateway: GatewayAttachment, mesh: Mesh) -> Iterator[Mapping[str, Json]]:
    """Give the Gateway, unless there is one, and the VirtualService."""
    if gateway.existing is None:
        yield _gateway(gateway, mesh)
    bound = gateway.existing or NAME
    spec: dict[str, Json] = {"hosts": list(gateway.hosts), "gateways": [bound], "exportTo": ["."], "http": [refusal()]}
    yield resource(NETWORKING, "VirtualService", NAME, gateway.namespace, spec)


def refusal() -> Mapping[str, Json]:
    """Give the route that answers what was not decided."""
    return {
        "name": "undecided",
        "match": [{"uri": {"prefix": "/"}}],
        "headers": {"response": {"set": {"content-type": REFUSAL_CONTENT_TYPE}}},
        "directResponse": {"status": 503, "body": {"string": UNDECIDED}},
    }


def _gateway(gateway: GatewayAttachment, mesh: Mesh) -> Mapping[str, Json]:
    protocol = "HTTP" if mesh.listener_tls is None and gateway.credential is None else "HTTPS"
    server: dict[str, Json] = {
        "port": {
            "number": _service_port(gateway, mesh),
            "name": f"{protocol.lower()}-situs",
            "protocol": protocol,
        },
        "hosts": list(gateway.hosts),
    }
    if protocol == "HTTPS":
        server["tls"] = _tls(gateway, mesh)
    spec: dict[str, Json] = {"selector": gateway.labels, "servers": [server]}
    return resource(NETWORKING, "Gateway", NAME, gateway.namespace, spec)


def _tls(gateway: GatewayAttachment, mesh: Mesh) -> Mapping[str, Json]:
    tls = mesh.listener_tls
    mode = "SIMPLE"
    if tls is not None and tls.clients is not None:
        mode = "MUTUAL" if tls.required else "OPTIONAL_MUTUAL"
    fields: dict[str, Json] = {"mode": mode, "minProtocolVersion": "TLSV1_2"}
    if gateway.credential is not None:
        return {**fields, "credentialName": gateway.credential}
    if tls is not None:
        fields.update({"serverCertificate": tls.certificate, "privateKey": tls.key})
        if tls.clients is not None:
            fields["caCertificates"] = tls.clients
    return fields
