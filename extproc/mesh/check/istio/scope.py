"""Where a resource is, and for whom."""

from collections.abc import Iterator

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.rules import EXPORT, NAMESPACE
from extproc.mesh.check.resource import Resource


def check_place(resource: Resource, *namespaces: str) -> Iterator[Finding]:
    """Judge in which namespace a resource is; one that names none is where it is applied."""
    if resource.namespace and resource.namespace not in namespaces:
        node = resource.root.at("metadata", "namespace")
        wanted = " or ".join(dict.fromkeys(namespaces))
        told = f"it is in '{resource.namespace}', and the mesh file says {wanted}"
        yield found(NAMESPACE, resource, node, told, "move it, or mend the mesh file's section istio")


def check_export(resource: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge in which namespaces a region's host is known."""
    exported = resource.spec.at("export_to")
    deciding = attached.istio.namespaces()
    mend = f"write exportTo: [{', '.join(deciding)}], the namespaces of the proxies that decide"
    names = exported.each()
    if not names:
        yield found(EXPORT, resource, exported, "it is known in all namespaces, which is the default", mend)
    for name in names:
        # ISTIO: "." is the resource's own namespace, "~" is nobody.
        where = resource.namespace if name.text == "." else name.text
        if where not in (*deciding, attached.istio.namespace, "~", ""):
            told = (
                "it is known in all namespaces" if where == "*" else f"it is known in '{where}', where nobody decides"
            )
            yield found(EXPORT, resource, name, told, mend)
