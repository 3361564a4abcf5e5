"""Ways to a cell that are no HTTP routes: TCP and UDP proxies, and filters that call a cluster on their own."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.rules.unread import unread
from extproc.mesh.check.view import MANAGER, Manager, chains_of

_TCP_PROXY: Final = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_SNI_CLUSTER: Final = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster"
_QUOTES: Final = "\"'"
_CHOSEN_CLUSTER: Final = "envoy.tcp_proxy.cluster"
"""ENVOY: the state of a connection by which a tcp_proxy goes to another cluster than its own."""
_CONDITIONS: Final = ("upstream_cluster", "upstreamCluster")
"""ENVOY: of a fault filter, to which cluster a request must be going; nothing is sent there by it."""

NETWORK_ROUTE: Final = Rule(
    id="network-route",
    severity=Severity.LEAK,
    title="No connection leads to a cell beside the decided requests",
    why="Measured: a tcp_proxy listener in front of a region's cluster took requests there of which the sidecar never "
    "heard.",
)
FILTER_TO_REGION: Final = Rule(
    id="filter-to-region",
    severity=Severity.LEAK,
    title="No filter calls a region on its own",
    why="What it sends there, such as the headers or the body of a request, was not decided about.",
)
RULES: Final = (NETWORK_ROUTE, FILTER_TO_REGION)


def check_network(listener: Node, scope: Scope) -> Iterator[Finding]:
    """Check the filters of a listener that are no connection managers."""
    for one in listener.at("listener_filters").items():
        if one.at("config_discovery").is_there:
            yield unread(one.at("config_discovery"), "this filter is discovered elsewhere", scope)
        yield from check_named(one.at("typed_config"), NETWORK_ROUTE, scope)
    for chain in chains_of(listener):
        for one in chain.at("filters").items():
            kind, config = one.at("typed_config").typed()
            if kind == _SNI_CLUSTER:
                yield scope.found(
                    NETWORK_ROUTE, one, "the name that a client asks for by TLS names the cluster", "remove the filter"
                )
            elif kind != MANAGER:
                if any(node.typed()[0] == MANAGER for node in config.descendants()):
                    yield unread(config, "a connection manager stands inside another filter", scope)
                yield from check_named(config, NETWORK_ROUTE, scope)
                if kind == _TCP_PROXY:
                    yield from _open(config, scope)


def check_callers(manager: Manager, scope: Scope) -> Iterator[Finding]:
    """Check the HTTP filters of a manager for calls of their own to a region."""
    upgraded = (one for _, filters in manager.upgrades for one in filters)
    for one in (*manager.filters, *upgraded):
        yield from check_named(one.config, FILTER_TO_REGION, scope)
    for part in (manager.node.at("access_log"), manager.node.at("tracing"), manager.listener.at("access_log")):
        yield from check_named(part, FILTER_TO_REGION, scope, quoted=False)


def _open(config: Node, scope: Scope) -> Iterator[Finding]:
    """Find a proxy to wherever the connection went. ISTIO: has one in every proxy, which is NetworkPolicy's matter."""
    cluster = scope.clusters.get(config.at("cluster").text)
    if cluster is not None and scope.is_open(cluster) and scope.expected.mesh.istio is None:
        yield scope.found(
            NETWORK_ROUTE,
            config.at("cluster"),
            f"'{config.at('cluster').text}' sends to wherever the connection went",
            "remove the listener",
        )


def check_named(
    config: Node, rule: Rule, scope: Scope, *, below: bool = False, quoted: bool = True
) -> Iterator[Finding]:
    """Find names of clusters that lead to a cell, in fields that name clusters and, `quoted`, in code."""
    text = config.text
    where = scope.where(text) if below and text else _quoted(text, scope) if quoted else ""
    if where:
        yield scope.found(rule, config, f"leads to {where}", "remove it")
    elif rule is NETWORK_ROUTE and text == _CHOSEN_CLUSTER:
        yield scope.found(rule, config, "what a connection says of itself names the cluster", "remove the filter")
    for name, field in config.fields():
        if rule is NETWORK_ROUTE and name in ("cluster_header", "clusterHeader"):
            yield scope.found(rule, field, f"the header {field.text} names the cluster", "remove the filter")
        named = below or ("cluster" in name.lower() and name not in _CONDITIONS)
        yield from check_named(field, rule, scope, below=named, quoted=quoted)
    for item in config.items():
        yield from check_named(item, rule, scope, below=below, quoted=quoted)


def _quoted(text: str, scope: Scope) -> str:
    if not any(quote in text for quote in _QUOTES):
        return ""
    for name in scope.regions:
        if any(f"{quote}{name}{quote}" in text for quote in _QUOTES):
            return scope.where(name)
    return ""
