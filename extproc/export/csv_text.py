"""Rows as CSV that a spreadsheet cannot be tricked by.

SPEC: RFC 4180. Beyond it: a text that a spreadsheet would take for a formula gets an apostrophe before it, because
records hold names that clients and tenants chose.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first four as East Asian keyboards write them, which spreadsheets take for the same."""


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Give a header and the rows, each as one line of text that ends in CR LF."""
    buffer = io.StringIO()
    # All in quotes: a spreadsheet that takes semicolons for borders would find cells of its own within a text.
    writer = csv.writer(buffer, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    for row in [list(columns)]:
        writer.writerow([_neutral(name) for name in row])
    for each in rows:
        yield _drain(buffer)
        writer.writerow([cell_of(value) for value in each])
    yield _drain(buffer)


def cell_of(value: object) -> str:
    """Write one value: nothing for null, texts made harmless, times in ISO 8601, lists and structs as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _neutral(value)
        case int() | float() | Decimal():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case _:
            return json.dumps(value, default=plain, ensure_ascii=False, separators=(",", ":"))


def plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Give what JSON cannot hold as what it can."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _neutral(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
