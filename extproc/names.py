"""Every header, metadata, attribute and service name that Situs and Envoy share, in one place.

The renderer writes them into Envoy's configuration and the wire reads them back, so each stands here once.
"""

from typing import Final

# Headers. Envoy strips every `x-situs-*` that a client sends before any filter runs, so those that arrive were
# written by us.
HEADER_PREFIX: Final = "x-situs-"
ROUTE_HEADER: Final = "x-situs-route"
"""Names the plan's cluster; the route's `cluster_header`."""
DECISION_HEADER: Final = "x-situs-decision"
"""The decision id; logged by Envoy for each attempt and logged by the cell."""
ONCE_HEADER: Final = "x-situs-once"
"""Set where the body that was sent to us is not whole: chooses the route without retries."""
LOAD_HEADER: Final = "endpoint-load-metrics"
"""What a cell says of its load (ORCA); logged by Envoy for each attempt, and removed before the client sees it."""
CONTENT_ENCODING: Final = "content-encoding"
"""Tells whether a payload's bytes are its content; sent to us only where the policy reads payloads."""
REFUSAL_CONTENT_TYPE: Final = "application/problem+json"  # RFC 9457

# Attributes and metadata that Envoy sends with a request.
SOURCE_ADDRESS: Final = "source.address"
"""ENVOY: the client's address as the connection manager's edge settings determine it, with a port."""
PEER_IDENTITY: Final = "connection.uri_san_peer_certificate"
"""ENVOY: the URI in the certificate that the client presented on a connection with mutual TLS, such as a SPIFFE id. The
listener must verify client certificates: an unverified one gives this attribute too."""
ATTRIBUTES_NAMESPACE: Final = "envoy.filters.http.ext_proc"
JWT_NAMESPACE: Final = "envoy.filters.http.jwt_authn"
JWT_PAYLOAD: Final = "situs_token"
"""Key in the namespace above under which jwt_authn puts the payload of a verified token."""
CREDENTIALS_NAMESPACE: Final = "situs.credentials"
"""Namespace that is present when the request came with an `authorization` header, whatever is in it."""
METADATA_NAMESPACE: Final = "situs"
"""Dynamic metadata that we return with each decision."""
METADATA_DECISION: Final = "decision"

# Services and logs.
EXT_PROC_SERVICE: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
ACCESS_LOG_SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"
SIDECAR_CLUSTER: Final = "situs_sidecar"
REQUEST_LOG: Final = "situs_request"
"""`log_name` of the entry that Envoy writes when a request ends."""
ATTEMPT_LOG: Final = "situs_attempt"
"""`log_name` of the entry that Envoy's router writes for each upstream attempt."""
