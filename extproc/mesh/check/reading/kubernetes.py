"""Documents of Kubernetes: each a resource, a list of them, or a ConfigMap in which an Envoy's configuration lies.

SPEC: Kubernetes API conventions, `List`.
"""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.node import Node
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.resource import Resource, title_of

VALUES: Final = "Values"
"""The kind under which values of Istio's charts go."""
_VALUES: Final = ("mesh_config", "sidecar_injector_webhook")


def is_resource(root: Node) -> bool:
    """Tell whether this is one, or is about one."""
    return bool(root.at("api_version").text and root.at("kind").text) or bool(_kind_of(root))


def resources_of(root: Node, origin: str) -> Iterator[Resource]:
    """Give the resource, or those of a list."""
    kind, version = root.at("kind").text or _kind_of(root), root.at("api_version").text
    items = root.at("items")
    if not kind.endswith("List") or not items.is_there:
        yield _resource(root, origin, version, kind)
        return
    for item in items.items():
        if is_resource(item):
            yield from resources_of(item, origin)
        else:
            # In a typed list they may leave out what they are.
            yield _resource(item, origin, version, kind.removesuffix("List"))


def _kind_of(root: Node) -> str:
    """Tell what a document is that does not say it: values of a chart, or a patch that kustomize merges."""
    if not isinstance(root.value, dict) or root.at("kind").is_there:
        return ""
    if any(root.at(name).is_there for name in _VALUES):
        return VALUES
    return "Patch" if list(root.value) == ["spec"] and root.at("spec", "template").is_there else ""


def _resource(root: Node, origin: str, version: str, kind: str) -> Resource:
    namespace, name = root.at("metadata", "namespace").text, root.at("metadata", "name").text
    return Resource(
        origin=origin,
        group=version.rpartition("/")[0],
        kind=kind,
        namespace=namespace,
        name=name,
        root=Camel(root.value, f"{title_of(kind, namespace, name)}: "),
    )


def texts_in(resource: Resource) -> Iterator[tuple[str, str]]:
    """Give the texts that a ConfigMap holds, each with the path that leads to it."""
    if resource.kind == "ConfigMap" and not resource.group:
        for name, node in resource.root.at("data").fields():
            if node.text:
                yield f'{resource.title}: data["{name}"]', node.text
