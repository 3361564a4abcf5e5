"""Parts of an Envoy's configuration: answers of discovery, and lists of listeners and clusters to be merged."""

from typing import Final

from extproc.mesh.check.node import Node
from extproc.mesh.check.reading.parts import CLUSTER, ENDPOINTS, LISTENER, ROUTES, Parts
from extproc.strict_yaml import UnfitError

EXPECTED: Final = (
    "give an Envoy bootstrap, a config_dump, answers of discovery (resources with @type), lists of listeners and "
    "clusters, or resources of Kubernetes (apiVersion and kind)"
)
_LISTS: Final = ("resources", "listeners", "clusters", "route_configs", "routes")
_SHOWN: Final = 5


def take_fragment(root: Node, parts: Parts) -> None:
    """Take what is a part, told by the names of its fields or by `@type`. Raises UnfitError for what is none."""
    if isinstance(root.value, list):
        _resources(root, parts)
    elif any(isinstance(root.at(name).value, list) for name in _LISTS):
        _resources(root.at("resources"), parts)
        parts.listeners.extend(root.at("listeners").items())
        for cluster in root.at("clusters").items():
            parts.add_cluster(cluster)
        for name in ("route_configs", "routes"):
            for routes in root.at(name).items():
                parts.add_routes(routes)
    elif root.typed()[0]:
        _resource(root, parts)
    else:
        raise UnfitError(f"{_told(root)} is neither a configuration of Envoy nor a resource of Kubernetes", EXPECTED)
    if parts.is_empty and not parts.taken:
        raise UnfitError("there is no listener and no cluster in it", EXPECTED)


def _resources(resources: Node, parts: Parts) -> None:
    for resource in resources.items():
        _resource(resource, parts)


def _resource(resource: Node, parts: Parts) -> None:
    if not parts.add(resource):
        kind = resource.typed()[0]
        known = ", ".join(name.rpartition(".")[2] for name in (LISTENER, CLUSTER, ROUTES, ENDPOINTS))
        told = f"a {kind[:100]}" if kind else "a resource without @type"
        raise UnfitError(f"{told} stands where one of {known} should", EXPECTED)


def is_ours(root: Node) -> bool:
    """Tell whether it is a policy, a mesh file or another file of ours, none of which configures an Envoy."""
    return root.at("api_version").text.startswith("situs/")


def _told(root: Node) -> str:
    if not isinstance(root.value, dict):
        return "a single value"
    if is_ours(root):
        return "a file of Situs' own (give it by --policy or --mesh)"
    return "a table of " + (", ".join(f"'{name[:40]}'" for name in list(root.value)[:_SHOWN]) or "nothing")
