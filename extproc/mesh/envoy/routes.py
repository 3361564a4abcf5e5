"""The routes: by the plan that the sidecar named, or a refusal."""

import json
from typing import Final

from extproc.mesh.envoy.api import (
    core,
    packed,
    previous_hosts,
    previous_priorities,
    route,
    seconds,
)
from extproc.mesh.section import Mesh
from extproc.names import DECISION_HEADER, REFUSAL_CONTENT_TYPE, ROUTE_HEADER

_RETRY_ON: Final = "connect-failure,refused-stream,reset,retriable-status-codes"
"""Failures of the way to a cell, or of the cell before it answered; all before the client saw a byte."""

_UNDECIDED: Final = json.dumps(
    {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "No decision was made."}
)

_PICKS: Final = 16
"""ENVOY: another cell is found by picking anew. With two cells a pick is a coin's toss, and the usual 3 often miss."""

# ENVOY: the connection manager writes the client's address after the early strip, so it is removed here.
_NOT_FOR_CELLS: Final = ("authorization", ROUTE_HEADER, "x-envoy-external-address", "x-forwarded-for")

# Between a cell and Envoy only: Envoy acts on the load report and the health flags, and would pass them on.
_NOT_FOR_CLIENTS: Final = (
    "endpoint-load-metrics",
    "endpoint-load-metrics-bin",
    "x-envoy-degraded",
    "x-envoy-immediate-health-check-fail",
)


def routes(mesh: Mesh, plan_length: int) -> route.RouteConfiguration:
    """Give the routes. A request to which no plan was given is refused by Envoy itself."""
    host = route.VirtualHost(name="situs", domains=["*"], routes=[_by_plan(mesh, plan_length), _refusal()])
    return route.RouteConfiguration(
        name="situs", virtual_hosts=[host], response_headers_to_remove=list(_NOT_FOR_CLIENTS)
    )


def _by_plan(mesh: Mesh, plan_length: int) -> route.Route:
    return route.Route(
        name="by_plan",
        match=route.RouteMatch(prefix="/", headers=[route.HeaderMatcher(name=ROUTE_HEADER, present_match=True)]),
        route=route.RouteAction(
            cluster_header=ROUTE_HEADER,
            timeout=seconds(mesh.timeouts.request_s),
            idle_timeout=seconds(mesh.timeouts.idle_s),
            retry_policy=_retry_policy(mesh, plan_length),
        ),
        request_headers_to_remove=list(_NOT_FOR_CELLS),
        response_headers_to_add=[_header(DECISION_HEADER, f"%REQ({DECISION_HEADER})%")],
    )


def _refusal() -> route.Route:
    return route.Route(
        name="undecided",
        match=route.RouteMatch(prefix="/"),
        direct_response=route.DirectResponseAction(status=503, body=core.DataSource(inline_string=_UNDECIDED)),
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
