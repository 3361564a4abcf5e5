"""Tier 2: which of the permitted regions serves the request best now.

Chooses only among the bits that tier 1 set; whatever is down, it never adds one. Time is a value, so a choice can be
replayed from its recorded estimates.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

from extproc.core.health import HealthState, RegionHealth
from extproc.core.ids import RegionId, RegionMask
from extproc.core.tables import Region

_RANK: Final = {HealthState.UP: 0, HealthState.UNKNOWN: 1, HealthState.DOWN: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What tier 2 believed of one permitted region; times in seconds.

    `latency_s` is the measured latency, but not less than the declared round trip, which is a floor that physics sets;
    None where neither is known. `age_s` is None where nothing was ever observed.
    """

    region: RegionId
    state: HealthState
    latency_s: float | None
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The ordered plan, empty when no permitted region can serve, and the estimates that led to it."""

    plan: tuple[int, ...]
    """Indices into the policy's catalogue: the primary, then its fallbacks."""
    estimates: tuple[Estimate, ...]


def choose(  # noqa: PLR0913 - the facts of tier 2, each by name
    *,
    permitted: RegionMask,
    regions: tuple[Region, ...],
    health: tuple[RegionHealth, ...],
    plan_length: int,
    now_s: float,
    ranks: tuple[int, ...] = (),
) -> Choice:
    """Order the permitted regions by rank, state, expected latency and name, and take the first few.

    `ranks[i]` is the deployment's order for the region at index `i`; empty where all are equal. A region of a higher
    rank comes after all of a lower one that are not down.

    A region that is down is never named: Envoy would only waste the request's one retry on it.
    """
    ranked: list[tuple[int, int, float, RegionId, int]] = []
    estimates: list[Estimate] = []
    for i, region in enumerate(regions):
        if not permitted >> i & 1:
            continue
        seen = health[i]
        state = seen.state_at(now_s)
        known = [latency for latency in (seen.latency_s, region.rtt_s) if latency is not None]
        latency_s = max(known, default=None)
        age_s = now_s - seen.observed_at_s if seen.observed_at_s else None
        estimates.append(Estimate(region=region.id, state=state, latency_s=latency_s, age_s=age_s))
        if state is not HealthState.DOWN:
            rank = ranks[i] if ranks else 0
            ranked.append((rank, _RANK[state], inf if latency_s is None else latency_s, region.id, i))
    ranked.sort()
    return Choice(plan=tuple(each[-1] for each in ranked[:plan_length]), estimates=tuple(estimates))
