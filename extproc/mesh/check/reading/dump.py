"""What a running proxy shows at its admin port: `/config_dump?include_eds`.

ENVOY: `envoy.admin.v3.ConfigDump`. Of the bootstrap in it only the runtime is read: what else it holds stands in the
other sections too, and there as it is in force.
"""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.node import Json, Node
from extproc.mesh.check.reading.parts import Parts
from extproc.mesh.check.view import MANAGER
from extproc.strict_yaml import UnfitError

_ADMIN: Final = "envoy.admin.v3."
_AGAIN: Final = "check again when it is settled"


def is_dump(root: Node) -> bool:
    """Tell whether this is one."""
    return any(section.typed()[0].startswith(_ADMIN) for section in root.at("configs").items())


def take_dump(root: Node, parts: Parts) -> None:
    """Take the sections that decide where a request goes. Raises UnfitError where they are not all there."""
    sections = {section.typed()[0].removeprefix(_ADMIN): section for section in root.at("configs").items()}
    if not {"ListenersConfigDump", "ClustersConfigDump"} <= sections.keys():
        raise UnfitError(
            "a part of a config_dump, without its listeners or its clusters",
            "take the whole of it: /config_dump?include_eds, without resource= and mask=",
        )
    for name, section in sections.items():
        match name:
            case "ListenersConfigDump":
                _listeners(section, parts)
            case "ClustersConfigDump":
                _clusters(section, parts)
            case "BootstrapConfigDump":
                parts.runtimes.append(section.at("bootstrap", "layered_runtime"))
            case "ScopedRoutesConfigDump":
                _scopes(section, parts)
            case _:
                pass
    if "RoutesConfigDump" in sections:
        _routes(sections["RoutesConfigDump"], parts)
    if "EndpointsConfigDump" in sections:
        _endpoints(sections["EndpointsConfigDump"], parts)


def _listeners(section: Node, parts: Parts) -> None:
    parts.listeners.extend(_present(section.at("static_listeners"), "listener"))
    for dynamic in section.at("dynamic_listeners").items():
        name = dynamic.at("name").text
        active = dynamic.at("active_state", "listener")
        warming = dynamic.at("warming_state", "listener")
        if active.is_there:
            parts.listeners.append(active)
            if warming.is_there:
                parts.unread.append((warming, f"a newer listener '{name}' waits to take over; {_AGAIN}"))
        elif warming.is_there:
            parts.listeners.append(warming)
        _refused(dynamic, f"listener '{name}'", parts)


def _clusters(section: Node, parts: Parts) -> None:
    for list_ in ("static_clusters", "dynamic_active_clusters"):
        for each in section.at(list_).items():
            if each.at("cluster").is_there:
                parts.add_cluster(each.at("cluster"))
            _refused(each, f"cluster '{each.at('cluster', 'name').text}'", parts)
    for each in section.at("dynamic_warming_clusters").items():
        warming = each.at("cluster")
        name = warming.at("name").text
        if name not in parts.clusters:
            parts.add_cluster(warming)
        elif parts.clusters[name].value != warming.value:
            parts.unread.append((warming, f"a newer cluster '{name}' waits to take over; {_AGAIN}"))


def _routes(section: Node, parts: Parts) -> None:
    # What stands in a listener is listed here again.
    inline = [
        manager.at("route_config").value
        for listener in parts.listeners
        for kind, manager in (node.typed() for node in listener.descendants())
        if kind == MANAGER
    ]
    for routes in _present(section.at("static_route_configs"), "route_config"):
        if not any(_same(routes.value, each) for each in inline):
            parts.add_routes(routes)
    for each in section.at("dynamic_route_configs").items():
        if each.at("route_config").is_there:
            parts.add_routes(each.at("route_config"))
        _refused(each, f"routes '{each.at('route_config', 'name').text}'", parts)


def _endpoints(section: Node, parts: Parts) -> None:
    for list_ in ("static_endpoint_configs", "dynamic_endpoint_configs"):
        for endpoints in _present(section.at(list_), "endpoint_config"):
            name = endpoints.at("cluster_name").text
            cluster = parts.clusters.get(name)
            # ENVOY: those of every cluster are listed, with the addresses that names were resolved to.
            if cluster is None or not cluster.at("load_assignment").is_there:
                parts.endpoints[name] = endpoints


def _scopes(section: Node, parts: Parts) -> None:
    for list_ in ("inline_scoped_route_configs", "dynamic_scoped_route_configs"):
        for each in section.at(list_).items():
            parts.unread.append((each, "routes are chosen by scope, which is not read; use one route configuration"))


def _refused(state: Node, what: str, parts: Parts) -> None:
    if state.at("error_state").is_there:
        reason = " ".join(state.at("error_state", "details").text.split())
        parts.unread.append((state.at("error_state"), f"the proxy refused a newer {what} ({reason}); {_AGAIN}"))


def _present(list_: Node, name: str) -> Iterator[Node]:
    for each in list_.items():
        if each.at(name).is_there:
            yield each.at(name)


def _same(one: Json, other: Json) -> bool:
    def plain(value: Json) -> Json:
        return {k: v for k, v in value.items() if k != "@type"} if isinstance(value, dict) else value

    return plain(one) == plain(other)
