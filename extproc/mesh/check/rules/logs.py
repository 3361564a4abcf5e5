"""The access logs: one entry a request and one an attempt, to the sidecar, without exception."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.decision import asks_sidecar
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.view import Manager
from extproc.names import ATTEMPT_LOG, DECISION_HEADER, REQUEST_LOG

_GRPC_LOG: Final = "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"

REQUEST_LOG_MISSING: Final = Rule(
    id="request-log",
    severity=Severity.LEAK,
    title="The sidecar is told how each request ended",
    why="Without it nobody holds where a request was served against where it was permitted.",
)
ATTEMPT_LOG_MISSING: Final = Rule(
    id="attempt-log",
    severity=Severity.LEAK,
    title="The sidecar is told of every attempt",
    why="Measured: a request that failed in one region and was served in another left one entry, of the second; that "
    "its data had been in the first could not be seen.",
)
LOG_FILTERED: Final = Rule(
    id="log-filtered",
    severity=Severity.LEAK,
    title="No entry is left out",
    why="An entry that is filtered out is a delivery of which nobody knows.",
)
LOG_DECISION: Final = Rule(
    id="log-decision",
    severity=Severity.LEAK,
    title="Each entry of an attempt names its decision",
    why="Attempts carry no metadata: without the header an entry belongs to no decision.",
)
RULES: Final = (REQUEST_LOG_MISSING, ATTEMPT_LOG_MISSING, LOG_FILTERED, LOG_DECISION)


def check_logs(manager: Manager, scope: Scope) -> Iterator[Finding]:
    """Check both logs of a manager."""
    yield from check_log(manager.node.at("access_log"), REQUEST_LOG, scope)
    routers = [one.config.at("upstream_log") for one in manager.filters if one.type == _ROUTER]
    for logs in routers or [manager.node.at("http_filters")]:
        yield from check_log(logs, ATTEMPT_LOG, scope)


def check_log(logs: Node, name: str, scope: Scope) -> Iterator[Finding]:
    """Check that one of these access logs is the sidecar's of that name, and keeps all entries."""
    ours = [
        (log, log.at("typed_config").typed()[1])
        for log in logs.items()
        if log.at("typed_config").typed()[0] == _GRPC_LOG
        and log.at("typed_config").typed()[1].at("common_config", "log_name").text == name
    ]
    told = [(log, config) for log, config in ours if asks_sidecar(config.at("common_config", "grpc_service"), scope)]
    rule = REQUEST_LOG_MISSING if name == REQUEST_LOG else ATTEMPT_LOG_MISSING
    if not told:
        node = ours[0][1].at("common_config", "grpc_service") if ours else logs
        yield scope.found(
            rule,
            node,
            f"the log {name} goes elsewhere" if ours else f"there is no gRPC log of the name {name}",
            f"add the http_grpc access log {name} to the sidecar's cluster, as `situs mesh render` gives it",
        )
        return
    log, config = told[0]
    if log.at("filter").is_there:
        yield scope.found(LOG_FILTERED, log.at("filter"), f"entries of {name} are left out", "remove the filter")
    headers = config.at("additional_request_headers_to_log")
    if name == ATTEMPT_LOG and DECISION_HEADER not in {each.text.lower() for each in headers.items()}:
        yield scope.found(LOG_DECISION, headers, f"{DECISION_HEADER} is not logged", f"add {DECISION_HEADER}")
