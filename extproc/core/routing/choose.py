"""Tier 2: which of the permitted regions serves the request best now.

Chooses only among the bits that tier 1 set; whatever is down, it never adds one. A waterfall: the regions in order of
what is expected of them, each up to its own budget of requests in flight. The signal has no delay, because the requests
are this sidecar's own; choosing by delayed load reports makes every sidecar rush to the same region.

:func:`believe` makes the estimates of this moment, which are recorded; :func:`order` makes the plan of them and of the
policy, and of nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from extproc.core.ids import RegionId, RegionMask
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.tables import Deployment, Region

HYSTERESIS_S: Final = 0.030
HYSTERESIS_SHARE: Final = 0.25
"""A session leaves the region that it prefers only for one that is faster by more than the greater of the two."""
SESSION_BOUND: Final = 1.25
"""Sessions fill a region to so many times the mean of those that are as good, and then go to their next one."""
OVERFLOW: Final = 2.0
"""Where every region is full, the least full takes more, up to so many times its budget; beyond, requests are refused."""

_RANK: Final = {HealthState.UP: 0, HealthState.HALF_OPEN: 0, HealthState.UNKNOWN: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What tier 2 believed of one permitted region; times in seconds.

    `latency_s` is the measured latency, but not less than the declared round trip, which is a floor that physics sets;
    None where neither is known. `age_s` is None where nothing was ever observed. `in_flight` are the requests that were
    there, and `budget` is how many may be before the next region is used; None where nothing bounds it. `preference`
    ranks the region for the request's session, 0 first; None where nothing but latency orders them. `missing_slo` tells
    that the region keeps missing the latency that the policy promises.
    """

    region: RegionId
    state: HealthState
    latency_s: float | None
    age_s: float | None
    in_flight: int = 0
    budget: int | None = None
    preference: int | None = None
    missing_slo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The ordered plan, empty when no permitted region can serve, and the estimates that led to it."""

    plan: tuple[int, ...]
    """Indices into the policy's catalogue: the primary, then its fallbacks."""
    estimates: tuple[Estimate, ...]

    @property
    def is_full(self) -> bool:
        """Tell whether regions could serve, and none has room."""
        return not self.plan and any(
            each.state is not HealthState.DOWN and each.budget is not None and each.in_flight >= each.budget
            for each in self.estimates
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is of this moment and of this request alone.

    `in_flight[i]` are the requests in the region at index `i`; empty while they cannot be counted, and then no budget
    holds. `preference[i]` ranks it for the request's session; empty where nothing but latency orders the regions.
    """

    in_flight: Sequence[int] = ()
    preference: Sequence[int] = ()


UNCOUNTED: Final = Moment()


@dataclass(slots=True)
class _Candidate:
    """A region that may be named."""

    index: int
    estimate: Estimate
    rank: int
    key: tuple[int, bool, float, RegionId]
    """Within one rank: the state, whether it misses its promise, the latency, and the name."""

    @property
    def has_room(self) -> bool:
        budget = self.estimate.budget
        return budget is None or self.estimate.in_flight < budget

    @property
    def fullness(self) -> float:
        """Requests in flight for each of the budget."""
        return 0.0 if self.estimate.budget is None else self.estimate.in_flight / self.estimate.budget


def choose(  # noqa: PLR0913 - the facts of tier 2, each by name
    *,
    permitted: RegionMask,
    regions: tuple[Region, ...],
    standings: tuple[Standing, ...],
    deployment: Deployment,
    plan_length: int,
    now_s: float,
    moment: Moment = UNCOUNTED,
) -> Choice:
    """Believe what is known at this moment of the permitted regions, and order them."""
    indices = [i for i in range(len(regions)) if permitted >> i & 1]
    estimates = [believe(regions[i], standings[i], i, now_s=now_s, moment=moment) for i in indices]
    plan = order(indices, estimates, deployment=deployment, plan_length=plan_length)
    return Choice(plan=plan, estimates=tuple(estimates))


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


def order(
    indices: Sequence[int], estimates: Sequence[Estimate], *, deployment: Deployment, plan_length: int
) -> tuple[int, ...]:
    """Make the plan: the region that takes the request, then those that Envoy may try after it.

    Regions of a higher rank of the deployment take what those of a lower one cannot. A region that is down, drained or of
    no weight is never named: Envoy would only waste an attempt on it. One that is half open is no fallback.
    """
    candidates = _candidates(indices, estimates, deployment)
    by_rank: dict[int, list[_Candidate]] = {}
    for each in candidates:
        by_rank.setdefault(each.rank, []).append(each)
    ordered: list[_Candidate] = []
    primary: _Candidate | None = None
    for rank in sorted(by_rank):
        group = _by_preference(sorted(by_rank[rank], key=lambda each: each.key))
        ordered += group
        primary = primary or _take(group)
    if primary is None:
        return ()
    others = [each for each in ordered if each is not primary and each.estimate.state is not HealthState.HALF_OPEN]
    others.sort(key=lambda each: (not each.has_room, 0.0 if each.has_room else each.fullness))  # stable
    return tuple(each.index for each in (primary, *others)[:plan_length])


def _candidates(
    indices: Sequence[int], estimates: Sequence[Estimate], deployment: Deployment
) -> list[_Candidate]:
    ranks, weights, drained = deployment.ranks, deployment.weights, deployment.drained
    return [
        _Candidate(
            index=i,
            estimate=estimate,
            rank=ranks[i] if ranks else 0,
            key=(
                _RANK[estimate.state],
                estimate.missing_slo and deployment.slo_failover,
                inf if estimate.latency_s is None else estimate.latency_s,
                estimate.region,
            ),
        )
        for i, estimate in zip(indices, estimates, strict=True)
        if estimate.state is not HealthState.DOWN and not drained >> i & 1 and (not weights or weights[i] > 0)
    ]


def _by_preference(group: list[_Candidate]) -> list[_Candidate]:
    """Put first, in the session's own order, the regions that are as good as the best but for the hysteresis."""
    best = group[0]
    if best.estimate.preference is None or best.estimate.latency_s is None:
        return group
    limit_s = best.estimate.latency_s + max(HYSTERESIS_S, HYSTERESIS_SHARE * best.estimate.latency_s)
    near = [each for each in group if each.key[:2] == best.key[:2] and each.key[2] <= limit_s]
    if len(near) == 1:
        return group
    bound = SESSION_BOUND * (sum(each.estimate.in_flight for each in near) + 1) / len(near)
    near.sort(key=lambda each: (each.estimate.in_flight + 1 > max(bound, 1.0), each.estimate.preference))
    return near + [each for each in group if each not in near]


def _take(group: list[_Candidate]) -> _Candidate | None:
    """Give the first with room; else the least full that may take more yet; else None."""
    for each in group:
        if each.has_room:
            return each
    able = [each for each in group if each.fullness < OVERFLOW and each.estimate.state is not HealthState.HALF_OPEN]
    return min(able, key=lambda each: each.fullness, default=None)
