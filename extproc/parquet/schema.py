"""What a table and a column are, and what all tables have. The tables are in :mod:`extproc.parquet.tables`.

Owns names, types and meanings, without any library. A column never changes its meaning within one version; a new
meaning takes a new name, and :data:`SCHEMA_VERSION` counts up when a column goes or changes its type.

Every table begins with the same columns (:data:`PLACE`), which tell where the record stands, and every table has the
column `date` by its folder: the day of `made_at` in UTC. Nothing is here that is not in the records.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SCHEMA_VERSION: Final = 2


class Kind(StrEnum):
    """The type of a value."""

    TEXT = "text"
    INT = "bigint"
    FLOAT = "double"
    BOOL = "boolean"
    TIME = "timestamp"
    """To the microsecond, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. With `many` it is a list of values; with `fields`, a list of structs of these."""

    name: str
    kind: Kind
    meaning: str
    many: bool = False
    fields: tuple["Column", ...] = ()

    @property
    def type(self) -> str:
        """The type as SQL writes it."""
        if self.fields:
            inner = ", ".join(f"{each.name} {each.type}" for each in self.fields)
            return f"struct({inner})[]"
        return f"{self.kind}[]" if self.many else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: `columns` after those of :data:`PLACE`."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column but `date`, which is a folder's name."""
        return (*PLACE, *self.columns)


def text_column(name: str, meaning: str) -> Column:
    """Make a column of texts."""
    return Column(name=name, kind=Kind.TEXT, meaning=meaning)


def texts_column(name: str, meaning: str) -> Column:
    """Make a column of lists of texts."""
    return Column(name=name, kind=Kind.TEXT, meaning=meaning, many=True)


def int_column(name: str, meaning: str) -> Column:
    """Make a column of whole numbers."""
    return Column(name=name, kind=Kind.INT, meaning=meaning)


def float_column(name: str, meaning: str) -> Column:
    """Make a column of numbers."""
    return Column(name=name, kind=Kind.FLOAT, meaning=meaning)


def bool_column(name: str, meaning: str) -> Column:
    """Make a column of truths."""
    return Column(name=name, kind=Kind.BOOL, meaning=meaning)


def time_column(name: str, meaning: str) -> Column:
    """Make a column of times."""
    return Column(name=name, kind=Kind.TIME, meaning=meaning)


def structs_column(name: str, meaning: str, *fields: Column) -> Column:
    """Make a column of lists of structs."""
    return Column(name=name, kind=Kind.TEXT, meaning=meaning, many=True, fields=fields)


PLACE: Final = (
    text_column("log", "folder of the log in the archive: <node>/<worker>/<incarnation>"),
    text_column("origin", "name of the log, as in its checkpoints"),
    int_column("index", "index of the entry in its log, from 0; with log it names the record"),
    time_column("made_at", "when the entry was made, by the writer's clock; of a decision: when it was decided"),
    text_column("leaf", "the entry's leaf hash in hex: SHA-256 of a zero byte and the stored bytes"),
)
