"""A region's budget of requests in flight: it grows a little while the region is used and well, and shrinks at once.

Additive increase, multiplicative decrease, as in congestion control (RFC 5681), where the sign of congestion is a failure
or a latency above the region's own baseline. Declared capacity only says where to begin.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Final

SEED: Final = 128.0
"""Where a budget begins of which nothing is declared."""
LEAST: Final = 4.0
MOST: Final = 10_000.0
USED: Final = 0.5
"""A budget grows only while so much of it is used: what was never tried shows nothing."""
CONGESTED: Final = 2.0
"""So many times its baseline, and a latency counts as congestion."""
DECREASE: Final = 0.8
DECREASE_PERIOD_S: Final = 0.25
"""A budget shrinks at most once in so long: the requests of one moment tell of one congestion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many requests may be in flight in a region. `seeking` until the first congestion: it then grows faster."""

    size: float = SEED
    seeking: bool = True
    decreased_at_s: float = -inf


def seeded(capacity: int | None) -> Budget:
    """Give the budget that a region begins with."""
    return Budget(size=SEED if capacity is None else max(LEAST, float(capacity)))


def grown(budget: Budget, in_flight: int) -> Budget:
    """Give the budget after a request went well, while `in_flight` were there."""
    if in_flight < USED * budget.size:
        return budget
    step = 1.0 if budget.seeking else 1.0 / budget.size
    return replace(budget, size=min(MOST, budget.size + step))


def shrunk(budget: Budget, in_flight: int, *, now_s: float) -> Budget:
    """Give the budget after a sign of congestion, while `in_flight` were there."""
    # A clock that was set back must not keep a budget from shrinking.
    if 0.0 <= now_s - budget.decreased_at_s < DECREASE_PERIOD_S:
        return budget
    size = max(LEAST, DECREASE * min(budget.size, max(float(in_flight), LEAST)))
    return Budget(size=size, seeking=False, decreased_at_s=now_s)
