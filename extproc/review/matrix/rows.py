"""The matrix as CSV: one line for each tenant, class, model, place and region.

SPEC: RFC 4180, except that lines end in a line feed.
"""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Final

from extproc.review.matrix.model import Matrix
from extproc.review.words import format_moment

_HEADER: Final = (
    "policy", "version", "revision", "at", "tenant", "class", "model", "place",
    "region", "verdict", "rule", "citation", "refused", "not_verified",
)  # fmt: skip


def format_csv(matrix: Matrix) -> Iterator[str]:
    """Write the lines one at a time, the header first. A refused place has a line for each region all the same."""
    yield _line(_HEADER)
    stands = (matrix.policy, str(matrix.version), matrix.revision, format_moment(matrix.at_s))
    for section in matrix.sections:
        data = "+".join(section.data)
        for tenant in section.tenants:
            for row in section.rows:
                refused = "" if row.refusal is None else row.refusal.value
                for place in row.places:
                    who = (*stands, tenant, data, section.model, place)
                    for n, region in enumerate(matrix.regions):
                        cell = row.cells[n] if row.cells else None
                        said = ("undefined", refused, "") if cell is None else (cell.verdict, cell.rule, cell.cite)
                        doubtful = "" if cell is None else "; ".join(cell.unverified)
                        yield _line((*who, region.id, *said, refused, doubtful))


def _line(values: tuple[str, ...]) -> str:
    # A spreadsheet takes a text that begins so for a formula.
    safe = [f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value for value in values]
    written = StringIO()
    csv.writer(written, lineterminator="\n").writerow(safe)
    return written.getvalue()
