"""What tier 2 knows of one region, but for how many requests are there at this very moment."""

from dataclasses import dataclass
from math import inf
from typing import Final

from extproc.core.routing.health import HEALTH_LIMIT_S, HealthState

SLOW_START_S: Final = 5.0
"""How long a region that is back takes to its whole budget."""
SLOW_START_SHARE: Final = 0.1
"""With how much of its budget it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One region as of the last that was learned of it; times in Unix seconds.

    `latency_s` is the measured round trip in seconds, None while nothing was measured. `budget` is how many requests may
    be in flight there before the next region is used; infinite where nothing bounds it. `cap` bounds it too until
    `cap_until_s`. `up_since_s` is when the region was last found up again: a slow start begins there; 0 for one that never
    was down. `missing_slo` tells that it keeps missing the latency that the policy promises.
    """

    state: HealthState
    observed_at_s: float
    latency_s: float | None = None
    budget: float = inf
    cap: float = inf
    cap_until_s: float = 0.0
    up_since_s: float = 0.0
    missing_slo: bool = False

    def state_at(self, now_s: float) -> HealthState:
        """Give the state as far as it can still be believed at `now_s`."""
        return self.state if now_s - self.observed_at_s <= HEALTH_LIMIT_S else HealthState.UNKNOWN

    def budget_at(self, now_s: float) -> int | None:
        """Give how many requests may be in flight there at `now_s`, at least 1; None where nothing bounds it."""
        if self.state is HealthState.HALF_OPEN:
            return 1
        budget = min(self.budget, self.cap) if now_s < self.cap_until_s else self.budget
        if budget == inf:
            return None
        up_s = now_s - self.up_since_s
        if up_s < SLOW_START_S:
            # A clock that was set back must not make a share of a negative time.
            budget *= max(SLOW_START_SHARE, up_s / SLOW_START_S)
        return max(1, int(budget))


UNSEEN: Final = Standing(state=HealthState.UNKNOWN, observed_at_s=0.0)
"""Of a region of which nothing was ever observed."""
