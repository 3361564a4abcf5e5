"""An Envoy's bootstrap, and the files that it names."""

from collections.abc import Callable
from typing import Final, TypeAlias

from extproc.mesh.check.node import Node
from extproc.mesh.check.reading.parts import Parts
from extproc.mesh.check.reading.unresolved import ASK

Follow: TypeAlias = Callable[[str], Parts | None]
"""Reads the resources in a file that a configuration names; None where there is none that could be read."""

BOOTSTRAP_FIELDS: Final = ("static_resources", "dynamic_resources")


def take_bootstrap(root: Node, parts: Parts, follow: Follow) -> None:
    """Take what a bootstrap holds, and what the files hold that it names."""
    parts.runtimes.append(root.at("layered_runtime"))
    static = root.at("static_resources")
    parts.listeners.extend(static.at("listeners").items())
    for cluster in static.at("clusters").items():
        parts.add_cluster(cluster)
    dynamic = root.at("dynamic_resources")
    for name in ("lds_config", "cds_config"):
        _follow_source(dynamic.at(name), parts, follow)
    ads = dynamic.at("ads_config")
    if ads.is_there and not any(dynamic.at(name, "ads").is_there for name in ("lds_config", "cds_config")):
        parts.unread.append((ads, ASK))
    # What stands in the listeners and clusters may name files for itself.
    for node in static.descendants():
        for source in (node.at("rds", "config_source"), node.at("eds_cluster_config", "eds_config")):
            if _file_of(source):
                _follow_source(source, parts, follow)


def _follow_source(source: Node, parts: Parts, follow: Follow) -> None:
    if not source.is_there:
        return
    name = _file_of(source)
    found = follow(name) if name else None
    if found is not None:
        parts.merge(found)
    elif name:
        parts.unread.append((source, f"comes from the file {name}, which cannot be read here"))
    else:
        parts.unread.append((source, ASK))


def _file_of(source: Node) -> str:
    return source.at("path_config_source", "path").text or source.at("path").text
