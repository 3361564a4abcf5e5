"""When service was there again: pure functions of requests in the order in which they were sent.

Times are seconds of one clock, which nobody sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

HOLD_S: Final = 1.0
"""Service is there again when it stays for so long."""
FIRST_S: Final = 0.25
"""How service begins is seen in so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request: when it was sent, when its answer was there, and whether that was as it should be."""

    at_s: float
    ended_s: float
    proper: bool


def recovered(
    sent: Sequence[Sent], since_s: float, *, share: float = 1.0, at_first: float = 0.0, hold_s: float = HOLD_S
) -> Sent | None:
    """Give the first request since `since_s` that was served properly, with those of the next `hold_s` seconds.

    So many of these as `share` says must be proper, and all of them must have been sent: where the drill ends within
    `hold_s`, nothing is known. Where `share` is less than all, what comes later in that second could make up for what
    is still slow at its begin: so `at_first` is the share of its first :data:`FIRST_S`. None where there is no such
    request.
    """
    later = sorted((each for each in sent if each.at_s >= since_s), key=lambda each: each.at_s)
    proper = list(accumulate((each.proper for each in later), initial=0))
    end = first = 0
    for index, each in enumerate(later):
        while end < len(later) and later[end].at_s < each.at_s + hold_s:
            end += 1
        if end == len(later):
            return None
        while later[first].at_s < each.at_s + FIRST_S:
            first += 1
        is_begun = proper[first] - proper[index] >= at_first * (first - index)
        if each.proper and is_begun and proper[end] - proper[index] >= share * (end - index):
            return each
    return None


def relapses(sent: Sequence[Sent], after: Sent, *, share: float = 1.0, hold_s: float = HOLD_S) -> int:
    """Count what was not served properly although service was there again, in seconds that had too few proper ones."""
    later = sorted((each for each in sent if each.at_s >= after.at_s), key=lambda each: each.at_s)
    count = 0
    while later:
        until_s = later[0].at_s + hold_s
        window = [each for each in later if each.at_s < until_s]
        improper = sum(not each.proper for each in window)
        if len(window) - improper < share * len(window):
            count += improper
        later = later[len(window) :]
    return count
