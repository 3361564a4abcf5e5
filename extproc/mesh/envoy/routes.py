"""The routes: by the plan that the sidecar named, or a refusal."""

import json
from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.envoy.api import (
    core,
    packed,
    previous_hosts,
    previous_priorities,
    route,
    seconds,
)
from extproc.mesh.section import Mesh
from extproc.names import DECISION_HEADER, LOAD_HEADER, ONCE_HEADER, REFUSAL_CONTENT_TYPE, ROUTE_HEADER

_RETRY_ON: Final = "connect-failure,refused-stream,reset,retriable-status-codes"
"""Failures of the way to a cell, or of the cell before it answered; all before the client saw a byte."""

UNDECIDED: Final = json.dumps(
    {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "No decision was made."}
)

_PICKS: Final = 16
"""ENVOY: another cell is found by picking anew. With two cells a pick is a coin's toss, and the usual 3 often miss."""

# ENVOY: the connection manager writes the client's address after the early strip, so it is removed here.
_NOT_FOR_CELLS: Final = ("authorization", ONCE_HEADER, ROUTE_HEADER, "x-envoy-external-address", "x-forwarded-for")

# Between a cell and Envoy only: Envoy acts on the load report and the health flags, and would pass them on.
NOT_FOR_CLIENTS: Final = (
    LOAD_HEADER,
    f"{LOAD_HEADER}-bin",
    "x-envoy-degraded",
    "x-envoy-immediate-health-check-fail",
)


def routes(reading: Reading, mesh: Mesh, plan_length: int) -> route.RouteConfiguration:
    """Give the routes. A request to which no plan was given is refused by Envoy itself."""
    # ENVOY: what is kept of a body for a retry is sent again when ext_proc passes on the trailers behind it, so a body
    # that is not whole is not kept (measured).
    once = [_by_plan(reading, mesh, None)] if reading.payload is not None else []
    chosen = [*once, _by_plan(reading, mesh, plan_length), _refusal()]
    host = route.VirtualHost(
        name="situs",
        domains=list(mesh.domains()),
        routes=chosen,
        response_headers_to_remove=list(NOT_FOR_CLIENTS),
    )
    return route.RouteConfiguration(name="situs", virtual_hosts=[host])


def plan_routes(reading: Reading, mesh: Mesh, plan_length: int) -> list[route.Route]:
    """Give the routes of requests to which a plan was given, in order."""
    # ENVOY: what is kept of a body for a retry is sent again when ext_proc passes on the trailers behind it, so a body
    # that is not whole is not kept (measured).
    once = [_by_plan(reading, mesh, None)] if reading.payload is not None else []
    return [*once, _by_plan(reading, mesh, plan_length)]


def _by_plan(reading: Reading, mesh: Mesh, plan_length: int | None) -> route.Route:
    """Give the route by the plan that was named; without a length, the one of requests that are tried once."""
    told = (ROUTE_HEADER, ONCE_HEADER) if plan_length is None else (ROUTE_HEADER,)
    return route.Route(
        name="by_plan" if plan_length is not None else "by_plan_once",
        match=route.RouteMatch(
            prefix="/", headers=[route.HeaderMatcher(name=name, present_match=True) for name in told]
        ),
        route=route.RouteAction(
            cluster_header=ROUTE_HEADER,
            timeout=seconds(mesh.timeouts.request_s),
            idle_timeout=seconds(mesh.timeouts.idle_s),
            retry_policy=None if plan_length is None else _retry_policy(mesh, plan_length),
        ),
        # ENVOY: else a body over HTTP/2 is kept for a retry only as far as the window of its stream. Not where payloads
        # are read: with more than the listener's buffer, the beginning of a long body is then sent twice (measured).
        request_body_buffer_limit=mesh.limits.buffer_kib * 1024 if reading.payload is None else None,
        request_headers_to_remove=list(_NOT_FOR_CELLS),
        response_headers_to_add=[_header(DECISION_HEADER, f"%REQ({DECISION_HEADER})%")],
    )


def _refusal() -> route.Route:
    return route.Route(
        name="undecided",
        match=route.RouteMatch(prefix="/"),
        direct_response=route.DirectResponseAction(status=503, body=core.DataSource(inline_string=UNDECIDED)),
        response_headers_to_add=[_header("content-type", REFUSAL_CONTENT_TYPE)],
    )


def _header(name: str, value: str) -> core.HeaderValueOption:
    return core.HeaderValueOption(
        header=core.HeaderValue(key=name, value=value),
        append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _retry_policy(mesh: Mesh, plan_length: int) -> route.RetryPolicy:
    return route.RetryPolicy(
        retry_on=_RETRY_ON,
        retriable_status_codes=list(mesh.retries.statuses),
        num_retries=max(mesh.retries.at_least, plan_length - 1),
        per_try_timeout=seconds(mesh.timeouts.attempt_s),
        retry_priority=route.RetryPolicyRetryPriority(
            name="envoy.retry_priorities.previous_priorities",
            typed_config=packed(previous_priorities.PreviousPrioritiesConfig(update_frequency=1)),
        ),
        retry_host_predicate=[
            route.RetryPolicyRetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=packed(previous_hosts.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=_PICKS,
        retry_back_off=route.RetryPolicyRetryBackOff(base_interval=seconds(0.005), max_interval=seconds(0.05)),
    )
