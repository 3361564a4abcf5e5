"""Nodes whose paths are written as people know them: below a title, and as Kubernetes spells its fields."""

import re

from extproc.mesh.check.node import Node

_STEP = re.compile(r"_([a-z0-9])")


class Top(Node):
    """A document. Its path is empty or a title that ends with ": ", and its fields follow that without a dot."""

    __slots__ = ()

    def _field(self, name: str) -> Node:
        found = Node(self.value, "").at(name)
        return Node(found.value, f"{self.path}{found.path}")


class Camel(Node):
    """A part of a resource of Kubernetes. Names are asked for in snake_case and shown in camelCase."""

    __slots__ = ()

    def at(self, *names: str) -> "Camel":
        """Go down by names of fields."""
        found = self
        for name in names:
            found = found._field(name)
        return found

    def _field(self, name: str) -> "Camel":
        separator = "" if not self.path or self.path.endswith(": ") else "."
        shown = _STEP.sub(lambda step: step[1].upper(), name)
        return Camel(Node(self.value, "").at(name).value, f"{self.path}{separator}{shown}")

    def each(self) -> "tuple[Camel, ...]":
        """Give the elements of a list."""
        return tuple(Camel(item.value, item.path) for item in self.items())
