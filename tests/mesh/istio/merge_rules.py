"""Istio's rules for applying an EnvoyFilter, small and faithful, for tests without an istiod.

Written after pilot/pkg/networking/core/envoyfilter and pkg/proto/merge of Istio (master of August 2026), and held to a
real istiod by the captured configurations: see test_merge_rules.py. Only what a gateway or a sidecar's outbound side
needs is here, of one EnvoyFilter.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from google.protobuf import descriptor_pool, json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message_factory import GetMessageClass

Proto: TypeAlias = Any
"""A protobuf message: there are no stubs."""

MANAGER = "envoy.filters.network.http_connection_manager"
_REPLACED = "google.protobuf.Duration"
_KINDS: Mapping[str, Proto] = {
    "LISTENER": Listener,
    "FILTER_CHAIN": FilterChain,
    "NETWORK_FILTER": Filter,
    "HTTP_FILTER": HttpFilter,
    "ROUTE_CONFIGURATION": RouteConfiguration,
    "VIRTUAL_HOST": VirtualHost,
    "HTTP_ROUTE": Route,
    "CLUSTER": Cluster,
}
_INSERTS = ("INSERT_FIRST", "INSERT_BEFORE", "INSERT_AFTER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a proxy is sent."""

    listeners: Sequence[Proto]
    routes: Sequence[Proto]
    clusters: Sequence[Proto]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    to: str
    match: Mapping[str, Any]
    operation: str
    value: Proto

    def part(self, *names: str) -> Mapping[str, Any]:
        """Give a part of the match; empty where there is none."""
        found: Mapping[str, Any] = self.match
        for name in names:
            found = found.get(name, {})
        return found


def parse_config(fields: Mapping[str, Any]) -> Config:
    return Config(
        listeners=[parse(each, Listener) for each in fields["listeners"]],
        routes=[parse(each, RouteConfiguration) for each in fields["routes"]],
        clusters=[parse(each, Cluster) for each in fields["clusters"]],
    )


def parse(fields: Mapping[str, Any], kind: Proto) -> Proto:
    """Read the JSON form, with whatever it holds as an Any."""
    _load_types(fields)
    return json_format.ParseDict({name: value for name, value in fields.items() if name != "@type"}, kind())


def apply(filters: Iterable[Mapping[str, Any]], config: Config, context: str) -> Config:
    """Apply EnvoyFilters to a copy of what Istio makes without them."""
    patches = [
        patch
        for each in filters
        for patch in map(parse_patch, each["spec"]["configPatches"])
        if patch.match.get("context", "ANY") in ("ANY", context)
    ]
    listeners = [_copy(each) for each in config.listeners]
    routes = [_copy(each) for each in config.routes]
    for listener in listeners:
        _patch_listener(_of(patches, "LISTENER"), patches, listener)
    for configuration in routes:
        _patch_routes(patches, configuration, context)
    return Config(
        listeners=[each for each in listeners if each.name],
        routes=routes,
        clusters=_patched_clusters(_of(patches, "CLUSTER"), config.clusters),
    )


def parse_patch(fields: Mapping[str, Any]) -> Patch:
    """Read one of the configPatches, strictly."""
    operation = fields["patch"]["operation"]
    to = fields["applyTo"]
    if operation in _INSERTS and to in ("CLUSTER", "VIRTUAL_HOST", "LISTENER", "FILTER_CHAIN"):
        operation = "ADD"
    value = parse(fields["patch"].get("value", {}), _KINDS[to])
    return Patch(to=to, match=fields.get("match", {}), operation=operation, value=value)


# Listeners


def _patch_listener(own: Sequence[Patch], patches: Sequence[Patch], listener: Proto) -> None:
    for patch in own:
        if _is_listener(patch, listener):
            if patch.operation == "REMOVE":
                listener.name = ""
                return
            _merge_if_asked(patch, listener)
    for chain in listener.filter_chains:
        _patch_chain(patches, listener, chain)
    _keep(listener.filter_chains, lambda chain: bool(chain.filters))
    if listener.HasField("default_filter_chain"):
        _patch_chain(patches, listener, listener.default_filter_chain)
        if not listener.default_filter_chain.filters:
            listener.ClearField("default_filter_chain")


def _patch_chain(patches: Sequence[Patch], listener: Proto, chain: Proto) -> None:
    mine = [each for each in patches if each.part("listener", "filterChain").get("name", chain.name) == chain.name]
    for patch in _of(mine, "FILTER_CHAIN"):
        if _is_listener(patch, listener):
            if patch.operation == "REMOVE":
                del chain.filters[:]
                return
            _merge_if_asked(patch, chain)
    _patch_network_filters(mine, listener, chain)


