"""When the entries of a log were made, by the keys that should have signed them."""

import struct
from collections.abc import Sequence
from typing import Final

from extproc.audit.checks.jobs import Span

AT: Final = struct.Struct("<d").unpack_from
"""Reads a double of protobuf."""
LATEST_S: Final = 253_402_300_800.0
"""The year 10000, which no calendar reaches: a log that says so has no time that anything could be held against."""


class Spans:
    """The earliest and latest times of entries, anew from every turn: where another key begins to sign."""

    def __init__(self) -> None:
        self._done: list[Span] = []
        self._first = -1
        self._earliest_s = self._latest_s = 0.0
        self._earliest = self._latest = 0

    def turn(self, index: int, at_s: float) -> None:
        """Say that the entry just taken is the first of another key."""
        if self._first < index:
            # It was counted with those before it too; that widens their span by one entry of the same moment.
            self._done.append(self._span())
        self._begin(index, at_s)

    def take(self, first: int, times: Sequence[float]) -> None:
        """Take up the times of entries that follow each other, the first of them at index `first`."""
        if not times:
            return
        if self._first < 0:
            self._begin(first, times[0])
        latest_s, earliest_s = max(times), min(times)
        if latest_s > self._latest_s:
            self._latest_s, self._latest = latest_s, first + times.index(latest_s)
        if earliest_s < self._earliest_s:
            self._earliest_s, self._earliest = earliest_s, first + times.index(earliest_s)

    def all(self) -> tuple[Span, ...]:
        """Give them in order."""
        return (*self._done, self._span()) if self._first >= 0 else ()

    def _span(self) -> Span:
        return Span(
            first=self._first,
            earliest_s=self._earliest_s,
            earliest=self._earliest,
            latest_s=self._latest_s,
            latest=self._latest,
        )

    def _begin(self, index: int, at_s: float) -> None:
        self._first = self._earliest = self._latest = index
        self._earliest_s = self._latest_s = at_s
