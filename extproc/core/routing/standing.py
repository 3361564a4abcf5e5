"""What tier 2 knows of one region, but for how many requests are there at this very moment."""

from dataclasses import dataclass
from math import inf
from typing import Final

from extproc.core.routing.health import HEALTH_LIMIT_S, HealthState, believed
from extproc.core.routing.load import FRESH_S

SLOW_START_S: Final = 5.0
"""How long a region that is back takes to its whole budget."""
SLOW_START_SHARE: Final = 0.1
"""With how much of its budget it begins."""
LONGEST_CAP_S: Final = 2 * FRESH_S
"""A cap that ends later than this was set before the clock was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One region as of the last that was learned of it; times in Unix seconds.

    `latency_s` is the measured round trip in seconds, None while nothing was measured. `budget` is how many requests
    may be in flight there before the next region is used; infinite where nothing bounds it. `cap` bounds it too until
    `cap_until_s`. `up_since_s` is when the region was last found up again: a slow start begins there; 0 for one that
    never was down. `missing_slo` tells that it keeps missing the latency that the policy promises.
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
        return believed(self.state, self.observed_at_s, now_s)

    def budget_at(self, now_s: float) -> int | None:
        """Give how many requests may be in flight there at `now_s`, at least 1; None where nothing bounds it.

        A region that has not served since it was down is given one at a time, however old that knowledge is.
        """
        if self.state in (HealthState.HALF_OPEN, HealthState.DOWN):
            return 1
        is_capped = self.cap_until_s - LONGEST_CAP_S <= now_s < self.cap_until_s
        budget = min(self.budget, self.cap) if is_capped else self.budget
        if budget == inf:
            return None
        if self._is_starting(now_s):
            budget *= max(SLOW_START_SHARE, (now_s - self.up_since_s) / SLOW_START_S)
        return max(1, int(budget))

    def same_until_s(self, now_s: float) -> float:
        """Give the time before which nothing that is believed changes but the age; `now_s` if it changes steadily."""
        if self._is_starting(now_s):
            return now_s
        until_s = inf
        for edge_s in (
            self.observed_at_s - HEALTH_LIMIT_S,
            self.observed_at_s + HEALTH_LIMIT_S,
            self.cap_until_s - LONGEST_CAP_S,
            self.cap_until_s,
            self.up_since_s - SLOW_START_S,
        ):
            if now_s < edge_s < until_s:
                until_s = edge_s
        return until_s

    def _is_starting(self, now_s: float) -> bool:
        """Tell whether the region is in its slow start; no clock that was set back makes that longer than twice."""
        since_s = self.up_since_s
        return since_s != 0.0 and since_s - SLOW_START_S <= now_s < since_s + SLOW_START_S


UNSEEN: Final = Standing(state=HealthState.UNKNOWN, observed_at_s=0.0)
"""Of a region of which nothing was ever observed."""
