"""How much of what a cell can compute it was given lately, and the header that says so.

A run counts for as much as it was full: one that could have taken more rows leaves room, and a full one, one that
nobody can join, and one that left somebody waiting leave none. Time busy alone would be no measure: with batching a
session can be busy all the time and still serve many times as much. So the report may be low, and is never too high.

SPEC: xds.data.orca.v3.OrcaLoadReport in the text form of the header `endpoint-load-metrics`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp
from typing import Final

WINDOW_S: Final = 1.0
"""About how far back it looks: what was so long ago counts for about a third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`utilization` from 0 to 1, and how many requests are `queued`."""

    utilization: float
    queued: int

    def as_text(self) -> bytes:
        """Write the header's value."""
        return b"TEXT application_utilization=%.3f,named_metrics.queue_depth=%d" % (self.utilization, self.queued)


def together(loads: Iterable[Load]) -> Load:
    """Give the load of a cell from those of its models: the fullest one, because none can lend to another."""
    each = list(loads)
    return Load(
        utilization=max((load.utilization for load in each), default=0.0), queued=sum(load.queued for load in each)
    )


class Fullness:
    """How full runs were over about the last second. Times are monotonic seconds."""

    def __init__(self, now_s: float) -> None:
        self._mean = 0.0
        self._level = 0.0
        self._since_s = now_s

    def set(self, level: float, now_s: float) -> None:
        """Be as full as `level`, from 0 (idle) to 1, from now on."""
        self._mean = self.at(now_s)
        self._level = level
        self._since_s = now_s

    def at(self, now_s: float) -> float:
        """Give the mean, in which what is longer ago counts for less."""
        kept = exp(-max(0.0, now_s - self._since_s) / WINDOW_S)
        return self._level + (self._mean - self._level) * kept
