"""From a part of a policy to its place in the file.

A parsed policy keeps no places, because two files that mean the same are one policy. So the file is read a second time,
as plain nodes, and a part is found on them by its path: `places("regimes", "eu-gdpr", "permits", "dpf")`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from extproc.policy.load import without_signatures
from extproc.strict_yaml import Place
from extproc.strict_yaml.nodes import Mapping, Node, Scalar, Sequence, parse_nodes

_NAMING: Final = ("id", "name", "country", "subdivision")
"""The fields by which an entry of a list is called."""


class PlaceOf(Protocol):
    """Tells where a part of the policy stands."""

    def __call__(self, *path: str | int, word: str = "") -> Place:
        """Give the place of the part at `path`; with `word`, of the first such word in it.

        A step is a field's name, the id or the number of an entry in a list, or the text of one. What was not written,
        such as a default, is where its nearest written whole is.
        """
        ...


class Places:
    """The places of one document, as :class:`PlaceOf` asks for them."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def __call__(self, *path: str | int, word: str = "") -> Place:
        """See :class:`PlaceOf`."""
        place, node = self._root.place, self._root
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            place, node = found
        if word:
            return next((scalar.place for scalar in _scalars(node) if scalar.text == word), place)
        return place


def read_places(path: Path) -> Places:
    """Read the places of the file at `path`, which must have been read before. Raises DocumentError."""
    return places_of_text(without_signatures(path.read_bytes()), file=str(path))


def places_of_text(data: bytes | str, *, file: str) -> Places:
    """Read the places of a document that is at hand. Raises DocumentError."""
    root, _ = parse_nodes(data if isinstance(data, bytes) else data.encode(), file)
    return Places(root)


def _step(node: Node, step: str | int) -> tuple[Place, Node] | None:
    match node:
        case Mapping(entries=entries):
            return next(((key.place, value) for key, value in entries if key.text == step), None)
        case Sequence(items=items) if isinstance(step, int):
            return (items[step].place, items[step]) if step < len(items) else None
        case Sequence(items=items):
            return next(((item.place, item) for item in items if _is_called(item, str(step))), None)
        case Scalar():
            return None


def _is_called(node: Node, name: str) -> bool:
    match node:
        case Scalar(text=text):
            return text == name
        case Mapping(entries=entries):
            named = [value for key, value in entries if key.text in _NAMING]
            return any(isinstance(value, Scalar) and value.text == name for value in named)
        case Sequence():
            return False


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Sequence(items=items):
            for item in items:
                yield from _scalars(item)
        case Mapping(entries=entries):
            for key, value in entries:
                yield key
                yield from _scalars(value)
