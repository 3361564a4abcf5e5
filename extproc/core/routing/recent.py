"""What the latest attempts in a region say together, so that no single one says anything by itself.

How much longer than usual they take is an average over about the latest fifteen, of logarithms that are cut off at both
ends. What was seen longer ago than EXPIRES_S is forgotten: a region to which nothing is sent must be tried again.
"""

from math import exp, log
from typing import Final, NamedTuple

CONGESTED: Final = log(1.75)
"""So many times its baseline, and a region is congested."""
SLOW: Final = log(2.5)
"""So many times the best that it was for long, and others may be faster."""
WEIGHT: Final = 0.125
"""Of the latest attempt in the average."""
AT_LEAST: Final = 4
"""So many attempts make an average."""
LEAST: Final = -1.0
MOST: Final = 2.0
"""As far does one attempt count."""
SPREAD_WEIGHT: Final = 1 / 64
"""Of the latest attempt in how much attempts differ among themselves."""
CONGESTED_SPREADS: Final = 1.4
SLOW_SPREADS: Final = 2.0
"""Where attempts differ much among themselves, the average must be as many mean deviations above what is usual."""
EXPIRES_S: Final = 5.0
"""After so long without an attempt, all of it is forgotten."""

JUDGED: Final = 20
"""How many of the latest attempts tell whether a promise is kept."""
JUDGED_AT_LEAST: Final = 5
_JUDGED_MASK: Final = (1 << JUDGED) - 1
_new: Final = tuple.__new__


class Recent(NamedTuple):
    """Averages of how much longer attempts took, as logarithms: than their baselines, and than at their best.

    `best` is the average of those bests, as a logarithm of seconds, and `spread` the mean deviation of one attempt from
    the average. `attempts` are counted up to AT_LEAST.
    """

    attempts: int
    slowness: float
    worse: float
    best: float
    spread: float
    at_s: float

    @property
    def is_congested(self) -> bool:
        """Tell whether requests wait."""
        slowness = self.slowness
        return slowness > CONGESTED and slowness > CONGESTED_SPREADS * self.spread and self.attempts >= AT_LEAST

    @property
    def is_slow(self) -> bool:
        """Tell whether the region is far slower than at its best."""
        worse = self.worse
        return worse > SLOW and worse > SLOW_SPREADS * self.spread and self.attempts >= AT_LEAST

    def excess_at(self, now_s: float) -> float:
        """Give how much longer than at its best the region takes now, in seconds; 0 unless it is slow."""
        if not self.is_slow or not 0.0 <= now_s - self.at_s < EXPIRES_S:
            return 0.0
        return exp(self.best) * (exp(self.worse) - 1.0)


NOTHING_RECENT: Final = Recent(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def seen(recent: Recent, slowness: float, worse: float, best: float, now_s: float) -> Recent:
    """Give the averages with another attempt."""
    slowness = LEAST if slowness < LEAST else min(slowness, MOST)
    worse = LEAST if worse < LEAST else min(worse, MOST)
    attempts, slowness_before, worse_before, best_before, spread, at_s = recent
    if not attempts or not 0.0 <= now_s - at_s < EXPIRES_S:
        # It begins at what is usual, so that one attempt that was slow says little.
        return Recent(1, WEIGHT * slowness, WEIGHT * worse, best, spread, now_s)
    # Not through the constructor, which takes three times as long. The fields are those of Recent, in their order.
    return _new(
        Recent,
        (
            attempts + 1 if attempts < AT_LEAST else attempts,
            slowness_before + WEIGHT * (slowness - slowness_before),
            worse_before + WEIGHT * (worse - worse_before),
            best_before + WEIGHT * (best - best_before),
            spread + SPREAD_WEIGHT * (abs(slowness - slowness_before) - spread),
            now_s,
        ),
    )


def forgotten(recent: Recent) -> Recent:
    """Begin anew, but for how much attempts differ among themselves."""
    return NOTHING_RECENT._replace(spread=recent.spread)


class Missing(NamedTuple):
    """Which of the latest attempts missed the latency that the policy promises."""

    missed: int
    judged: int
    at_s: float

    def at(self, now_s: float) -> bool:
        """Tell whether most did, as of `now_s`."""
        if self.judged < JUDGED_AT_LEAST or not 0.0 <= now_s - self.at_s < EXPIRES_S:
            return False
        return 2 * self.missed.bit_count() > self.judged


NOTHING_MISSING: Final = Missing(0, 0, 0.0)


def judged(missing: Missing, is_missed: bool, now_s: float) -> Missing:  # noqa: FBT001 - a bit
    """Give the latest judgements with another one."""
    if not 0.0 <= now_s - missing.at_s < EXPIRES_S:
        return Missing(int(is_missed), 1, now_s)
    return Missing((missing.missed << 1 | is_missed) & _JUDGED_MASK, min(JUDGED, missing.judged + 1), now_s)
