"""The readers: what a field may hold, put together from small functions.

A reader takes a value and gives what it means, or refuses it with a message and a mend.
"""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Final, TypeAlias, TypeVar

from extproc.strict_yaml.nodes import Kind, quoted
from extproc.strict_yaml.problems import UnfitError
from extproc.strict_yaml.values import Field, Table, Value, nearest

T = TypeVar("T")
K = TypeVar("K")
E = TypeVar("E", bound=StrEnum)

Reader: TypeAlias = Callable[[Value], T]

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,3})?")
# Characters that a reader of the file does not see, or that reorder what is seen (Unicode TR 36): control characters
# but tab and newline, directional controls, surrogates, zero-width ones.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff]"
)


def text(value: Value) -> str:
    """Read a text: not blank, without characters that cannot be seen."""
    written = value.scalar(Kind.TEXT)
    if not written.strip():
        value.refuse("the text is empty", "write a text, or remove the field")
    # All of them are unprintable, which most texts are told not to be faster than by a search.
    hidden = None if written.isprintable() else _INVISIBLE.search(written)
    if hidden:
        value.refuse(f"the text holds the invisible character U+{ord(hidden[0]):04X}", "remove it")
    return written


def boolean(value: Value) -> bool:
    """Read `true` or `false`. `yes`, `on` and quoted words are texts, so they are refused."""
    return value.scalar(Kind.BOOLEAN).lower() == "true"


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Reader[int]:
    """Make a reader of whole numbers in decimal within inclusive bounds."""

    def read(value: Value) -> int:
        written = value.scalar(Kind.INTEGER)
        if not _INTEGER.fullmatch(written):
            value.refuse(
                f"{quoted(written)} is not a plain whole number", "write decimal digits, without leading zeros"
            )
        number = int(written)
        _check_bounds(value, number, minimum, maximum)
        return number

    return read


def number(*, minimum: float | None = None, maximum: float | None = None) -> Reader[float]:
    """Make a reader of finite numbers within inclusive bounds."""

    def read(value: Value) -> float:
        written = value.scalar(Kind.NUMBER, Kind.INTEGER)
        if not _NUMBER.fullmatch(written) or not math.isfinite(float(written)):
            value.refuse(f"{quoted(written)} is not a plain number", "write it like 8 or 0.5")
        number = float(written)
        _check_bounds(value, number, minimum, maximum)
        return number

    return read


def choice(options: type[E]) -> Reader[E]:
    """Make a reader of one of the values of an enumeration."""
    known = [option.value for option in options]

    def read(value: Value) -> E:
        written = value.scalar(Kind.TEXT)
        if written not in known:
            guess = nearest(written, known)
            hint = f"did you mean '{guess}'? " if guess else ""
            value.refuse(f"{quoted(written)} is none of {', '.join(known)}", f"{hint}write one of {', '.join(known)}")
        return options(written)

    return read


def parsed(parse: Callable[[str], T]) -> Reader[T]:
    """Make a reader of texts that `parse` accepts; it raises UnfitError for others."""

    def read(value: Value) -> T:
        try:
            return parse(text(value))
        except UnfitError as error:
            value.refuse(error.message, error.mend)

    return read


def table_of(build: Callable[[Table], T]) -> Reader[T]:
    """Make a reader of tables with known fields. Fields that `build` does not ask for are reported."""

    def read(value: Value) -> T:
        table = Table(value)
        try:
            return build(table)
        finally:
            table.close()

    return read


def list_of(read_item: Reader[T], *, minimum: int = 0) -> Reader[tuple[T, ...]]:
    """Make a reader of lists. All items are read before a faulty one refuses the list."""

    def read(value: Value) -> tuple[T, ...]:
        items = value.items()
        if len(items) < minimum:
            value.refuse(f"the list has {len(items)} items and needs {minimum}", "add what is missing")
        return _values([item.attempt(read_item) for item in items])

    return read


def one_or_list_of(read_item: Reader[T]) -> Reader[tuple[T, ...]]:
    """Make a reader of one item, or of a list of at least one."""

    def read(value: Value) -> tuple[T, ...]:
        return list_of(read_item, minimum=1)(value) if value.kind is Kind.LIST else (read_item(value),)

    return read


def entries_of(
    parse_key: Callable[[str], K], read_entry: Callable[[K, Value], T], *, minimum: int = 0
) -> Reader[dict[K, T]]:
    """Make a reader of tables whose keys are names that the document gives, such as those of regions."""

    def read(value: Value) -> dict[K, T]:
        entries = value.entries()
        if len(entries) < minimum:
            value.refuse(f"the table has {len(entries)} entries and needs {minimum}", "add what is missing")
        read_key = parsed(parse_key)

        def pair(key: Value, entry: Value) -> tuple[K, T]:
            name = read_key(key)
            return name, read_entry(name, entry)

        return dict(_values([Field.of(partial(pair, key, entry)) for key, entry in entries]))

    return read


def _values(fields: list[Field[T]]) -> tuple[T, ...]:
    return tuple([field.value for field in fields])


def _check_bounds(value: Value, number: float, minimum: float | None, maximum: float | None) -> None:
    if minimum is not None and number < minimum:
        value.refuse(f"{number:g} is less than {minimum:g}", f"write {minimum:g} or more")
    if maximum is not None and number > maximum:
        value.refuse(f"{number:g} is more than {maximum:g}", f"write {maximum:g} or less")
