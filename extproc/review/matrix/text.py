"""The matrix as text, for a terminal: one letter for each region."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final, TypeAlias

from extproc.review.matrix.model import MARKS, Matrix, Row, Section
from extproc.review.words import format_moment, joined

_LEAST_LABEL: Final = 30
_LABEL: Final = 46
_GAP: Final = 2

_Columns: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
"""What stands over each column, and the indices of its regions."""


def format_text(matrix: Matrix, width: int = 100) -> Iterator[str]:
    """Write the lines, none wider than `width` columns as far as words allow."""
    yield f"{matrix.policy} version {matrix.version} ({matrix.profile}) on {format_moment(matrix.at_s)}"
    yield matrix.revision
    yield from wrap(matrix.notice, width, break_on_hyphens=False)
    columns: _Columns = tuple((str(region.id), (n,)) for n, region in enumerate(matrix.regions))
    if not _fit(columns, width):
        # Names that do not fit side by side are numbered, and regions that no row tells apart share a column.
        alike = _alike(matrix)
        columns = tuple((str(n), indices) for n, indices in enumerate(alike, 1))
        yield ""
        yield from _key(matrix, columns, width)
    for section in matrix.sections:
        yield ""
        yield from wrap(_title(section), width)
        for block in _blocks(columns, width):
            yield from _table(section, block, width)
    yield ""
    used = {cell.mark for section in matrix.sections for row in section.rows for cell in row.cells}
    for mark in MARKS:
        if mark in used:
            yield f"  {mark.letter}  {mark.meaning}"


def _title(section: Section) -> str:
    tenants = f"{'tenant' if len(section.tenants) == 1 else 'tenants'} {joined(section.tenants)}"
    declared = "" if section.declared is None else f" (declared {section.declared})"
    return f"{tenants}, {' and '.join(section.data)} data{declared}, model {section.model}"


def _alike(matrix: Matrix) -> list[tuple[int, ...]]:
    """Group the regions, by their indices, that have the same letter in every row of every section."""
    groups: dict[tuple[str, ...], list[int]] = {}
    rows = [row for section in matrix.sections for row in section.rows if row.cells]
    for n in range(len(matrix.regions)):
        groups.setdefault(tuple(row.cells[n].mark.letter for row in rows), []).append(n)
    return [tuple(group) for group in groups.values()]


def _key(matrix: Matrix, columns: _Columns, width: int) -> Iterator[str]:
    yield from wrap("regions (those that are alike in every row share a column)", width)
    wide = max(len(head) for head, _ in columns)
    for head, indices in columns:
        names = ", ".join(matrix.regions[n].id for n in indices)
        yield from wrap(
            names,
            width,
            initial_indent=f"  {head.rjust(wide)}  ",
            subsequent_indent=" " * (wide + 4),
            break_on_hyphens=False,
        )


def _fit(columns: _Columns, width: int) -> bool:
    return _LEAST_LABEL + _GAP + sum(len(head) + 1 for head, _ in columns) <= width


def _blocks(columns: _Columns, width: int) -> Iterator[_Columns]:
    """Cut the columns into as many as fit."""
    first = 0
    while first < len(columns):
        upto = first + 1
        while upto < len(columns) and _fit(columns[first : upto + 1], width):
            upto += 1
        yield columns[first:upto]
        first = upto


def _table(section: Section, columns: _Columns, width: int) -> Iterator[str]:
    label = min(_LABEL, width - sum(len(head) + 1 for head, _ in columns) - _GAP)
    yield (" " * (label + _GAP) + " ".join(head for head, _ in columns)).rstrip()
    for row in section.rows:
        yield from _row(row, columns, label=label)


def _row(row: Row, columns: _Columns, *, label: int) -> Iterator[str]:
    doubt = " (not verified)" if row.unverified else ""
    words = wrap(row.words + doubt, label, break_long_words=True) or [""]
    marks = "".join(row.cells[indices[0]].mark.letter.ljust(len(head) + 1) for head, indices in columns if row.cells)
    refused = "" if row.refusal is None else f"refused: {row.refusal}"
    if not marks:
        marks, refused = refused, ""
    yield f"{words[0].ljust(label)}{' ' * _GAP}{marks}".rstrip()
    for line in words[1:]:
        yield f"{line.ljust(label)}{' ' * _GAP}{refused}".rstrip()
        refused = ""
    if refused:
        yield f"{' ' * (label + _GAP)}{refused}"
