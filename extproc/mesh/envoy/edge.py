"""The listener: the declared edge, what is stripped before any filter runs, and the order of the filters."""

from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.envoy.addresses import address_of
from extproc.mesh.envoy.api import (
    core,
    early_mutation,
    hcm,
    listener,
    matcher,
    mutation_rules,
    packed,
    router,
    seconds,
)
from extproc.mesh.envoy.decision import decision_filter, reroute_filter
from extproc.mesh.envoy.logs import sidecar_log
from extproc.mesh.envoy.routes import routes
from extproc.mesh.envoy.tls import listener_socket
from extproc.mesh.envoy.tokens import credentials_filter, token_filter
from extproc.mesh.section import Mesh
from extproc.names import ATTEMPT_LOG, HEADER_PREFIX, REQUEST_LOG

_STRIPPED: Final = (HEADER_PREFIX, "x-envoy-")
"""Prefixes of headers that only we and Envoy write. A client's `x-envoy-` headers could change retries and timeouts."""

_STREAMS: Final = 100
_STREAM_WINDOW: Final = 64 * 1024
_CONNECTION_WINDOW: Final = 1024 * 1024


def edge_listener(reading: Reading, mesh: Mesh, plan_length: int) -> listener.Listener:
    """Give the listener that clients connect to."""
    manager = connection_manager(reading, mesh, plan_length)
    chain = listener.FilterChain(
        filters=[
            listener.Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(manager)),
        ],
        transport_socket=listener_socket(mesh),
        transport_socket_connect_timeout=None if mesh.listener_tls is None else seconds(mesh.timeouts.headers_s),
    )
    return listener.Listener(
        name="situs",
        address=address_of(mesh.listener),
        per_connection_buffer_limit_bytes=buffered_bytes(reading, mesh),
        filter_chains=[chain],
    )


def buffered_bytes(reading: Reading, mesh: Mesh) -> int:
    """Give how much of a body is held for each connection.

    ENVOY: the buffer is what makes a body "partial", and of HTTP/2 the window is. So a body of `limit_bytes` is whole
    to the sidecar, and of a longer one at most twice that is sent. A longer one cannot be retried: a route with a
    larger buffer of its own would keep it, and send its beginning twice (measured).
    """
    return mesh.limits.buffer_kib * 1024 if reading.payload is None else reading.payload.limit_bytes


def connection_manager(reading: Reading, mesh: Mesh, plan_length: int) -> hcm.HttpConnectionManager:
    """Give what makes requests of a connection, decides them and routes them."""
    verifies = mesh.listener_tls is not None and mesh.listener_tls.clients is not None
    window = _STREAM_WINDOW if reading.payload is None else max(_STREAM_WINDOW, reading.payload.limit_bytes)
    return hcm.HttpConnectionManager(
        stat_prefix="situs",
        codec_type=hcm.HttpConnectionManagerCodecType.AUTO,
        use_remote_address=True,
        xff_num_trusted_hops=reading.trusted_hops,
        early_header_mutation_extensions=[early_strip()],
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=hcm.HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        max_request_headers_kb=mesh.limits.header_kib,
        request_timeout=seconds(mesh.timeouts.request_s),
        request_headers_timeout=seconds(mesh.timeouts.headers_s),
        stream_idle_timeout=seconds(mesh.timeouts.idle_s),
        common_http_protocol_options=core.HttpProtocolOptions(
            idle_timeout=seconds(mesh.timeouts.idle_s),
            max_connection_duration=seconds(mesh.timeouts.connection_s) if verifies else None,
            headers_with_underscores_action=core.HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=core.Http2ProtocolOptions(
            max_concurrent_streams=_STREAMS,
            initial_stream_window_size=window,
            initial_connection_window_size=max(_CONNECTION_WINDOW, window),
        ),
        http1_safe_max_connection_duration=verifies,
        http_filters=_filters(reading, mesh),
        route_config=routes(reading, mesh, plan_length),
        access_log=[sidecar_log(REQUEST_LOG)],
    )


def early_strip() -> core.TypedExtensionConfig:
    """Give what removes headers that only we and Envoy write, before any filter sees them."""
    strip = [
        mutation_rules.HeaderMutation(
            remove_on_match=mutation_rules.HeaderMutationRemoveOnMatch(key_matcher=matcher.StringMatcher(prefix=prefix))
        )
        for prefix in _STRIPPED
    ]
    return core.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(early_mutation.HeaderMutation(mutations=strip)),
    )


def _filters(reading: Reading, mesh: Mesh) -> list[hcm.HttpFilter]:
    """Give the filters in order: tokens are verified, then the decision is made, then the request is routed."""
    reroute = [reroute_filter(mesh)] if reading.payload is not None else []
    tokens = [credentials_filter(), token_filter(mesh.jwt)] if mesh.jwt else []
    return [*tokens, decision_filter(reading, mesh), *reroute, router_filter()]


def router_filter() -> hcm.HttpFilter:
    """Give the filter that sends a request on, and tells the sidecar of each attempt."""
    last = router.Router(upstream_log=[sidecar_log(ATTEMPT_LOG)], suppress_envoy_headers=True)
    return hcm.HttpFilter(name="envoy.filters.http.router", typed_config=packed(last))
