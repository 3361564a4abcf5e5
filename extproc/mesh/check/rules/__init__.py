"""The rules: each names one way in which a request could reach a region that nobody permitted, or be seen by nobody.

One module for each subject; each has its rules, with what was measured, and the functions that check it. Those that
look at one filter, cluster, route or connection manager alone take a :class:`Scope` from :func:`scope_alone`.

What no rule can see, because it is in no Envoy's configuration: a client that connects to a cell without any Envoy (a
NetworkPolicy's matter, and that of mutual TLS); ISTIO: the route and the proxy to wherever a client was going, which
every proxy has; and what a filter before the decision does with a request on its own.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from extproc.mesh.check.config import EnvoyConfig, Expected
from extproc.mesh.check.finding import Finding, Rule
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules import (
    clusters,
    decision,
    edge,
    exchange,
    filters,
    logs,
    managers,
    network,
    peers,
    runtime,
    timing,
    tokens,
    ways,
)
from extproc.mesh.check.rules import unread as unread_parts
from extproc.mesh.check.rules.clusters import check_cluster
from extproc.mesh.check.rules.decision import check_decision
from extproc.mesh.check.rules.edge import check_edge
from extproc.mesh.check.rules.logs import check_log
from extproc.mesh.check.rules.runtime import check_runtime
from extproc.mesh.check.rules.scope import Scope, scope_alone, scope_of
from extproc.mesh.check.rules.tokens import check_token_filter
from extproc.mesh.check.rules.ways import check_route
from extproc.mesh.check.view import managers_of

__all__ = [
    "RULES",
    "Scope",
    "check_cluster",
    "check_decision",
    "check_edge",
    "check_envoy",
    "check_log",
    "check_route",
    "check_runtime",
    "check_token_filter",
    "scope_alone",
    "scope_of",
]

_MODULES: Final = (
    unread_parts,
    managers,
    filters,
    decision,
    exchange,
    edge,
    tokens,
    ways,
    network,
    clusters,
    peers,
    timing,
    logs,
    runtime,
)
RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for module in _MODULES for rule in module.RULES})
"""Every rule by its id."""


def check_envoy(config: EnvoyConfig, expected: Expected) -> Iterator[Finding]:
    """Give every place where a configuration breaks a rule, once each."""
    seen: set[tuple[str, str, str]] = set()
    for finding in _all(config, scope_of(config, expected)):
        key = (finding.rule.id, finding.path, finding.message)
        if key not in seen:
            seen.add(key)
            yield finding


def _all(config: EnvoyConfig, scope: Scope) -> Iterator[Finding]:
    for node, reason in config.unread:
        yield unread_parts.unread(node, reason, scope)
    found = list(managers_of(config))
    for listener in config.listeners:
        if listener.at("fcds_config").is_there:
            yield unread_parts.unread(listener.at("fcds_config"), "its filter chains are discovered", scope)
        yield from network.check_network(listener, scope)
    for manager in found:
        yield from managers.check_manager(manager, scope)
    if not any(ways.is_by_plan(way) for way in chain.from_iterable(manager.ways for manager in found)):
        yield scope.found(
            managers.NOT_ATTACHED,
            Node(None, "listeners"),
            "no route is by the sidecar's plan",
            "attach what `situs mesh render` gives to the listener whose requests are to be decided",
        )
    yield from clusters.check_clusters(scope)
