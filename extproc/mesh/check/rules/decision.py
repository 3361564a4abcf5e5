"""The decision's filter, taken alone: what it asks, what it waits for, and what happens without an answer."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.exchange import check_forwarded, check_metadata, check_mutations
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.rules.timing import DEFAULT_TIMEOUT, is_set
from extproc.names import PEER_IDENTITY, SOURCE_ADDRESS

EXT_PROC: Final = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
EXT_PROC_ROUTE: Final = "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"
_SERVICE_UNAVAILABLE: Final = 503

FAILURE_MODE_ALLOW: Final = Rule(
    id="failure-mode-allow",
    severity=Severity.LEAK,
    title="Without an answer of the sidecar a request must end",
    why="Measured: with failure_mode_allow, a dead sidecar and a client's own plan, requests reached a cell of a "
    "region that nobody had permitted, and no record of them was made.",
)
OBSERVABILITY_MODE: Final = Rule(
    id="observability-mode",
    severity=Severity.LEAK,
    title="Envoy must wait for the sidecar's answer",
    why="In this mode Envoy sends a copy and goes on without an answer. Measured: what the sidecar refused went on to "
    "a region, by the client's own plan.",
)
MODE_OVERRIDE: Final = Rule(
    id="mode-override",
    severity=Severity.FAULT,
    title="An answer must not change what Envoy sends",
    why="No answer of the sidecar does. A fault in one could then take the payload out of the decision.",
)
HEADERS_NOT_SENT: Final = Rule(
    id="headers-not-sent",
    severity=Severity.LEAK,
    title="The request's headers must be sent to the sidecar",
    why="Measured: with SKIP the sidecar was never asked, and a client's own plan led to its region.",
)
PHASES_UNNEEDED: Final = Rule(
    id="phases-unneeded",
    severity=Severity.FAULT,
    title="Nothing but what the policy reads is sent to the sidecar",
    why="The sidecar answers one message; Envoy's default also sends the response's headers and waits for an answer "
    "that does not come. A payload that no policy reads is data that need not be there.",
)
PAYLOAD_NOT_READ: Final = Rule(
    id="payload-not-read",
    severity=Severity.LEAK,
    title="Where the policy reads payloads they must be sent, and held until the answer",
    why="A class that a payload would have raised is not raised, so the request may go where that class may not.",
)
ROUTE_CACHE: Final = Rule(
    id="route-cache",
    severity=Severity.FAULT,
    title="The route must be chosen anew after the decision",
    why="Otherwise the request takes the route that was found before there was a plan, which is the refusal.",
)
ATTRIBUTE_MISSING: Final = Rule(
    id="attribute-missing",
    severity=Severity.FAULT,
    title="The sidecar must be told what places a client",
    why="Without the address of the client, or the identity in its certificate, the request is refused, or decided as "
    "if it came from nowhere.",
)
ATTRIBUTE_UNNEEDED: Final = Rule(
    id="attribute-unneeded",
    severity=Severity.FAULT,
    title="No attribute is sent that nothing reads",
    why="xds.node is 82 KB for each request (measured); request.headers would send cookies and credentials past the "
    "list of forwarded headers.",
)
REFUSALS_DROPPED: Final = Rule(
    id="refusals-dropped",
    severity=Severity.FAULT,
    title="A refusal of the sidecar must reach the client",
    why="Measured: with disable_immediate_response a refusal of 451 arrives as 503, like a sidecar that is gone, and "
    "tells the client to try again. With failure_mode_allow beside it, it would be a permission.",
)
DECISION_EXTENSION: Final = Rule(
    id="decision-extension",
    severity=Severity.LEAK,
    title="No extension changes what the sidecar is asked or answers",
    why="What it changes cannot be told from the configuration.",
)
STATUS_ON_ERROR: Final = Rule(
    id="status-on-error",
    severity=Severity.FAULT,
    title="Without the sidecar a request is answered 503",
    why="Envoy's default is 500, which clients do not try again and operators take for a fault of the model.",
)
WORKER_RETRY: Final = Rule(
    id="worker-retry",
    severity=Severity.FAULT,
    title="When one of several workers dies another is asked",
    why="Measured: without it 121 of 5,000 requests were refused when one of two workers was killed.",
)
DECISION_ELSEWHERE: Final = Rule(
    id="decision-elsewhere",
    severity=Severity.LEAK,
    title="The decision is the sidecar's that the mesh file names",
    why="Whoever answers there chooses the region; nothing of it is recorded.",
)

RULES: Final = (
    FAILURE_MODE_ALLOW,
    OBSERVABILITY_MODE,
    MODE_OVERRIDE,
    HEADERS_NOT_SENT,
    PHASES_UNNEEDED,
    PAYLOAD_NOT_READ,
    ROUTE_CACHE,
    ATTRIBUTE_MISSING,
    ATTRIBUTE_UNNEEDED,
    REFUSALS_DROPPED,
    DECISION_EXTENSION,
    STATUS_ON_ERROR,
    WORKER_RETRY,
    DECISION_ELSEWHERE,
)


def asks_sidecar(service: Node, scope: Scope) -> bool:
    """Tell whether a GrpcService is the sidecar, through Envoy's own client."""
    return scope.is_sidecar(service.at("envoy_grpc", "cluster_name").text)


