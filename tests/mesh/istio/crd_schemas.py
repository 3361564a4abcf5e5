"""How Istio's and Kubernetes' resources are shaped, as far as we use them: JSON schemas that refuse unknown fields.

Written after the CRDs of Istio (master of August 2026) and Kubernetes' API; `istioctl validate` and the CRDs' own
schemas were run over the same resources (README of extproc/mesh/istio).
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
_TIME: Final[Schema] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?s$"}
_NAME: Final[Schema] = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
_LABELS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
_ANY: Final[Schema] = {"type": "object"}


def _one_of(*values: str) -> Schema:
    return {"enum": list(values)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _object(required: str = "", **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


_SELECTOR: Final = _object("matchLabels", matchLabels=_LABELS)
_STRICT: Final = _object("mode", mode=_one_of("STRICT"))
_EXPORT: Final = _list(_TEXT)

_TLS: Final = _object(
    "mode",
    mode=_one_of("ISTIO_MUTUAL", "MUTUAL", "SIMPLE"),
    clientCertificate=_TEXT,
    privateKey=_TEXT,
    caCertificates=_TEXT,
    subjectAltNames=_list(_TEXT),
)
_POLICY: Final = _object(
    "loadBalancer connectionPool outlierDetection",
    loadBalancer=_object("simple", simple=_one_of("LEAST_REQUEST"), localityLbSetting=_object(enabled=_FLAG)),
    connectionPool=_object(
        "tcp http",
        tcp=_object(maxConnections=_COUNT, connectTimeout=_TIME),
        http=_object(
            http1MaxPendingRequests=_COUNT,
            http2MaxRequests=_COUNT,
            idleTimeout=_TIME,
            h2UpgradePolicy=_one_of("DO_NOT_UPGRADE"),
        ),
    ),
    outlierDetection=_object(
        interval=_TIME,
        baseEjectionTime=_TIME,
        maxEjectionPercent=_COUNT,
        minHealthPercent=_COUNT,
        consecutiveGatewayErrors=_COUNT,
        consecutive5xxErrors=_COUNT,
        splitExternalLocalOriginErrors=_FLAG,
        consecutiveLocalOriginFailures=_COUNT,
    ),
    tls=_TLS,
)
_SERVICE_PORT: Final = _object("number name protocol", number=_PORT, name=_TEXT, protocol=_one_of("HTTP", "HTTPS"))
_ENDPOINT: Final = _object("address", address=_TEXT, ports={"type": "object", "additionalProperties": _PORT})
_ENTRY: Final = _object(
    "hosts ports resolution",
    hosts=_list(_TEXT),
    exportTo=_EXPORT,
    location=_one_of("MESH_INTERNAL", "MESH_EXTERNAL"),
    resolution=_one_of("STATIC", "DNS"),
    ports=_list(_SERVICE_PORT),
    endpoints=_list(_ENDPOINT),
)
_SERVER_TLS: Final = _object(
    "mode",
    mode=_one_of("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"),
    minProtocolVersion=_one_of("TLSV1_2"),
    serverCertificate=_TEXT,
    privateKey=_TEXT,
    caCertificates=_TEXT,
    credentialName=_TEXT,
)
_GATEWAY: Final = _object(
    "selector servers",
    selector=_LABELS,
    servers=_list(_object("port hosts", port=_SERVICE_PORT, hosts=_list(_TEXT), tls=_SERVER_TLS)),
)
_ROUTE: Final = _object(
    "name directResponse",
    name=_TEXT,
    match=_list(_object("uri", uri=_object("prefix", prefix=_TEXT))),
    headers=_object("response", response=_object("set", set=_LABELS)),
    directResponse=_object("status", status=_COUNT, body=_object("string", string=_TEXT)),
)
_SERVICE: Final = _object("hosts http", hosts=_list(_TEXT), gateways=_list(_TEXT), exportTo=_EXPORT, http=_list(_ROUTE))

_FILTER: Final = _object("name", name=_TEXT, subFilter=_object("name", name=_TEXT))
_MATCH: Final = _object(
    "context",
    context=_one_of("GATEWAY", "SIDECAR_OUTBOUND"),
    listener=_object(portNumber=_PORT, filterChain=_object(name=_TEXT, filter=_FILTER)),
    routeConfiguration=_object(portNumber=_PORT, vhost=_object("name", name=_TEXT)),
    cluster=_object("name", name=_TEXT),
)
_PATCH: Final = _object(
    "applyTo match patch",
    applyTo=_one_of(
        "LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "VIRTUAL_HOST", "HTTP_ROUTE", "CLUSTER"
    ),
    match=_MATCH,
    patch=_object("operation", operation=_one_of("MERGE", "ADD", "REMOVE", "INSERT_FIRST"), value=_ANY),
)
_ENVOY_FILTER: Final = _object(
    "workloadSelector configPatches",
    workloadSelector=_object("labels", labels=_LABELS),
    priority=_COUNT,
    configPatches=_list(_PATCH),
)

_SOURCE: Final = _object("source", source=_object("principals", principals=_list(_TEXT)))
_OPERATION: Final = _object("operation", operation=_object("ports", ports=_list(_TEXT)))
_AUTHORIZATION: Final = _object(
    "selector action rules",
    selector=_SELECTOR,
    action=_one_of("ALLOW"),
    rules=_list(_object("from to", **{"from": _list(_SOURCE), "to": _list(_OPERATION)})),
)
_JWT_RULE: Final = _object(
    "issuer audiences",
    issuer=_TEXT,
    audiences=_list(_TEXT),
    jwks=_TEXT,
    jwksUri=_TEXT,
    fromHeaders=_list(_object("name", name=_TEXT, prefix=_TEXT)),
    forwardOriginalToken=_FLAG,
)

_PEER: Final = _object("podSelector namespaceSelector", podSelector=_SELECTOR, namespaceSelector=_SELECTOR)
_NETWORK: Final = _object(
    "podSelector policyTypes ingress",
    podSelector=_SELECTOR,
    policyTypes=_list(_one_of("Ingress")),
    ingress=_list(
        _object(
            "ports",
            ports=_list(_object("protocol port", protocol=_one_of("TCP"), port=_PORT)),
            **{"from": _list(_PEER)},
        )
    ),
)

_SPECS: Final[Mapping[tuple[str, str], Schema]] = {
    ("networking.istio.io/v1", "ServiceEntry"): _ENTRY,
    ("networking.istio.io/v1", "DestinationRule"): _object(
        "host trafficPolicy", host=_TEXT, exportTo=_EXPORT, trafficPolicy=_POLICY
    ),
    ("networking.istio.io/v1", "Gateway"): _GATEWAY,
    ("networking.istio.io/v1", "VirtualService"): _SERVICE,
    ("networking.istio.io/v1alpha3", "EnvoyFilter"): _ENVOY_FILTER,
    ("security.istio.io/v1", "PeerAuthentication"): _object("mtls", selector=_SELECTOR, mtls=_STRICT),
    ("security.istio.io/v1", "AuthorizationPolicy"): _AUTHORIZATION,
    ("security.istio.io/v1", "RequestAuthentication"): _object(
        "selector jwtRules", selector=_SELECTOR, jwtRules=_list(_JWT_RULE)
    ),
    ("networking.k8s.io/v1", "NetworkPolicy"): _NETWORK,
}


def schema_of(resource: Mapping[str, Any]) -> Schema:
    """Give the schema of a resource. Raises KeyError for one that we do not render."""
    spec = _SPECS[resource["apiVersion"], resource["kind"]]
    metadata = _object("name namespace labels", name=_NAME, namespace=_NAME, labels=_LABELS, annotations=_LABELS)
    return _object("apiVersion kind metadata spec", apiVersion=_TEXT, kind=_TEXT, metadata=metadata, spec=spec)
