"""A rendered configuration with any one thing changed is named, unless that thing is known to lead nowhere else."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh.check.rendered import CLAIMS, JWT, PAYLOAD, Rendered, findings
from mesh.example import mesh_of, tables_of

Path: TypeAlias = tuple[str | int, ...]

# What may change without a word, by the name of the field, or of the list that it is in: none of it decides where a
# request goes, what the sidecar is asked, or what it is told.
NAMES: Final = frozenset("name stat_prefix domains cluster_name".split())
"""Names of things, of which only those of clusters mean anything, and then in another place."""
ADDRESSES: Final = frozenset("address socket_address port_value".split())
"""Where the listener is. Of an endpoint they are named."""
HEALTH: Final = frozenset(
    "health_checks http_health_check grpc_health_check path service_name interval timeout unhealthy_threshold "
    "healthy_threshold no_traffic_interval no_traffic_healthy_interval unhealthy_interval outlier_detection "
    "base_ejection_time max_ejection_time max_ejection_percent consecutive_gateway_failure "
    "consecutive_local_origin_failure enforcing_consecutive_5xx enforcing_consecutive_gateway_failure "
    "enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate enforcing_success_rate "
    "split_external_local_origin_errors update_merge_window lb_policy".split()
)
"""Which cell of a region serves, and how soon a dead one is noticed."""
LIMITS: Final = frozenset(
    "max_connections max_pending_requests max_requests max_retries budget_percent value min_retry_concurrency "
    "idle_timeout http2_protocol_options initial_connection_window_size initial_stream_window_size "
    "max_concurrent_streams max_request_headers_kb per_connection_buffer_limit_bytes request_body_buffer_limit "
    "buffer_flush_interval".split()
)
"""How much at once, and how long. (Breakers of plans; those of regions are named.)"""
RETRIES: Final = frozenset(
    "host_selection_retry_max_attempts num_retries retry_back_off base_interval max_interval retry_host_predicate "
    "retry_on retriable_status_codes update_frequency".split()
)
"""How a retry is made. None leaves its plan."""
ANSWERS: Final = frozenset(
    "response_headers_to_remove response_headers_to_add header key append_action direct_response body inline_string "
    "status suppress_envoy_headers additional_response_headers_to_log allow_content_length_header".split()
)
"""What a client is answered, and what the log says of an answer."""
CONNECTIONS: Final = frozenset(
    "typed_extension_protocol_options envoy.extensions.upstreams.http.v3.HttpProtocolOptions "
    "common_http_protocol_options explicit_http_config http_protocol_options transport_api_version".split()
)
"""How Envoy speaks to cells, the sidecar and the log."""
MATCHES: Final = frozenset("match prefix headers present_match routes route cluster_header".split())
"""Which requests meet the route by plan: those that do not are refused."""
DEFAULTS: Final = frozenset(
    "type cluster_type route_cache_action request_header_mode request_trailer_mode response_trailer_mode "
    "common_lb_config healthy_panic_threshold".split()
)
"""Where the default is what is written, or belongs to the sidecar's own cluster."""
STRICTER: Final = frozenset(
    "requirements allow_missing from_headers value_prefix from_params forwarding_namespaces untyped "
    "request_headers_to_remove additional_request_headers_to_log".split()
)
"""Fewer tokens count, or what no policy of these reads is not sent."""
WHOLE: Final = frozenset(("retry_host_predicate", "typed_extension_protocol_options"))
"""With all that is in them."""
HARMLESS: Final = NAMES | ADDRESSES | HEALTH | LIMITS | RETRIES | ANSWERS | CONNECTIONS | MATCHES | DEFAULTS | STRICTER


def _claims() -> Rendered:
    return Rendered(reading=CLAIMS, mesh=replace(mesh_of([9001, 9002]), jwt=JWT, workers=2), tables=tables_of(2))


def _payload() -> Rendered:
    return Rendered(reading=PAYLOAD, mesh=mesh_of([9001, 9002]), tables=tables_of(2))


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - any JSON
    keys: Sequence[str | int] = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from _paths(value[key], (*path, key))


def _changed(fields: dict[str, Any], path: Path, *, drop: bool) -> dict[str, Any]:
    changed = copy.deepcopy(fields)
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    old = at[path[-1]]
    if drop:
        del at[path[-1]]
    elif isinstance(old, bool):
        at[path[-1]] = not old
    elif isinstance(old, str):
        at[path[-1]] = "another"
    elif isinstance(old, int | float):
        at[path[-1]] = old + 1
    return changed


def _name(path: Path) -> str:
    names = [key for key in path if isinstance(key, str)]
    return next((name for name in names if name in WHOLE), names[-1])


@pytest.mark.slow
@pytest.mark.parametrize("rendered", [_claims(), _payload()], ids=["claims", "payload"])
@pytest.mark.parametrize("drop", [True, False], ids=["dropped", "changed"])
def test_every_change_is_named_or_is_known_to_lead_nowhere_else(rendered: Rendered, *, drop: bool) -> None:
    whole = rendered.fields
    silent: set[str] = set()
    try:
        for path in _paths(whole["static_resources"]):
            rendered.fields = _changed(whole, ("static_resources", *path), drop=drop)
            if rendered.fields != whole and not findings(rendered):
                silent.add(_name(path))
    finally:
        rendered.fields = whole
    assert silent - HARMLESS - WHOLE == set()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.data())
def test_no_configuration_is_too_strange_for_a_rule(data: st.DataObject) -> None:
    rendered = _claims()
    paths = list(_paths(rendered.fields["static_resources"]))
    path = ("static_resources", *data.draw(st.sampled_from(paths)))
    at: Any = rendered.fields
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = data.draw(JUNK)
    for finding in findings(rendered):
        assert finding.message
        assert finding.mend
