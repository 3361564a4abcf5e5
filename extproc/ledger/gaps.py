"""Gaps: the account of what was not recorded, until the log can take it.

Owns the counting alone, one count for each reason. Not safe for threads by itself: the intake's lock guards it.
"""

from dataclasses import dataclass
from enum import StrEnum

from extproc.ledger.entries import gap_to_entry


class GapReason(StrEnum):
    """Why entries were not recorded."""

    OVERFLOW = "overflow"
    """More waited than the queue holds."""
    FULL = "full"
    """The disk was below its full mark."""
    TOO_LARGE = "too_large"
    """It was larger than an entry can be."""
    UNSEALED = "unsealed"
    """What the policy has a record hold of a person could not be made, because the store of erasable keys failed."""


@dataclass(slots=True)
class _Lost:
    first_at_s: float
    last_at_s: float
    entries: int = 0
    released: int = 0


class Gaps:
    """Counts what was lost since the last time it was recorded."""

    def __init__(self) -> None:
        self._lost: dict[GapReason, _Lost] = {}

    def count(self, reason: GapReason, *, at_s: float, released: bool) -> None:
        """Count one entry that is lost; `released` when what it tells of went ahead all the same."""
        lost = self._lost.setdefault(reason, _Lost(at_s, at_s))
        lost.last_at_s = at_s
        lost.entries += 1
        lost.released += released

    def __bool__(self) -> bool:
        return bool(self._lost)

    def drain(self, *, at_s: float) -> list[bytes]:
        """Give the entries that say what was lost, one for each reason, and begin again."""
        lost, self._lost = self._lost, {}
        return [
            gap_to_entry(
                at_s=at_s,
                reason=reason,
                entries=each.entries,
                released=each.released,
                first_at_s=each.first_at_s,
                last_at_s=each.last_at_s,
            )
            for reason, each in lost.items()
        ]
