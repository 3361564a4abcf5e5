"""One resource of Kubernetes, with the paths by which people know it."""

from dataclasses import dataclass

from extproc.mesh.check.paths import Camel


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A document with `apiVersion` and `kind`.

    `origin`: the file. `group`: the part of `apiVersion` before the slash; empty for the core's. `root`: the document,
    whose paths begin with the title. `namespace` is empty where none is written.
    """

    origin: str
    group: str
    kind: str
    namespace: str
    name: str
    root: Camel

    @property
    def title(self) -> str:
        """Give what people call it."""
        return title_of(self.kind, self.namespace, self.name)

    @property
    def spec(self) -> Camel:
        """Give the specification."""
        return self.root.at("spec")


def title_of(kind: str, namespace: str, name: str) -> str:
    """Give what people call a resource: `EnvoyFilter situs-system/situs`."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}".rstrip()
