"""On which line of its file each part of a policy stands."""

from extproc.strict_yaml import Kind
from extproc.strict_yaml.nodes import Mapping, Node, Scalar, Sequence, parse_nodes


class Lines:
    """The lines of one file that has been parsed without a fault."""

    def __init__(self, data: bytes, file: str) -> None:
        self._root, _ = parse_nodes(data, file)

    def of(self, *path: str) -> int:
        """Give the line of what a path of names leads to, or of the deepest part of it that is written.

        A table is entered by its keys. A list of tables is entered by their `id:`, and any list by the number of its
        item, counted from 0.
        """
        node, line = self._root, self._root.place.line
        for name in path:
            found = _step(node, name)
            if found is None:
                break
            line, node = found
        return line


def _step(node: Node, name: str) -> tuple[int, Node] | None:
    match node:
        case Mapping(entries=entries):
            return next(((key.place.line, value) for key, value in entries if key.text == name), None)
        case Sequence(items=items):
            named = next((item for item in items if _id_of(item) == name), None)
            if named is None and name.isdecimal() and int(name) < len(items):
                named = items[int(name)]
            return None if named is None else (named.place.line, named)
        case Scalar():
            return None


def _id_of(node: Node) -> str | None:
    if not isinstance(node, Mapping):
        return None
    written = next((value for key, value in node.entries if key.text == "id"), None)
    return written.text if isinstance(written, Scalar) and written.kind is Kind.TEXT else None
