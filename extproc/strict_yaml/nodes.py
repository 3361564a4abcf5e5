"""Bytes to a tree of nodes with places, refusing all of YAML that can surprise.

Reads libyaml's events and not constructed objects: nothing is built from a tag, and an alias cannot multiply. Events
are the same in all versions of YAML but for line breaks that nobody sees, which are refused; what a plain scalar is
follows YAML 1.2.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from extproc.strict_yaml.problems import DocumentError, Place, Problem

MAX_SIZE: Final = 16 << 20
"""Largest document, in bytes (16 MiB): a policy of more than a hundred thousand tenants."""

MAX_DEPTH: Final = 32
"""Deepest nesting of lists and tables."""

_STUMBLES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError)

MAX_TEXT_SHOWN: Final = 60
"""Longest quotation of a document in a message, in characters."""


class Kind(Enum):
    """What a node is, in the words of messages."""

    TEXT = "text"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    EMPTY = "empty"
    LIST = "a list"
    TABLE = "a table"
    FAULTY = "faulty"
    """Reported where it was read; nothing more is to be said of it."""


# Named tuples, because a policy of a hundred thousand tenants has two million nodes: a frozen dataclass takes three
# times as long to make.
class Scalar(NamedTuple):
    """A single value as it was written, without its quotes."""

    place: Place
    kind: Kind
    text: str


class Sequence(NamedTuple):
    """A list."""

    place: Place
    items: "tuple[Node, ...]"


class Mapping(NamedTuple):
    """A table: keys in the order of the document, none twice."""

    place: Place
    entries: "tuple[tuple[Scalar, Node], ...]"


Node: TypeAlias = Scalar | Sequence | Mapping

# SPEC: YAML 1.2.2 section 10.3.2, tag resolution of the core schema, for plain scalars.
_CORE: Final = (
    (Kind.EMPTY, re.compile(r"(?:~|null|Null|NULL|)")),
    (Kind.BOOLEAN, re.compile(r"true|True|TRUE|false|False|FALSE")),
    (Kind.INTEGER, re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        Kind.NUMBER,
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        ),
    ),
)

_NOT_TEXT: Final = frozenset("~nNtTfF+-.0123456789")
"""What all of these begin with. Most plain scalars do not, and are told to be texts by this alone."""

# SPEC: YAML 1.2.2 section 5.1, the characters that are not printable; and the three that were line breaks in YAML 1.1
# and are none in 1.2, so that two readers would see two documents.
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")


def parse_nodes(data: bytes, file: str) -> tuple[Node, list[Problem]]:
    """Parse one document into its tree and the faults that leave a tree to go on with.

    Raises DocumentError where they leave none: too large, not UTF-8, not YAML, empty, or several documents.
    """
    return _Tree(file).parse(_decoded(data, file))


def quoted(text: str) -> str:
    """Quote a part of a document for a message: on one line, cut short, and printable."""
    shown = text if len(text) <= MAX_TEXT_SHOWN else text[:MAX_TEXT_SHOWN] + "…"
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown) + "'"


def _decoded(data: bytes, file: str) -> str:
    if len(data) > MAX_SIZE:
        raise DocumentError(
            [
                Problem(
                    Place(file, 1, 1), f"the file is larger than {MAX_SIZE} bytes", "split it, or name the right file"
                )
            ]
        )
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, before = data.count(b"\n", 0, error.start) + 1, data[data.rfind(b"\n", 0, error.start) + 1 : error.start]
        place = Place(file, line, len(before.decode(errors="replace")) + 1)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise DocumentError([Problem(place, message, "save the file as UTF-8")]) from None
    found = _UNPRINTABLE.search(decoded)
    if found:
        at = found.start()
        place = Place(file, decoded.count("\n", 0, at) + 1, at - decoded.rfind("\n", 0, at))
        message = f"the character U+{ord(found[0]):04X} may not stand in a document"
        raise DocumentError([Problem(place, message, "remove it")])
    return decoded


class _Tree:
    """Builds the tree from events. Holds the file's name and the faults found so far."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._lines = 0
        """Number of the last line, from 0."""
        self._decoded = ""

    def parse(self, decoded: str) -> tuple[Node, list[Problem]]:
        # The events carry no types of their own, so they are Any up to here and no further.
        self._lines = decoded.count("\n") - decoded.endswith("\n")
        self._decoded = decoded
        events: Iterator[Any] = yaml.parse(decoded, Loader=yaml.CBaseLoader)
        root: Node | None = None
        try:
            for event in events:
                if isinstance(event, DocumentStartEvent):
                    if root is not None:
                        self._stop(event, "a second document starts here", "keep one document in each file")
                    if event.version or event.tags:
                        self._report(event, "the document has a %-directive", "remove the lines that start with %")
                    root = self._node(next(events), events, 1)
        except MarkedYAMLError as error:
            self._stop_at_error(error)
        except (YAMLError, *_STUMBLES) as error:
            # Where the library itself stumbles over a document, the document is still what has to change.
            where = Place(self._file, 1, 1)
            raise self._error(Problem(where, f"not readable as YAML ({error})", "write plainer YAML")) from error
        if root is None or (isinstance(root, Scalar) and root.kind is Kind.EMPTY):
            raise self._error(Problem(Place(self._file, 1, 1), "the document is empty", "write its fields"))
        return root, self._problems

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:  # noqa: ANN401 - see parse
        mark = event.start_mark
        place = Place(self._file, mark.line + 1, mark.column + 1)
        if isinstance(event, AliasEvent):
            self._report(event, f"the alias *{event.anchor} stands for another part", "write that part out here")
            return Scalar(place, Kind.FAULTY, "")
        if event.anchor is not None:
            self._report(event, f"the anchor &{event.anchor} names a part", "remove it: nothing may refer to it")
        if event.tag is not None:
            self._report(event, f"the tag {event.tag} sets a type", "remove it: the field sets the type")
        if isinstance(event, ScalarEvent):
            return Scalar(place, Kind.TEXT if event.style else _kind(event.value), event.value)
        if depth > MAX_DEPTH:
            self._stop(event, f"lists and tables are nested deeper than {MAX_DEPTH}", "nest less")
        if isinstance(event, SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(events), SequenceEndEvent):
                items.append(self._node(event, events, depth + 1))
            return Sequence(place=place, items=tuple(items))
        if not isinstance(event, MappingStartEvent):
            raise TypeError(f"unexpected {type(event).__name__}")
        return self._mapping(place, events, depth)

    def _mapping(self, place: Place, events: Iterator[Any], depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._node(event, events, depth + 1)
            node = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                self._problems.append(Problem(key.place, "a list or table stands as a key", "write a text as the key"))
            elif key.kind is Kind.FAULTY:
                pass
            elif key.kind is not Kind.TEXT:
                mend = f'write it in quotes: "{key.text}"' if key.text else "write the key before the colon"
                self._problems.append(Problem(key.place, f"the key {quoted(key.text)} is not text", mend))
            elif key.text in entries:
                first = entries[key.text][0].place
                message = f"the key {quoted(key.text)} was already given at line {first.line}"
                self._problems.append(Problem(key.place, message, "keep one of the two"))
            else:
                entries[key.text] = (key, node)
        return Mapping(place=place, entries=tuple(entries.values()))

    def _place(self, mark: Any) -> Place:  # noqa: ANN401 - see parse
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _report(self, event: Any, message: str, mend: str) -> None:  # noqa: ANN401 - see parse
        self._problems.append(Problem(self._place(event.start_mark), message, mend))

    def _stop(self, event: Any, message: str, mend: str) -> NoReturn:  # noqa: ANN401 - see parse
        raise self._error(Problem(self._place(event.start_mark), message, mend))

    def _stop_at_error(self, error: MarkedYAMLError) -> NoReturn:
        mark, context = error.problem_mark or error.context_mark, error.context_mark
        if mark is not None and mark.line > self._lines:
            # What misses its end is found behind the end of the file, and mended where it begins.
            inside = context is not None and context.line <= self._lines
            place = self._place(context) if inside else Place(self._file, self._lines + 1, 1)
        else:
            place = self._place(mark) if mark is not None else Place(self._file, 1, 1)
        message = " ".join(f"not YAML: {error.problem or error.context or 'it does not parse'}".split())
        mend = "check the indentation and the brackets, and quote a text that holds ': ' or ' #'"
        if mark is not None and self._decoded[mark.index : mark.index + 1] == "\t":
            message, mend = "not YAML: found a tab", "replace the tab by spaces"
        raise self._error(Problem(place, message, mend)) from error

    def _error(self, last: Problem) -> DocumentError:
        return DocumentError([*self._problems, last])


def _kind(plain: str) -> Kind:
    if plain and plain[0] not in _NOT_TEXT:
        return Kind.TEXT
    return next((kind for kind, pattern in _CORE if pattern.fullmatch(plain)), Kind.TEXT)
