"""From the schema to Arrow's types and arrays, and on to Parquet."""

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any, Final, TypeAlias

from extproc.extra import load_extra
from extproc.parquet.schema import PLACE, Column, Kind, Table

ArrowTable: TypeAlias = Any
"""A `pyarrow.Table`; the library has no annotations."""
ArrowSchema: TypeAlias = Any
ArrowArray: TypeAlias = Any
ArrowType: TypeAlias = Any
Value: TypeAlias = Any
"""A value of a row: what the column's kind says, a list of it, or a list of tuples for structs; None for null."""

VERSION_KEY: Final = b"situs.schema"
RANGE_KEY: Final = b"situs.range"
"""Metadata of a file: the Merkle root over the entries of its part, in hex."""


def schema_of(table: Table) -> ArrowSchema:
    """Give the Arrow schema of a table; each field says its meaning in its metadata."""
    pa = load_extra("pyarrow")
    fields = [_field(column) for column in table.all_columns]
    return pa.schema(fields, metadata={b"meaning": table.meaning})


def _field(column: Column) -> ArrowType:
    pa = load_extra("pyarrow")
    nullable = column not in PLACE or column.name == "made_at"
    return pa.field(column.name, type_of(column), nullable=nullable, metadata={b"meaning": column.meaning})


def type_of(column: Column) -> ArrowType:
    """Give the Arrow type of a column."""
    pa = load_extra("pyarrow")
    if column.fields:
        return pa.list_(pa.struct([(each.name, type_of(each)) for each in column.fields]))
    plain = {
        Kind.TEXT: pa.string(),
        Kind.INT: pa.int64(),
        Kind.FLOAT: pa.float64(),
        Kind.BOOL: pa.bool_(),
        Kind.TIME: pa.timestamp("us", tz="UTC"),
    }[column.kind]
    return pa.list_(plain) if column.many else plain


def array_of(column: Column, values: Sequence[Value]) -> ArrowArray:
    """Turn the values of a column into an array."""
    pa = load_extra("pyarrow")
    if not column.fields:
        return pa.array(values, type_of(column))
    flat = list(chain.from_iterable(values))
    # Field by field: an order of magnitude faster than a dict for each struct.
    parts = list(zip(*flat, strict=True)) if flat else [()] * len(column.fields)
    structs = pa.StructArray.from_arrays(
        [array_of(each, part) for each, part in zip(column.fields, parts, strict=True)],
        fields=list(type_of(column).value_type),
    )
    offsets = pa.array(accumulate(map(len, values), initial=0), pa.int32())
    return pa.ListArray.from_arrays(offsets, structs).cast(type_of(column))
