"""Timeouts and circuit breakers: none is left at Envoy's default."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.scope import Scope

DEFAULT_TIMEOUT: Final = Rule(
    id="default-timeout",
    severity=Severity.FAULT,
    title="Every wait is bounded, and not by Envoy's default",
    why="Envoy gives the sidecar 0.2 s, less than one stalled fsync; a whole request 15 s, less than some answers; and "
    "a client for ever.",
)
DEFAULT_BREAKER: Final = Rule(
    id="default-breaker",
    severity=Severity.FAULT,
    title="Circuit breakers are sized for all that may be in flight",
    why="Envoy's default of 1,024 refuses legal requests, and of three retries lets no plan fail over under load.",
)
RULES: Final = (DEFAULT_TIMEOUT, DEFAULT_BREAKER)


def is_set(duration: Node) -> bool:
    """Tell whether a duration is written and more than none."""
    return bool(duration.seconds)


def check_breakers(cluster: Node, scope: Scope, fields: tuple[str, ...]) -> Iterator[Finding]:
    """Check that a cluster's breakers for ordinary requests name all of `fields`, or for retries a budget."""
    thresholds = cluster.at("circuit_breakers", "thresholds")
    ordinary = next((each for each in thresholds.items() if each.at("priority").choice in ("", "DEFAULT")), None)
    node = thresholds if ordinary is None else ordinary
    lacking = [
        name
        for name in fields
        if ordinary is None
        or (ordinary.at(name).number is None and not (name == "max_retries" and ordinary.at("retry_budget").is_there))
    ]
    if lacking:
        yield scope.found(
            DEFAULT_BREAKER,
            node,
            f"{', '.join(lacking)} of the cluster '{cluster.at('name').text}' left at Envoy's default",
            f"write {scope.expected.mesh.limits.in_flight} for each, or what may be in flight at most",
        )


def check_timeouts(owner: Node, names: tuple[str, ...], scope: Scope, what: str) -> Iterator[Finding]:
    """Check that each of these durations is set."""
    for name in names:
        if not is_set(owner.at(name)):
            yield scope.found(
                DEFAULT_TIMEOUT, owner.at(name), f"{name} of {what} is left at Envoy's default", _MENDS[name]
            )


_MENDS: Final = {
    "request_timeout": "write how long a request may take to arrive, as `60s`",
    "request_headers_timeout": "write how long its headers may take to arrive, as `10s`",
    "stream_idle_timeout": "write a little more than the longest answer takes, as `75s`",
    "timeout": "write how long the whole request may take, as `60s`",
    "per_try_timeout": "write how long one region has to begin its answer, as `20s`",
    "connect_timeout": "write how long a connection may take, as `1s`",
}