def check_decision(config: Node, scope: Scope) -> Iterator[Finding]:
    """Check the configuration of the decision's filter (an ExternalProcessor)."""
    service = config.at("grpc_service")
    if not asks_sidecar(service, scope):
        yield from elsewhere(config, scope)
    yield from _flags(config, scope)
    yield from check_mode(config.at("processing_mode"), scope)
    yield from _answer(config, scope)
    yield from check_attributes(config.at("request_attributes"), scope)
    yield from check_forwarded(config.at("forward_rules"), scope)
    yield from check_metadata(config.at("metadata_options"), scope)
    yield from check_mutations(config.at("mutation_rules"), scope)
    if not is_set(config.at("message_timeout")):
        yield scope.found(
            DEFAULT_TIMEOUT,
            config.at("message_timeout"),
            "the sidecar has Envoy's default of 0.2 s to answer, or none at all",
            f'write `message_timeout: "{scope.expected.mesh.timeouts.message_s:g}s"`',
        )
    if scope.expected.mesh.workers > 1 and not service.at("retry_policy").is_there:
        yield scope.found(
            WORKER_RETRY,
            service.at("retry_policy"),
            "no retry, with several workers",
            "add a retry_policy for connect-failure,refused-stream,reset with previous_hosts",
        )


def elsewhere(config: Node, scope: Scope) -> Iterator[Finding]:
    """Say that a filter of this kind asks somebody else."""
    service = config.at("grpc_service")
    name = service.at("envoy_grpc", "cluster_name")
    if name.is_there:
        node, told = name, f"it asks the cluster '{name.text}', which is not the sidecar"
    elif service.at("google_grpc").is_there:
        node, told = service.at("google_grpc"), "it asks through google_grpc, whose target is no cluster to compare"
    else:
        node, told = service, "it asks no gRPC cluster"
    yield scope.found(
        DECISION_ELSEWHERE,
        node,
        told,
        f"ask the cluster situs_sidecar by envoy_grpc, with the endpoints {_sidecars(scope)}",
    )


def check_overrides(overrides: Node, scope: Scope) -> Iterator[Finding]:
    """Check what a route changes of the decision's filter (an ExtProcOverrides)."""
    if overrides.at("grpc_service").is_there and not asks_sidecar(overrides.at("grpc_service"), scope):
        yield from elsewhere(overrides, scope)
    yield from _allow(overrides, scope)
    if overrides.at("async_mode").flag:
        yield scope.found(
            OBSERVABILITY_MODE, overrides.at("async_mode"), "goes on without an answer", "remove async_mode"
        )
    if overrides.at("processing_mode").is_there:
        yield from check_mode(overrides.at("processing_mode"), scope)
    if any(overrides.at("request_attributes").items()):
        yield from check_attributes(overrides.at("request_attributes"), scope)
    if overrides.at("metadata_options").is_there:
        yield from check_metadata(overrides.at("metadata_options"), scope)
    yield from _extensions(overrides, scope)


def _sidecars(scope: Scope) -> str:
    return ", ".join(str(place) for place in scope.expected.mesh.sidecars())


def _allow(config: Node, scope: Scope) -> Iterator[Finding]:
    if config.at("failure_mode_allow").flag:
        yield scope.found(
            FAILURE_MODE_ALLOW,
            config.at("failure_mode_allow"),
            "a request goes on when the sidecar gives no answer",
            "write `failure_mode_allow: false`",
        )


def _extensions(config: Node, scope: Scope) -> Iterator[Finding]:
    for name in ("processing_request_modifier", "on_processing_response"):
        if config.at(name).is_there:
            yield scope.found(
                DECISION_EXTENSION,
                config.at(name),
                f"the extension '{config.at(name, 'name').text}' stands between Envoy and the sidecar",
                f"remove {name}",
            )