def _patch_network_filters(patches: Sequence[Patch], listener: Proto, chain: Proto) -> None:
    own = [patch for patch in _of(patches, "NETWORK_FILTER") if _is_listener(patch, listener)]
    for patch in own:
        wanted = patch.part("listener", "filterChain", "filter").get("name")
        _insert_or_remove(chain.filters, patch, wanted)
    for each in chain.filters:
        for patch in own:
            if patch.part("listener", "filterChain", "filter").get("name", each.name) == each.name:
                _merge_typed(patch, each)
        if each.name == MANAGER:
            _patch_http_filters(patches, listener, each)


def _patch_http_filters(patches: Sequence[Patch], listener: Proto, holder: Proto) -> None:
    manager = HttpConnectionManager.FromString(holder.typed_config.value)
    own = [patch for patch in _of(patches, "HTTP_FILTER") if _is_listener(patch, listener)]
    names = [patch.part("listener", "filterChain", "filter", "subFilter").get("name") for patch in own]
    for patch, name in zip(own, names, strict=True):
        _insert_or_remove(manager.http_filters, patch, name)
    # Merges come after all insertions, whatever their order was.
    for each in manager.http_filters:
        for patch, name in zip(own, names, strict=True):
            if name in (None, each.name):
                _merge_typed(patch, each)
    holder.typed_config.CopyFrom(_packed(manager))


def _insert_or_remove(items: Proto, patch: Patch, wanted: str | None) -> None:
    """Do what is not a merge to a list of named things."""
    at = next((i for i, each in enumerate(items) if each.name == wanted), None)
    match patch.operation:
        case "ADD":
            items.append(patch.value)
        case "INSERT_FIRST":
            items.insert(0, patch.value)
        case "INSERT_BEFORE" if wanted is None:
            items.insert(0, patch.value)
        case "INSERT_AFTER" if wanted is None:
            items.append(patch.value)
        case "INSERT_BEFORE" if at is not None:
            items.insert(at, patch.value)
        case "INSERT_AFTER" if at is not None:
            items.insert(at + 1, patch.value)
        case "REPLACE" if at is not None:
            items[at].CopyFrom(patch.value)
        case "REMOVE" if wanted is not None:
            _keep(items, lambda each: each.name != wanted)
        case _:
            pass


def _merge_typed(patch: Patch, target: Proto) -> None:
    """Merge a filter: its configuration by its own type, because an Any itself would be replaced."""
    if patch.operation != "MERGE" or not target.HasField("typed_config"):
        return
    target.name = patch.value.name or target.name
    if patch.value.HasField("typed_config"):
        merged, source = _unpacked(target.typed_config), _unpacked(patch.value.typed_config)
        merge(merged, source)
        target.typed_config.CopyFrom(_packed(merged))


def _is_listener(patch: Patch, listener: Proto) -> bool:
    wanted = patch.part("listener")
    port = listener.address.socket_address.port_value
    return bool(wanted.get("name", listener.name) == listener.name and wanted.get("portNumber", port) == port)


# Routes


def _patch_routes(patches: Sequence[Patch], configuration: Proto, context: str) -> None:
    def is_meant(patch: Patch) -> bool:
        name = configuration.name
        port = int((name.split(".")[1] if context == "GATEWAY" else name) or 0)
        wanted = patch.part("routeConfiguration")
        return bool(wanted.get("name", name) == name and wanted.get("portNumber", port) == port)

    meant = [patch for patch in patches if patch.to in ("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE")]
    meant = [patch for patch in meant if is_meant(patch)]
    for patch in _of(meant, "ROUTE_CONFIGURATION"):
        _merge_if_asked(patch, configuration)
    hosts = _of(meant, "VIRTUAL_HOST")
    removed = []
    for host in configuration.virtual_hosts:
        for patch in hosts:
            if _is_host(patch, host):
                if patch.operation == "REMOVE":
                    removed.append(host.name)
                    break
                if patch.operation == "REPLACE":
                    host.CopyFrom(patch.value)
                _merge_if_asked(patch, host)
        else:
            _patch_host(_of(meant, "HTTP_ROUTE"), host)
    configuration.virtual_hosts.extend(patch.value for patch in hosts if patch.operation == "ADD")
    _keep(configuration.virtual_hosts, lambda host: host.name not in removed)


def _patch_host(patches: Sequence[Patch], host: Proto) -> None:
    mine = [patch for patch in patches if _is_host(patch, host)]
    gone = []
    for each in host.routes:
        for patch in mine:
            if _is_route(patch, each):
                if patch.operation == "REMOVE":
                    gone.append(each.SerializeToString())
                    break
                _merge_if_asked(patch, each)
    for patch in mine:
        _insert_route(patch, host.routes)
    _keep(host.routes, lambda each: each.SerializeToString() not in gone)


