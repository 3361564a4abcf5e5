"""Bytes to plain values, JSON or YAML, as Envoy and Kubernetes would read them and no wider.

Owns the bounds (size, depth, number of values), the refusal of keys that stand twice, and the place of every error.
Scalars follow what Envoy's own reader does, because a `yes` that it takes for true must not be a text to the linter.

SPEC: RFC 8259; YAML 1.1 as yaml-cpp reads it (no merge keys, keys are texts).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn

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
    StreamEndEvent,
)

from extproc.mesh.check.node import Json
from extproc.strict_yaml import DocumentError, Place, Problem

MOST_BYTES: Final = 64 << 20
"""Largest document (64 MiB): the dump of a proxy in a mesh of some thousand services."""
MOST_YAML_BYTES: Final = 16 << 20
"""Largest one that is not JSON: nobody writes more by hand, and YAML is read a hundred times more slowly."""
MOST_DEPTH: Final = 100
"""SPEC: protobuf's own limit of nesting."""
MOST_VALUES: Final = 4_000_000
"""With every alias counted as often as it stands for something, so that a few lines cannot become gigabytes."""

_TRUE: Final = frozenset("true True TRUE yes Yes YES on On ON y Y".split())
_FALSE: Final = frozenset("false False FALSE no No NO off Off OFF n N".split())
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER: Final = re.compile(r"[-+]?(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,20})")
_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,4})?")
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_STUMBLES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class Document(NamedTuple):
    """A value and the line at which it begins."""

    value: Json
    line: int


def parse_documents(data: bytes, file: str) -> tuple[Document, ...]:
    """Parse all documents of a file; those that are empty are left out. Raises DocumentError."""
    if len(data) > MOST_BYTES:
        refuse(file, f"the file is larger than {MOST_BYTES >> 20} MiB", "name the right file, or give parts of it")
    text = _decoded(data, file)
    fault: Problem | None = None
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant, parse_float=_finite)
        except json.JSONDecodeError as error:
            fault = Problem(Place(file, error.lineno, error.colno), f"not JSON: {error.msg}", "write it as JSON")
        except (ValueError, RecursionError) as error:
            fault = Problem(Place(file, 1, 1), f"not JSON: {error}", "write it as JSON")
        else:
            _check(value, file, halves=bool(_HALF.search(text)))
            return (Document(value, 1),)
    if len(data) > MOST_YAML_BYTES:
        if fault is not None:
            raise DocumentError([fault])
        refuse(file, f"YAML of more than {MOST_YAML_BYTES >> 20} MiB", "give it as JSON, or in several files")
    # What JSON refuses may be YAML in braces; and of what is neither, YAML's reader knows the place.
    return tuple(_Reader(file).read(text))


def refuse(file: str, message: str, mend: str, line: int = 1) -> NoReturn:
    """Say that a file cannot be judged. Raises DocumentError."""
    raise DocumentError([Problem(Place(file, line, 1), message, mend)])


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        mend = "save it as UTF-8; a binary protobuf is not read, so give it as YAML or JSON"
        refuse(file, f"byte 0x{data[error.start]:02x} is not UTF-8", mend, line)


