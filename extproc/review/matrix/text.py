"""The matrix as text, for a terminal: one letter for each region."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from extproc.core.ids import RegionId
from extproc.review.matrix.model import MARKS, Matrix, Row, Section
from extproc.review.words import format_moment, joined

_LEAST_LABEL: Final = 30
_LABEL: Final = 46
_GAP: Final = 2


def format_text(matrix: Matrix, width: int = 100) -> Iterator[str]:
    """Write the lines, none wider than `width` columns as far as words allow."""
    yield f"{matrix.policy} version {matrix.version} ({matrix.profile}) on {format_moment(matrix.at_s)}"
    yield matrix.revision
    ids = [region.id for region in matrix.regions]
    for section in matrix.sections:
        yield ""
        yield from wrap(_title(section), width)
        for names, first in _blocks(ids, width):
            yield from _table(section, names, first, width)
    yield ""
    used = {cell.mark for section in matrix.sections for row in section.rows for cell in row.cells}
    for mark in MARKS:
        if mark in used:
            yield f"  {mark.letter}  {mark.meaning}"


def _title(section: Section) -> str:
    tenants = f"{'tenant' if len(section.tenants) == 1 else 'tenants'} {joined(section.tenants)}"
    declared = "" if section.declared is None else f" (declared {section.declared})"
    return f"{tenants}, {' and '.join(section.data)} data{declared}, model {section.model}"


def _blocks(ids: list[RegionId], width: int) -> Iterator[tuple[list[RegionId], int]]:
    """Cut the regions into as many as fit, at one column each."""
    fit = max(1, width - _LEAST_LABEL - _GAP)
    for first in range(0, len(ids), fit):
        yield ids[first : first + fit], first


def _table(section: Section, names: list[RegionId], first: int, width: int) -> Iterator[str]:
    across = sum(len(name) + 1 for name in names)
    whole = across + _LEAST_LABEL + _GAP <= width
    # Names that do not fit side by side stand upright, over columns as wide as there is room for.
    wide = 2 if 2 * len(names) + _LEAST_LABEL + _GAP <= width else 1
    widths = [len(name) + 1 if whole else wide for name in names]
    label = min(_LABEL, width - sum(widths) - _GAP)
    blank = " " * (label + _GAP)
    if whole:
        yield (blank + "".join(name.ljust(n) for name, n in zip(names, widths, strict=True))).rstrip()
    else:
        for level in range(max(map(len, names))):
            yield (blank + "".join(name[level : level + 1].ljust(wide) for name in names)).rstrip()
    for row in section.rows:
        yield from _row(row, widths, first, label=label)


def _row(row: Row, widths: list[int], first: int, *, label: int) -> Iterator[str]:
    words = wrap(row.words, label, break_long_words=True) or [""]
    marks = "".join(
        cell.mark.letter.ljust(n) for cell, n in zip(row.cells[first : first + len(widths)], widths, strict=False)
    )
    refused = "" if row.refusal is None else f"refused: {row.refusal}"
    if not marks:
        marks, refused = refused, ""
    yield f"{words[0].ljust(label)}{' ' * _GAP}{marks}".rstrip()
    for line in words[1:]:
        yield f"{line.ljust(label)}{' ' * _GAP}{refused}".rstrip()
        refused = ""
    if refused:
        yield f"{' ' * (label + _GAP)}{refused}"