def _flags(config: Node, scope: Scope) -> Iterator[Finding]:
    yield from _allow(config, scope)
    yield from _extensions(config, scope)
    for rule, name, told in (
        (OBSERVABILITY_MODE, "observability_mode", "Envoy goes on without an answer"),
        (
            REFUSALS_DROPPED,
            "disable_immediate_response",
            "an answer that refuses counts as a fault of the sidecar",
        ),
        (MODE_OVERRIDE, "allow_mode_override", "an answer may change what else is sent"),
    ):
        if config.at(name).flag:
            yield scope.found(rule, config.at(name), told, f"write `{name}: false`")
    code = config.at("status_on_error", "code")
    if code.text != "ServiceUnavailable" and code.number != _SERVICE_UNAVAILABLE:
        yield scope.found(
            STATUS_ON_ERROR,
            code,
            f"answers {code.value or '500, the default,'} when the sidecar does not",
            "write `status_on_error: {code: ServiceUnavailable}`",
        )


def check_mode(mode: Node, scope: Scope) -> Iterator[Finding]:
    """Check a ProcessingMode: the request's headers, the payload where it is read, and nothing else."""
    if mode.at("request_header_mode").choice == "SKIP" or mode.at("request_header_mode").number == _SKIP:
        yield scope.found(HEADERS_NOT_SENT, mode.at("request_header_mode"), "the sidecar is not asked", "write SEND")
    reads = scope.expected.reading.payload is not None
    body = mode.at("request_body_mode")
    if reads and body.choice != "BUFFERED_PARTIAL" and body.number != _BUFFERED_PARTIAL:
        yield scope.found(
            PAYLOAD_NOT_READ,
            body,
            f"the policy reads payloads, and the mode is {body.value or 'NONE'}",
            "write `request_body_mode: BUFFERED_PARTIAL`",
        )
    if not reads and body.is_there and body.choice != "NONE" and body.number != 0:
        yield scope.found(
            PHASES_UNNEEDED,
            body,
            f"payloads are sent ({body.value}), and the policy reads none",
            "write `request_body_mode: NONE`",
        )
    response = mode.at("response_header_mode")
    if response.choice != "SKIP" and response.number != _SKIP:
        yield scope.found(
            PHASES_UNNEEDED,
            response,
            "the response's headers are sent, which is what an unset mode does",
            "write `response_header_mode: SKIP`",
        )
    answered = mode.at("response_body_mode")
    if answered.choice not in ("", "NONE") or answered.number:
        yield scope.found(PHASES_UNNEEDED, mode.at("response_body_mode"), "answers of cells are sent", "write NONE")
    for name in ("request_trailer_mode", "response_trailer_mode"):
        if mode.at(name).choice == "SEND" or mode.at(name).number == 1:
            yield scope.found(PHASES_UNNEEDED, mode.at(name), "trailers are sent", f"write `{name}: SKIP`")


_SKIP: Final = 2
_BUFFERED_PARTIAL: Final = 3


def _answer(config: Node, scope: Scope) -> Iterator[Finding]:
    action = config.at("route_cache_action")
    reads = scope.expected.reading.payload is not None
    retains = action.choice == "RETAIN" or action.number == _SKIP or config.at("disable_clear_route_cache").flag
    if retains != reads:
        node = action if action.is_there else config.at("disable_clear_route_cache")
        yield scope.found(
            ROUTE_CACHE,
            node if node.is_there else action,
            "the route is kept that was found before the decision"
            if retains
            else "the policy reads payloads, and then this clears the route only when the request has gone",
            f"write `route_cache_action: {'RETAIN' if reads else 'CLEAR'}`",
        )


def check_attributes(attributes: Node, scope: Scope) -> Iterator[Finding]:
    """Check the list of attributes that are sent."""
    there = {each.text: each for each in attributes.items()}
    needed = (SOURCE_ADDRESS, *((PEER_IDENTITY,) if scope.expected.reading.certificates else ()))
    for name in needed:
        if name not in there:
            yield scope.found(ATTRIBUTE_MISSING, attributes, f"{name} is not sent", f"add {name}")
    for name, node in there.items():
        if name.startswith(("xds.", "request.headers")):
            yield scope.found(ATTRIBUTE_UNNEEDED, node, f"{name} is sent, and nothing reads it", "remove it")
