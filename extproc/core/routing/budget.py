"""A region's budget of requests in flight: it grows a little while the region is used and well, and shrinks at once.

Additive increase, multiplicative decrease, as in congestion control (RFC 5681), where the sign of congestion is that
the latest attempts together took longer than the region's own baseline, or failed. Declared capacity only says where to
begin.
"""

from math import inf
from typing import Final, NamedTuple

SEED: Final = 128.0
"""Where a budget begins of which nothing is declared."""
LEAST: Final = 2.0
MOST: Final = 10_000.0
USED: Final = 0.8
"""A budget grows only while so much of it is used: what was never tried shows nothing."""
IDLE: Final = 0.4
"""A budget of which less is used fades: it would let in too much before the first sign of congestion."""
FADING: Final = 0.002
"""By which share, with each request that goes well."""
FADED: Final = 12.0
"""Not below this: what comes all at once after a quiet night must find room."""
SEEK: Final = 0.25
"""By how much a budget grows at least with each request that goes well, once nothing was wrong for SEEK_AFTER_S."""
SEEK_AFTER_S: Final = 5.0
NEEDED: Final = 0.5
"""A budget shrinks only while so much of it is used."""
DECREASE: Final = 0.8
"""What is left of a budget after a sign of congestion."""
PLUNGE: Final = 0.5
"""What is left of a budget when the region fails or is far slower than at its best."""
KEPT: Final = 0.2
"""The share of what once went well that is kept whatever happens: a region that got slower by itself, and not by what
is sent there, has at least as many requests in flight as before for the same work."""
DECREASE_PERIOD_S: Final = 0.25
"""A budget shrinks at most once in so long: the requests of one moment tell of one congestion."""


class Budget(NamedTuple):
    """How many requests may be in flight in a region.

    `seeking` until the first congestion: until then it may be far above what was ever used. `proven` is the size to
    which it last grew. A named tuple, because most attempts make one.
    """

    size: float = SEED
    seeking: bool = True
    decreased_at_s: float = -inf
    proven: float = 0.0


def seeded(capacity: int | None) -> Budget:
    """Give the budget that a region begins with."""
    return Budget(size=SEED if capacity is None else max(LEAST, float(capacity)))


def grown(budget: Budget, in_flight: int, *, now_s: float = inf) -> Budget:
    """Give the budget after a request went well, while `in_flight` were there."""
    size = budget.size
    if in_flight < IDLE * size and size > FADED:
        kept = max(FADED, size * (1.0 - FADING))
        return Budget(kept, budget.seeking, budget.decreased_at_s, budget.proven)
    if in_flight < USED * size or size >= MOST:
        return budget
    size = min(MOST, size + max(SEEK if now_s - budget.decreased_at_s > SEEK_AFTER_S else 0.0, 1.0 / size))
    return Budget(size, budget.seeking, budget.decreased_at_s, size)


def shrunk(budget: Budget, in_flight: int, *, now_s: float) -> Budget:
    """Give the budget after a failure, or while the region is far slower than at its best."""
    return _shrunk(budget, in_flight, now_s, DECREASE_PERIOD_S, PLUNGE)


def eased(budget: Budget, in_flight: int, *, took_s: float, now_s: float) -> Budget:
    """Give the budget after a sign of congestion, while `in_flight` were there.

    `took_s` is how long a request takes now, and a decrease to show: nothing shrinks twice in that time. What is not
    used is not what is in the way, and stays.
    """
    if in_flight < NEEDED * budget.size:
        return budget
    return _shrunk(budget, in_flight, now_s, max(DECREASE_PERIOD_S, took_s), DECREASE)


def _shrunk(budget: Budget, in_flight: int, now_s: float, period_s: float, share: float) -> Budget:
    # A clock that was set back must not keep a budget from shrinking.
    if 0.0 <= now_s - budget.decreased_at_s < period_s:
        return budget
    # A seed that was never used says nothing; nor does a failure while little was there.
    size = min(budget.size, max(float(in_flight), FADED)) if budget.seeking else budget.size
    size = max(LEAST, KEPT * budget.proven, share * size)
    return Budget(size=size, seeking=False, decreased_at_s=now_s, proven=budget.proven)
