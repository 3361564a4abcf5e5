"""The resources of the Gateway API and of Envoy Gateway's policies, but for the proxy's pod and the patches.

By themselves they make an Envoy that refuses everything. SPEC: gateway.networking.k8s.io/v1,
gateway.envoyproxy.io/v1alpha1.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.envoy.edge import buffered_bytes
from extproc.mesh.envoy.secrets import render_secrets
from extproc.mesh.gateway_api.section import LISTENER, GatewayApiMesh
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json
from extproc.names import REFUSAL_CONTENT_TYPE

Resource = Mapping[str, Json]

CORE: Final = "gateway.networking.k8s.io"
EXTENSION: Final = "gateway.envoyproxy.io"
SECRETS_SUFFIX: Final = "-envoy"
_CONTROLLER: Final = "gateway.envoyproxy.io/gatewayclass-controller"
_UNATTACHED: Final = json.dumps(
    {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "No decision was made: this gateway is not attached.",
    }
)


def metadata(place: GatewayApiMesh, suffix: str = "") -> dict[str, Json]:
    """Give the name and the namespace of a resource."""
    return {"name": place.name + suffix, "namespace": place.namespace}


def gateway_reference(place: GatewayApiMesh) -> Resource:
    """Give what a policy is attached to."""
    return {"group": CORE, "kind": "Gateway", "name": place.name}


def gateway_class(place: GatewayApiMesh) -> Resource:
    """Give the class: Envoy Gateway's, with proxies of our own making."""
    parameters: dict[str, Json] = {"group": EXTENSION, "kind": "EnvoyProxy", **metadata(place)}
    return {
        "apiVersion": f"{CORE}/v1",
        "kind": "GatewayClass",
        "metadata": {"name": place.name},
        "spec": {"controllerName": _CONTROLLER, "parametersRef": parameters},
    }


def gateway(place: GatewayApiMesh, mesh: Mesh) -> Resource:
    """Give the gateway: one listener, on the port that the mesh file says."""
    listener: dict[str, Json] = {
        "name": LISTENER,
        "protocol": "HTTP" if place.certificate is None else "HTTPS",
        "port": mesh.listener.port,
    }
    if place.certificate is not None:
        listener["tls"] = {
            "mode": "Terminate",
            "certificateRefs": [{"group": "", "kind": "Secret", "name": place.certificate}],
        }
    listener["allowedRoutes"] = {"namespaces": {"from": "Same"}, "kinds": [{"group": CORE, "kind": "HTTPRoute"}]}
    return {
        "apiVersion": f"{CORE}/v1",
        "kind": "Gateway",
        "metadata": metadata(place),
        "spec": {"gatewayClassName": place.name, "listeners": [listener]},
    }


def refusing_route(place: GatewayApiMesh, mesh: Mesh) -> Resource:
    """Give the only route that the gateway has of itself, which goes nowhere."""
    # SPEC: a hostname of the Gateway API has no port and is never "*" alone, which is said by leaving it out.
    hosts = [name for name in dict.fromkeys(host.partition(":")[0] for host in mesh.hosts) if name != "*"]
    refusal: Json = {
        "type": "ExtensionRef",
        "extensionRef": {"group": EXTENSION, "kind": "HTTPRouteFilter", "name": place.name},
    }
    spec: dict[str, Json] = {"parentRefs": [{**gateway_reference(place), "sectionName": LISTENER}]}
    if hosts and not any(host.partition(":")[0] == "*" for host in mesh.hosts):
        spec["hostnames"] = hosts
    spec["rules"] = [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": [refusal]}]
    return {"apiVersion": f"{CORE}/v1", "kind": "HTTPRoute", "metadata": metadata(place), "spec": spec}


def refusal_filter(place: GatewayApiMesh) -> Resource:
    """Give what that route answers."""
    return {
        "apiVersion": f"{EXTENSION}/v1alpha1",
        "kind": "HTTPRouteFilter",
        "metadata": metadata(place),
        "spec": {
            "directResponse": {
                "statusCode": 503,
                "contentType": REFUSAL_CONTENT_TYPE,
                "body": {"type": "Inline", "inline": _UNATTACHED},
            }
        },
    }


def client_policy(place: GatewayApiMesh, reading: Reading, mesh: Mesh) -> Resource:
    """Give what holds for clients' connections, outside the connection manager, which is replaced whole."""
    spec: dict[str, Json] = {
        "targetRefs": [gateway_reference(place)],
        "connection": {
            "bufferLimit": str(buffered_bytes(reading, mesh)),
            "connectionLimit": {"value": mesh.limits.connections},
        },
    }
    tls = mesh.listener_tls
    if tls is not None:
        spec["timeout"] = {"tcp": {"tlsHandshakeTimeout": _duration(mesh.timeouts.headers_s)}}
        # Before 1.3 a client's certificate goes in the clear, and tells everybody on the way who it is.
        secured: dict[str, Json] = {"minVersion": "1.2" if place.clients is None else "1.3"}
        if place.clients is not None:
            secured["clientValidation"] = {
                "mode": "RequireAndVerify" if tls.required else "VerifyIfGiven",
                "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": place.clients}],
            }
        spec["tls"] = secured
    return {
        "apiVersion": f"{EXTENSION}/v1alpha1",
        "kind": "ClientTrafficPolicy",
        "metadata": metadata(place),
        "spec": spec,
    }


def envoy_secrets(place: GatewayApiMesh, mesh: Mesh) -> Resource | None:
    """Give the files by which Envoy learns what it shows to the cells and whom it believes; None without mutual TLS.

    They name certificates and hold none. Those of the listener are Envoy Gateway's.
    """
    files = render_secrets(replace(mesh, listener_tls=None))
    if not files:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{place.name}{SECRETS_SUFFIX}", "namespace": place.proxy_namespace or place.namespace},
        "data": files,
    }


def _duration(seconds: float) -> str:
    """Write a duration. SPEC: Gateway API, at most five digits before a unit."""
    return f"{seconds:.0f}s" if seconds.is_integer() else f"{max(1, round(seconds * 1000))}ms"