def _insert_route(patch: Patch, routes: Proto) -> None:
    at = next((i for i, each in enumerate(routes) if _is_route(patch, each)), None)
    is_any = not patch.part("routeConfiguration", "vhost", "route")
    match patch.operation:
        case "ADD":
            routes.append(patch.value)
        case "INSERT_AFTER" if is_any:
            routes.append(patch.value)
        case "INSERT_BEFORE" | "INSERT_FIRST" if is_any:
            routes.insert(0, patch.value)
        case "INSERT_BEFORE" if at is not None:
            routes.insert(at, patch.value)
        case "INSERT_AFTER" if at is not None:
            routes.insert(at + 1, patch.value)
        case "INSERT_FIRST" if at is not None:
            routes.insert(0, patch.value)
        case _:
            pass


def _is_host(patch: Patch, host: Proto) -> bool:
    wanted = patch.part("routeConfiguration", "vhost")
    domain = wanted.get("domainName")
    return bool(wanted.get("name", host.name) == host.name and (domain is None or domain in host.domains))


def _is_route(patch: Patch, route: Proto) -> bool:
    wanted = patch.part("routeConfiguration", "vhost", "route")
    action = {"route": "ROUTE", "redirect": "REDIRECT", "direct_response": "DIRECT_RESPONSE"}.get(
        route.WhichOneof("action") or ""
    )
    is_action = wanted.get("action", "ANY") in ("ANY", action)
    return bool(wanted.get("name", route.name) == route.name and is_action)


# Clusters


def _patched_clusters(patches: Sequence[Patch], clusters: Sequence[Proto]) -> list[Proto]:
    patched = []
    for each in map(_copy, clusters):
        meant = [patch for patch in patches if patch.operation != "ADD" and _is_cluster(patch, each.name)]
        if any(patch.operation == "REMOVE" for patch in meant):
            continue
        for patch in meant:
            _merge_if_asked(patch, each)
        patched.append(each)
    return [*patched, *(_copy(patch.value) for patch in patches if patch.operation == "ADD")]


def _is_cluster(patch: Patch, name: str) -> bool:
    wanted = patch.part("cluster")
    if "name" in wanted:
        return bool(wanted["name"] == name)
    parts = name.split("|") if name.count("|") == 3 else ["", "0", "", ""]
    return (
        wanted.get("service", parts[3]) == parts[3]
        and wanted.get("subset", parts[2]) == parts[2]
        and str(wanted.get("portNumber", parts[1])) == parts[1]
    )


# Messages


def merge(target: Proto, source: Proto) -> None:
    """Merge as protobuf does, but a duration is replaced whole, which protobuf would add up field by field."""
    for descriptor, value in source.ListFields():
        name = descriptor.name
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            _merge_map(getattr(target, name), value, descriptor)
        elif descriptor.is_repeated:
            getattr(target, name).extend(value)
        elif descriptor.message_type is None:
            setattr(target, name, value)
        elif descriptor.message_type.full_name == _REPLACED:
            getattr(target, name).CopyFrom(value)
        else:
            getattr(target, name).SetInParent()
            merge(getattr(target, name), value)


def _merge_map(target: Proto, source: Proto, descriptor: Proto) -> None:
    """Replace the entries of the same name: they are not merged."""
    is_message = descriptor.message_type.fields_by_name["value"].message_type is not None
    for key, value in source.items():
        if is_message:
            target[key].CopyFrom(value)
        else:
            target[key] = value


def _merge_if_asked(patch: Patch, target: Proto) -> None:
    if patch.operation == "MERGE":
        merge(target, patch.value)


def _of(patches: Sequence[Patch], to: str) -> list[Patch]:
    return [patch for patch in patches if patch.to == to]


def _keep(items: Proto, is_kept: Callable[[Proto], bool]) -> None:
    kept = [_copy(each) for each in items if is_kept(each)]
    del items[:]
    items.extend(kept)


def _copy(message: Proto) -> Proto:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def _unpacked(packed: Proto) -> Proto:
    name = packed.type_url.rpartition("/")[2]
    return GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name)).FromString(packed.value)


def _packed(message: Proto) -> Proto:
    packed = AnyMessage()
    packed.Pack(message, deterministic=True)
    return packed


def _load_types(fields: object) -> None:
    """Import the modules of the types that are named: protobuf knows only what was imported."""
    if isinstance(fields, Mapping):
        if isinstance(url := fields.get("@type"), str):
            _load_package(url.rpartition("/")[2].rpartition(".")[0])
        for value in fields.values():
            _load_types(value)
    elif isinstance(fields, Sequence) and not isinstance(fields, str):
        for value in fields:
            _load_types(value)


_LOADED: set[str] = set()


def _load_package(name: str) -> None:
    if name in _LOADED:
        return
    _LOADED.add(name)
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{name}.{module.name}")