def _no_key_twice(pairs: Sequence[tuple[str, Json]]) -> Mapping[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{twice[:60]}' stands twice in one object")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(f"{written[:60]} is larger than any number")
    return value


def _check(value: Json, file: str, *, halves: bool) -> None:
    """Refuse what is too deep, and halves of characters, which could not even be printed."""
    level: list[Json] = [value]
    for _ in range(MOST_DEPTH):
        below: list[Json] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
                if halves:
                    below.extend(each)
            elif isinstance(each, list):
                below.extend(each)
            elif halves and isinstance(each, str) and not _is_whole(each):
                refuse(file, "a text holds half of a character (a lone surrogate)", "write the whole character")
        if not below:
            return
        level = below
    refuse(file, f"objects are nested deeper than {MOST_DEPTH}", "nest less: Envoy would refuse it too")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Reader:
    """Reads one stream of YAML from libyaml's events: nothing is built from a tag, and an alias cannot multiply."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._named: dict[str, tuple[Json, int]] = {}
        """What an anchor of this document names, and of how many values it is."""
        self._values = 0

    def read(self, text: str) -> Iterator[Document]:
        # The events carry no types of their own, so they are Any up to here and no further.
        events: Iterator[Any] = yaml.parse(text, Loader=yaml.CBaseLoader)
        try:
            for event in events:
                if isinstance(event, DocumentStartEvent):
                    self._named.clear()
                    first = next(events)
                    value = self._value(first, events, 1)
                    if value is not None:
                        yield Document(value, first.start_mark.line + 1)
                elif isinstance(event, StreamEndEvent):
                    return
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file, 1, 1)
            message = " ".join(f"not YAML: {error.problem or error.context or 'it does not parse'}".split())
            mend = "check the indentation and the brackets; templates must be rendered first"
            raise DocumentError([Problem(place, message, mend)]) from error
        except (YAMLError, *_STUMBLES) as error:
            message = " ".join(f"not readable as YAML ({error})".split())
            raise DocumentError([Problem(Place(self._file, 1, 1), message, "write plainer YAML")]) from error

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> Json:  # noqa: ANN401 - see read
        if isinstance(event, AliasEvent):
            if event.anchor not in self._named:
                self._stop(event, f"the alias *{event.anchor} has no anchor before it", "write the part out")
            value, count = self._named[event.anchor]
            self._count(event, count)
            return value
        if event.tag is not None and event.tag not in ("tag:yaml.org,2002:str", "!"):
            self._stop(event, f"the tag {event.tag} sets a type", "remove it: the field sets the type")
        before = self._values
        self._count(event, 1)
        if isinstance(event, ScalarEvent):
            value = event.value if event.style or event.tag else plain_scalar(event.value)
        elif depth > MOST_DEPTH:
            self._stop(event, f"lists and tables are nested deeper than {MOST_DEPTH}", "nest less")
        elif isinstance(event, SequenceStartEvent):
            value = self._list(events, depth)
        elif isinstance(event, MappingStartEvent):
            value = self._table(events, depth)
        else:
            raise TypeError(f"unexpected {type(event).__name__}")
        if event.anchor is not None:
            self._named[event.anchor] = (value, self._values - before)
        return value

    def _list(self, events: Iterator[Any], depth: int) -> Json:
        items: list[Json] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._value(event, events, depth + 1))
        return items

    def _table(self, events: Iterator[Any], depth: int) -> Json:
        fields: dict[str, Json] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._stop(event, "a list, a table or an alias stands as a key", "write a text as the key")
            name: str = event.value
            if name == "<<" and not event.style:
                self._stop(event, "a merge key (<<), which Envoy does not merge", "write the fields out")
            if name in fields:
                self._stop(event, f"the key '{name[:60]}' stands twice in one table", "keep one of the two")
            fields[name] = self._value(next(events), events, depth + 1)
        return fields

    def _count(self, event: Any, values: int) -> None:  # noqa: ANN401 - see read
        self._values += values
        if self._values > MOST_VALUES:
            self._stop(event, f"more than {MOST_VALUES} values, with aliases written out", "use fewer aliases")

    def _stop(self, event: Any, message: str, mend: str) -> NoReturn:  # noqa: ANN401 - see read
        mark = event.start_mark
        raise DocumentError([Problem(Place(self._file, mark.line + 1, mark.column + 1), message, mend)])


def plain_scalar(written: str) -> Json:
    """Tell what a text without quotes is."""
    if written in _NULL:
        return None
    if written in _TRUE or written in _FALSE:
        return written in _TRUE
    if _INTEGER.fullmatch(written):
        digits = written.lstrip("+-")
        # ENVOY: a leading zero makes it octal, as in C.
        base = 16 if digits[:2] == "0x" else 8 if re.fullmatch("0[0-7]+", digits) else 10
        return int(digits, base) * (-1 if written[0] == "-" else 1)
    if _NUMBER.fullmatch(written):
        number = float(written)
        return number if math.isfinite(number) else written
    return written
