"""What a configuration does with requests, derived from its listeners and routes: managers, their filters, their ways.

A *manager* is an HTTP connection manager where it stands, with the routes that it uses. A *way* is one of its ends: a
virtual host, a route, and one cluster to which that route sends. Nothing here judges.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from extproc.mesh.check.config import EnvoyConfig
from extproc.mesh.check.node import Node

MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
MOBILE_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.EnvoyMobileHttpConnectionManager"
FILTER_CONFIG: Final = "envoy.config.route.v3.FilterConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One HTTP filter where it stands: `node` is the HttpFilter, `config` what its `Any` holds, of the type `type`.

    `name` is what a route's own settings refer to. `type` is empty where the filter is discovered elsewhere.
    """

    node: Node
    name: str
    type: str
    config: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a route, a virtual host, a route configuration or a weighted cluster says about one filter.

    `node` is the entry, `type` and `config` what it holds below a FilterConfig, `is_disabled` whether it turns the
    filter off, `off` the field that does.
    """

    node: Node
    type: str
    config: Node
    is_disabled: bool
    off: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One end of a manager's routes.

    `levels` are what settings may stand on: route configuration, virtual host, route, weighted cluster; the last counts
    most. `target` is the field that names a cluster, of the kind `kind`: `cluster`, `cluster_header`, `plugin`; for a
    route that sends nowhere it is the route and the kind is empty.
    """

    levels: tuple[Node, ...]
    virtual_host: Node
    route: Node
    action: Node
    target: Node
    kind: str

    def settings(self, name: str) -> Iterator[Setting]:
        """Give what is said about the filter of that name, least specific first."""
        for level in self.levels:
            for key, node in level.at("typed_per_filter_config").fields():
                if key == name:
                    yield _setting(node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """One HTTP connection manager with all that belongs to it.

    `upgrades` are the filter chains that upgraded requests take in place of `filters`, each with its node. `unread` is
    what belongs to its routes and cannot be seen from here, with the reason.
    """

    node: Node
    listener: Node
    chain: Node
    filters: tuple[Filter, ...]
    upgrades: tuple[tuple[Node, tuple[Filter, ...]], ...]
    ways: tuple[Way, ...]
    unread: tuple[tuple[Node, str], ...]


def managers_of(config: EnvoyConfig) -> Iterator[Manager]:
    """Give every connection manager of every listener, also of those that other listeners or programs feed."""
    for listener in config.listeners:
        for chain in chains_of(listener):
            for network in chain.at("filters").items():
                kind, manager = network.at("typed_config").typed()
                if kind == MANAGER:
                    yield manager_of(manager, listener, chain, config)
        kind, manager = listener.at("api_listener", "api_listener").typed()
        if kind == MOBILE_MANAGER:
            manager = manager.at("config")
        if kind in (MANAGER, MOBILE_MANAGER):
            yield manager_of(manager, listener, listener.at("api_listener"), config)


def chains_of(listener: Node) -> Iterator[Node]:
    """Give the filter chains of a listener, the default one too."""
    yield from listener.at("filter_chains").items()
    default = listener.at("default_filter_chain")
    if default.is_there:
        yield default


def manager_of(manager: Node, listener: Node, chain: Node, config: EnvoyConfig | None) -> Manager:
    """Give one manager. Without a configuration, routes that are not in the manager itself are not looked for."""
    ways: list[Way] = []
    unread: list[tuple[Node, str]] = []
    for routes in _routes_of(manager, config, unread):
        if routes.at("vhds").is_there:
            unread.append((routes.at("vhds"), "its virtual hosts are discovered one by one"))
        ways.extend(ways_of(routes))
        unread.extend(
            (host.at("matcher"), "its routes are in a matching tree, which is not followed")
            for host in routes.at("virtual_hosts").items()
            if host.at("matcher").is_there
        )
    filters = tuple(filter_of(node) for node in manager.at("http_filters").items())
    upgrades = tuple(
        (upgrade.at("filters"), tuple(filter_of(node) for node in upgrade.at("filters").items()))
        for upgrade in manager.at("upgrade_configs").items()
        if any(upgrade.at("filters").items())
    )
    return Manager(
        node=manager,
        listener=listener,
        chain=chain,
        filters=filters,
        upgrades=upgrades,
        ways=tuple(ways),
        unread=tuple(unread),
    )


def filter_of(node: Node) -> Filter:
    """Give one HttpFilter with its true type."""
    kind, config = node.at("typed_config").typed()
    return Filter(node=node, name=node.at("name").text, type=kind, config=config)


def ways_of(routes: Node) -> Iterator[Way]:
    """Give the ways of a route configuration."""
    for host in routes.at("virtual_hosts").items():
        for route in host.at("routes").items():
            yield from ways_of_route(route, host, (routes, host))


def ways_of_route(route: Node, host: Node, above: tuple[Node, ...] = ()) -> Iterator[Way]:
    """Give the ways of one route: one for each cluster that it may send to."""
    action = route.at("route")
    levels = (*above, route)

    def way(target: Node, kind: str, *more: Node) -> Way:
        return Way(levels=(*levels, *more), virtual_host=host, route=route, action=action, target=target, kind=kind)

    if not action.is_there:
        yield way(route, "")
        return
    for field, kind in (
        ("cluster", "cluster"),
        ("cluster_header", "cluster_header"),
        ("cluster_specifier_plugin", "plugin"),
        ("inline_cluster_specifier_plugin", "plugin"),
    ):
        if action.at(field).is_there:
            yield way(action.at(field), kind)
    for weighted in action.at("weighted_clusters", "clusters").items():
        is_header = weighted.at("cluster_header").is_there
        yield way(weighted.at("cluster_header" if is_header else "name"), _KINDS[is_header], weighted)


_KINDS: Final = {True: "cluster_header", False: "cluster"}


def _routes_of(manager: Node, config: EnvoyConfig | None, unread: list[tuple[Node, str]]) -> Iterator[Node]:
    inline, rds, scoped = (manager.at(name) for name in ("route_config", "rds", "scoped_routes"))
    if inline.is_there:
        yield inline
    if scoped.is_there:
        unread.append((scoped, "which of its route configurations counts is chosen for each request"))
    if rds.is_there and config is not None:
        name = rds.at("route_config_name")
        found = config.routes.get(name.text)
        if found is None:
            unread.append((name, f"the route configuration '{name.text}' is discovered and was not given"))
        else:
            yield found


def _setting(node: Node) -> Setting:
    kind, config = node.typed()
    off: Node = node
    is_disabled = False
    if kind == FILTER_CONFIG:
        off = config.at("disabled")
        is_disabled = off.flag
        kind, config = config.at("config").typed()
    if config.at("disabled").flag:
        off, is_disabled = config.at("disabled"), True
    return Setting(node=node, type=kind, config=config, is_disabled=is_disabled, off=off)
