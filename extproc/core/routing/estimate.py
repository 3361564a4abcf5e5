"""What tier 2 believes of one permitted region when it decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from extproc.core.ids import RegionId
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.tables import Region


class Estimate(NamedTuple):
    """What tier 2 believed of one permitted region; times in seconds. All that orders it, but for the policy.

    `latency_s` is the measured latency, but not less than the declared round trip, which is a floor that physics sets;
    None where neither is known. `age_s` is None where nothing was ever observed. `in_flight` are the requests that were
    there, and `budget` is how many may be before the next region is used; None where nothing bounds it. `preference`
    ranks the region for the request's session, 0 first; None where nothing but latency orders them. `missing_slo` tells
    that the region keeps missing the latency that the policy promises.

    A named tuple, because each request makes one for each permitted region, and a frozen dataclass takes eight times as
    long. Name the fields when you make one.
    """

    region: RegionId
    state: HealthState
    latency_s: float | None
    age_s: float | None
    in_flight: int = 0
    budget: int | None = None
    preference: int | None = None
    missing_slo: bool = False

    @property
    def has_room(self) -> bool:
        """Tell whether the region may be sent another request before the next region is used."""
        return self.budget is None or self.in_flight < self.budget

    @property
    def fullness(self) -> float:
        """Give the requests in flight for each of the budget."""
        return 0.0 if self.budget is None else self.in_flight / max(self.budget, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is of this moment and of this request alone.

    `in_flight[i]` are the requests in the region at index `i`; empty while they cannot be counted, and then neither
    budgets nor quotas hold. `preference[i]` ranks it for the request's session; empty where nothing but latency orders
    the regions.
    """

    in_flight: Sequence[int] = ()
    preference: Sequence[int] = ()


UNCOUNTED: Final = Moment()


def believe(region: Region, standing: Standing, i: int, *, now_s: float, moment: Moment) -> Estimate:
    """Give what is believed at `now_s` of the region at index `i`."""
    latency_s, rtt_s = standing.latency_s, region.rtt_s
    if latency_s is None or (rtt_s is not None and rtt_s > latency_s):
        latency_s = rtt_s
    return Estimate(
        region=region.id,
        state=standing.state_at(now_s),
        latency_s=latency_s,
        age_s=now_s - standing.observed_at_s if standing.observed_at_s else None,
        in_flight=moment.in_flight[i] if moment.in_flight else 0,
        budget=_budget(region, standing, now_s) if moment.in_flight else None,
        preference=moment.preference[i] if moment.preference else None,
        missing_slo=standing.missing_slo,
    )


def _budget(region: Region, standing: Standing, now_s: float) -> int | None:
    """Give what bounds the region: what was learned, and the quota."""
    budget = standing.budget_at(now_s)
    if region.quota is None:
        return budget
    return region.quota if budget is None else min(budget, region.quota)
