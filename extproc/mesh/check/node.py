"""One value of a configuration, with the path that leads to it. What is not there is a node too.

Protobuf's JSON form takes `lowerCamelCase` and `snake_case` alike, and numbers as texts; so does this. An extension's
type is told by its `@type` and never by its name, which anybody may choose. SPEC: ProtoJSON.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from extproc.mesh.spelling import snake_case

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

_TYPED_STRUCTS: Final = ("xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct")
_DURATION: Final = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)s")


class Node:
    """A value and its path."""

    __slots__ = ("path", "value")

    def __init__(self, value: Json, path: str) -> None:
        """Take a value as JSON or YAML gave it."""
        self.value = value
        self.path = path

    def __repr__(self) -> str:
        """Show where this is."""
        return f"Node({self.path})"

    @property
    def is_there(self) -> bool:
        """Tell whether there is a value. SPEC: ProtoJSON takes null for a field that is not set."""
        return self.value is not None

    def at(self, *names: str) -> "Node":
        """Go down by names of fields, as in the protobuf files."""
        found = self
        for name in names:
            found = found._field(name)
        return found

    def _field(self, name: str) -> "Node":
        path = f"{self.path}.{name}" if self.path else name
        if not isinstance(self.value, Mapping):
            return Node(None, path)
        for written, value in self.value.items():
            if written == name or snake_case(written) == name:
                return Node(value, path)
        return Node(None, path)

    def items(self) -> Iterator["Node"]:
        """Give the elements of a list; nothing for anything else."""
        if isinstance(self.value, Sequence) and not isinstance(self.value, str):
            for index, value in enumerate(self.value):
                yield Node(value, f"{self.path}[{index}]")

    def fields(self) -> Iterator[tuple[str, "Node"]]:
        """Give the fields of a mapping with the names as they are written (keys of maps are not fields' names)."""
        if isinstance(self.value, Mapping):
            for name, value in self.value.items():
                yield name, Node(value, f"{self.path}.{name}" if self.path else name)

    def descendants(self) -> Iterator["Node"]:
        """Give this node and everything below it."""
        yield self
        for _, field in self.fields():
            yield from field.descendants()
        for item in self.items():
            yield from item.descendants()

    @property
    def text(self) -> str:
        """Give a text; empty for anything else."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def choice(self) -> str:
        """Give the name of an enum's value in capitals. ENVOY: it takes `skip` for SKIP (measured)."""
        return self.text.upper()

    @property
    def flag(self) -> bool:
        """Give a boolean; False for what is not there."""
        return self.value is True or self.value == "true"

    @property
    def number(self) -> float | None:
        """Give a finite number, also one that is written as a text."""
        if isinstance(self.value, bool):
            return None
        try:
            value = float(self.value if isinstance(self.value, int | float) else self.text)
        except (OverflowError, ValueError):
            return None
        return value if math.isfinite(value) else None

    @property
    def seconds(self) -> float | None:
        """Give a duration in seconds. SPEC: ProtoJSON writes it like "1.5s"."""
        found = _DURATION.fullmatch(self.text)
        return float(found[1]) if found else None

    def typed(self) -> tuple[str, "Node"]:
        """Give the full name of the type that an `Any` holds, and what it holds; ("", itself) for what is none."""
        url = self.at("@type").text
        name = url.rpartition("/")[2]
        if name in _TYPED_STRUCTS:
            return self.at("type_url").text.rpartition("/")[2], self.at("value")
        return name, self
