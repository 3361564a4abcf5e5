"""The order of the permitted regions and the plan that follows, by estimates and the policy alone.

A waterfall: the regions in order of what is expected of them, each up to its own budget of requests in flight. The
signal has no delay, because the requests are this sidecar's own; choosing by delayed load reports makes every sidecar
rush to the same region.

The order is: rank in the deployment, state, whether the promised latency is kept, latency, name. A session goes before
that order, but only among regions that are nearly as good as the best. Whatever the order says, a region with room goes
before one that is full, whichever their ranks; where all are full, the least full takes more, within a limit and never
beyond its quota.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Final, TypeAlias

from extproc.core.ids import RegionId
from extproc.core.routing.estimate import Estimate
from extproc.core.routing.health import HealthState
from extproc.core.tables import Deployment, Region

HYSTERESIS_S: Final = 0.030
HYSTERESIS_SHARE: Final = 0.25
"""A session leaves the region that it prefers only for one that is faster by more than the greater of the two."""
SESSION_BOUND: Final = 1.25
"""Sessions fill a region to so many times its share of those that are as good, and then go to their next one.
SPEC: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent hashing with bounded loads" (2018)."""
OVERFLOW: Final = 2.0
"""Where all are full, the least full takes more, up to so many times its budget; beyond, requests are refused."""
OVERFLOW_LEAST: Final = 16
"""But never while fewer than so many are in flight. A stall of the sidecar's own machine looks like congestion in every
region at once, and budgets are small then: that must cost time, and no request."""

_GOOD: Final = 0
_UNKNOWN: Final = 1
_UNTRIED: Final = 2
_Key: TypeAlias = tuple[int, int, bool, float, RegionId]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The regions that may be named, in their order but for sessions and room, as positions in the estimates.

    `groups` are the same in the same order: together are those of one rank that are nearly as good as its best, and
    every other region is by itself.
    """

    positions: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]


def order(
    indices: Sequence[int],
    estimates: Sequence[Estimate],
    *,
    regions: Sequence[Region],
    deployment: Deployment,
    plan_length: int,
) -> tuple[int, ...]:
    """Make the plan: the region that takes the request, then those that Envoy may try after it.

    `estimates[n]` is of the region at index `indices[n]` of `regions`. Empty where no region may be named: one that is
    down, drained or of no weight never is, because Envoy would only waste an attempt on it.
    """
    ranking = rank(indices, estimates, deployment)
    plan = plan_of(
        ranking,
        estimates,
        quotas=[regions[i].quota for i in indices],
        weights=weights_of(indices, deployment),
        plan_length=plan_length,
    )
    return tuple([indices[n] for n in plan])


def weights_of(indices: Sequence[int], deployment: Deployment) -> list[int]:
    """Give the weights of the regions at these indices."""
    return [deployment.weights[i] for i in indices] if deployment.weights else [1] * len(indices)


def rank(indices: Sequence[int], estimates: Sequence[Estimate], deployment: Deployment) -> Ranking:
    """Order the regions that may be named by all but sessions and room, which alone change with each request."""
    keys = {
        n: _key(i, estimates[n], deployment) for n, i in enumerate(indices) if _is_able(i, estimates[n], deployment)
    }
    positions = tuple(sorted(keys, key=keys.__getitem__))
    return Ranking(positions, _grouped(positions, [keys[n] for n in positions]))


def _is_able(i: int, estimate: Estimate, deployment: Deployment) -> bool:
    if estimate.state is HealthState.DOWN or deployment.drained >> i & 1:
        return False
    return not deployment.weights or deployment.weights[i] > 0


def _key(i: int, estimate: Estimate, deployment: Deployment) -> _Key:
    return (
        deployment.ranks[i] if deployment.ranks else 0,
        _standing(estimate),
        estimate.missing_slo and deployment.slo_failover,
        inf if estimate.latency_s is None else estimate.latency_s,
        estimate.region,
    )


def _standing(estimate: Estimate) -> int:
    """Tell how good a state is, 0 for the best.

    A half-open region is tried in its own place, one request at a time. While requests cannot be counted it has no
    budget, and all of them would be its trial: then it comes after every other, and serves where it is the only one.
    """
    if estimate.state is HealthState.UNKNOWN:
        return _UNKNOWN
    return _UNTRIED if estimate.state is HealthState.HALF_OPEN and estimate.budget is None else _GOOD


def _grouped(positions: Sequence[int], keys: Sequence[_Key]) -> tuple[tuple[int, ...], ...]:
    """Put together, at the head of each rank, what is as good as its best but for a latency within the hysteresis."""
    groups: list[list[int]] = []
    best: _Key | None = None
    for n, key in zip(positions, keys, strict=True):
        if best is None or key[0] != best[0]:
            best = key
        elif key[:3] == best[:3] and key[3] <= best[3] + max(HYSTERESIS_S, HYSTERESIS_SHARE * best[3]):
            groups[-1].append(n)
            continue
        groups.append([n])
    return tuple(map(tuple, groups))


def plan_of(
    ranking: Ranking,
    estimates: Sequence[Estimate],
    *,
    quotas: Sequence[int | None],
    weights: Sequence[int],
    plan_length: int,
) -> list[int]:
    """Make the plan as positions in `estimates`, of which `quotas` and `weights` are too."""
    if not ranking.positions:
        return []
    has_session = estimates[ranking.positions[0]].preference is not None
    positions = _by_session(ranking.groups, estimates, weights) if has_session else ranking.positions
    with_room: list[int] = []
    for n in positions:
        estimate = estimates[n]
        budget = estimate.budget
        if budget is not None and estimate.in_flight >= budget:
            continue
        # Envoy tries it after another has failed: not the moment to try what may fail as well.
        if with_room and estimate.state is HealthState.HALF_OPEN:
            continue
        with_room.append(n)
        if len(with_room) >= plan_length:
            return with_room
    return (with_room + _overflowing(positions, estimates, quotas))[:plan_length]


def _overflowing(positions: Sequence[int], estimates: Sequence[Estimate], quotas: Sequence[int | None]) -> list[int]:
    """Give the full regions that may be named nevertheless, the least full first.

    Not beyond a quota, and not while one request is to show whether the region serves.
    """
    full = [
        n
        for n in positions
        if not (estimate := estimates[n]).has_room
        and estimate.state is not HealthState.HALF_OPEN
        and estimate.in_flight < max(OVERFLOW_LEAST, OVERFLOW * (estimate.budget or 0))
        and ((quota := quotas[n]) is None or estimate.in_flight < quota)
    ]
    full.sort(key=lambda n: estimates[n].fullness)
    return full


def _by_session(groups: Sequence[tuple[int, ...]], estimates: Sequence[Estimate], weights: Sequence[int]) -> list[int]:
    """Put the regions of each group in the session's own order."""
    ordered: list[int] = []
    for group in groups:
        ordered += group if len(group) == 1 else _spread(group, estimates, weights)
    return ordered


def _spread(group: Sequence[int], estimates: Sequence[Estimate], weights: Sequence[int]) -> list[int]:
    """Order regions that are as good by a session's preference, those last that have more than their share."""
    in_flight = sum([estimates[n].in_flight for n in group]) + 1
    share = SESSION_BOUND * in_flight / sum([weights[n] for n in group])
    keyed = [
        (
            estimate.in_flight >= ceil(share * weights[n]),
            inf if estimate.preference is None else estimate.preference,
            place,
            n,
        )
        for place, n in enumerate(group)
        for estimate in (estimates[n],)
    ]
    keyed.sort()
    return [each[3] for each in keyed]
