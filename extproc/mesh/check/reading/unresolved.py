"""What a configuration refers to and does not hold: it decides too, and nobody has seen it.

What belongs to a connection manager is looked for where managers are judged (:mod:`extproc.mesh.check.view`).
"""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.config import EnvoyConfig
from extproc.mesh.check.node import Json, Node
from extproc.mesh.spelling import snake_case

_SHOWN: Final = 3
_EDS: Final = 3
"""SPEC: the number of that type."""
ASK: Final = "comes from a control plane and was not given"


def unresolved(config: EnvoyConfig) -> Iterator[tuple[Node, str]]:
    """Give each such reference, with what is not known of it."""
    for node in (*config.listeners, *config.clusters.values(), *config.routes.values()):
        if _has_twice(node.value):
            yield from _spelled_twice(node)
    for listener in config.listeners:
        for chain in (*listener.at("filter_chains").items(), listener.at("default_filter_chain")):
            for network in chain.at("filters").items():
                if network.at("config_discovery").is_there:
                    name = network.at("name").text
                    yield network.at("config_discovery"), f"the filter '{name}' {ASK}"
    lacking = [
        cluster
        for name, cluster in config.clusters.items()
        if (cluster.at("type").choice == "EDS" or cluster.at("type").number == _EDS)
        and (cluster.at("eds_cluster_config", "service_name").text or name) not in config.endpoints
    ]
    if lacking:
        # A mesh has hundreds of them, and they lack for one reason.
        names = ", ".join(f"'{cluster.at('name').text}'" for cluster in lacking[:_SHOWN])
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        yield lacking[0], f"endpoints of {names}{more} are discovered and were not given (config_dump?include_eds)"


def _has_twice(root: Json) -> bool:
    """Tell whether any field stands in both spellings. Nearly never, so this looks at values and makes no paths."""
    level = [root]
    while level:
        value = level.pop()
        if isinstance(value, dict):
            if len({snake_case(name) for name in value}) < len(value):
                return True
            level.extend(value.values())
        elif isinstance(value, list):
            level.extend(value)
    return False


def _spelled_twice(node: Node) -> Iterator[tuple[Node, str]]:
    """Find fields that stand in both spellings. ENVOY: it takes one of the two, and says nothing (measured)."""
    level = [node]
    while level:
        each = level.pop()
        if isinstance(each.value, dict):
            names: dict[str, str] = {}
            for name in each.value:
                first = names.setdefault(snake_case(name), name)
                if first != name and each.value[first] != each.value[name]:
                    told = f"stands twice, as '{first}' and as '{name}', and Envoy takes one of them; keep one"
                    yield each.at(snake_case(name)), told
        if isinstance(each.value, dict | list):
            level.extend(below for below in _below(each) if isinstance(below.value, dict | list))


def _below(node: Node) -> Iterator[Node]:
    yield from node.items()
    for _, field in node.fields():
        yield field
