"""Why the fields of the rendered configuration are what they are, by field name, or by `field: VALUE`.

One or two sentences each, written as a comment where the field first occurs. The README of the reference
configurations says more.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "admin": "Can stop Envoy and shows its configuration: keep it on loopback.",
        "use_remote_address": "The peer's address counts, not what a client writes into x-forwarded-for. "
        "Envoy's default would let the client choose its country.",
        "xff_num_trusted_hops": "The policy's edge.trusted_hops: own proxies in front, each of which appends the "
        "address that it saw.",
        "early_header_mutation_extensions": "Before any filter and before the route is chosen: nobody but the sidecar "
        "may write x-situs-*, and no client may set Envoy's retries and timeouts.",
        "path_with_escaped_slashes_action": "The cell must read the same model from the path as the sidecar did.",
        "headers_with_underscores_action": "x_situs_route and x-situs-route are one header to some servers.",
        "max_request_headers_kb": "Room for a path of 64 KiB; Envoy's default of 60 refuses it.",
        "on_header_present": "Notes that there were credentials, so that those which are not verified do not count as "
        "none: the scheme is compared by letter case.",
        "payload_in_metadata": "The claims reach the sidecar as metadata; the token goes no further than here.",
        "initial_stream_window_size": "Bounds what a client can make Envoy hold over HTTP/2. Where payloads are read "
        "it is at least the policy's limit, or a body of that size would not be whole to the sidecar.",
        "processing_mode": "The request's headers, and nothing of the response: one message, one answer. "
        "failure_mode_allow stays false (left out, as its default): without a decision there is no request.",
        "request_body_mode": "The policy reads payloads: after the answer to the headers, a second message with the "
        "beginning of the body, and nothing goes on before its answer. With BUFFERED a longer body would be answered "
        "413.",
        "request_attributes": "What places a client: its address, and where the policy matches SPIFFE ids the URI in "
        "its certificate, which the listener must have verified.",
        "message_timeout": "Envoy's default of 0.2 s is shorter than one stalled fsync. On time-out: status_on_error.",
        "forward_rules": "Exactly what the policy reads, and where it reads payloads the content coding, which tells "
        "whether the bytes can be read. Unset, cookies and Authorization would be sent.",
        "mutation_rules": "What an answer may set, on a request or a refusal; one that sets another header fails "
        "the request.",
        "route_cache_action: CLEAR": "The route is chosen anew, with the plan that the sidecar named.",
        "route_cache_action: RETAIN": "In this body mode the route would be chosen anew only after the body had gone "
        "on by the old one, which is a refusal. The filter behind this one does it in time.",
        "allow_content_length_header": "Otherwise it is removed where bodies are sent, and cells get chunks. No answer "
        "of ours changes a body.",
        "clear_route_cache": "The route is chosen anew, with the plan that the sidecar named: only a request that was "
        "decided gets here.",
        "metadata_options": "Verified claims go to the sidecar; the decision id comes back. Without these lists both "
        "would be dropped silently.",
        "upstream_log": "One entry for each attempt: a request that failed in one region and was served in another "
        "was in both.",
        "additional_response_headers_to_log": "What the cell says of its load, for the sidecar; no other header of "
        "an answer.",
        "access_log": "One entry for each request, to the sidecar, which compares served with permitted.",
        "cluster_header": "Only clusters of this file can be named. An unknown name is answered 503.",
        "retry_policy": "Retries do not ask the sidecar again, so they stay in the plan: previous_priorities walks the "
        "regions of the named plan and no others.",
        "retry_budget": "In place of Envoy's three retries at a time.",
        "direct_response": "A request without a plan is refused here.",
        "circuit_breakers": "Sized for all that may be in flight; Envoy's default of 1,024 refuses legal requests.",
        "common_lb_config": "No panic: 0 % ({} is Percent 0). With Envoy's default of 50 % a region with dead cells "
        "would still be sent requests instead of the next of the plan.",
        "unhealthy_interval": "As often as the sidecar asks a region that is down: one that the sidecar takes back "
        "and Envoy does not yet is answered 503.",
        "no_traffic_interval": "Envoy's default of 60 s would find out late about a backup, which has no traffic. "
        "While there is none, this counts for a cell that is not healthy, and the next for one that is.",
        "outlier_detection": "Gateway errors and failed connections eject a cell. A 500 does not: one client with a "
        "poisoned request must not eject a region.",
        "response_headers_to_add": "Each answer names its decision, so that a question about it finds its record.",
        "response_headers_to_remove": "Between a cell and Envoy; a client has no use for them.",
        "request_headers_to_remove": "A cell needs neither the plan, nor the client's address, nor its credentials.",
        "update_merge_window": "By default a change of health waits up to 1 s before it counts.",
        "cluster_type": "A plan: these regions in this order, and nowhere else.",
        "per_connection_buffer_limit_bytes": "How much of a body Envoy holds. Where the policy reads payloads it is "
        "the policy's limit, beyond which a body is not whole to the sidecar, and gets no retry.",
        "request_body_buffer_limit": "What is kept of a body for a retry, over HTTP/2 too, where it would be the "
        "window of the stream. Never where payloads are read: Envoy would then send the beginning of a long body "
        "twice.",
        "transport_socket_connect_timeout": "A client that never finishes its TLS handshake is let go; by default it "
        "could stay for ever.",
        "disable_stateless_session_resumption": "A session that is resumed does not show the client's certificate "
        "again, which may have ended since, or whose authority may have been withdrawn.",
        "tls_minimum_protocol_version": "Towards peers and where clients show certificates 1.3, before which a "
        "certificate is sent in the clear; else 1.2.",
        "sds_config": "From a file of its own, because only what comes this way is read anew when it is replaced.",
        "require_client_certificate": "A client without a certificate is turned away.",
        "http1_safe_max_connection_duration": "The last answer on a connection says that it is the last, so no request "
        "is lost.",
        "max_connection_duration": "A connection proves who is at its ends when it is opened: this is how long it may "
        "outlive its certificates. Requests on it are finished.",
        "max_session_keys": "No resumed sessions: each connection proves anew who is at its ends.",
        "match_typed_subject_alt_names": "Exactly this peer: of a region, a cell that proves to be in it. Whoever else "
        "the authority signed for is not served, nor asked.",
        "reuse_connection": "Each check is a handshake, so that a cell with another identity is out at once.",
    }
)

SECRET_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "certificate_chain": "Read anew when this file or the key's is replaced by renaming, or when Kubernetes swaps "
        "the Secret. A pair that does not match is not taken.",
        "trusted_ca": "Read anew when it is replaced. To change an authority, let this file name the old one and the "
        "new one until every certificate is of the new one.",
    }
)
"""The same for the files of :mod:`extproc.mesh.envoy.secrets`."""
