"""Small worlds to choose in: regions, what is known of them, how they share the work, and one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from hypothesis import strategies as st

from extproc.core.ids import Country, RegionId, RegionMask
from extproc.core.routing.choose import UNCOUNTED, Choice, Estimate, Moment, choose, order
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.tables import Deployment, Region

NOW_S: Final = 1_800_000_000.0
MOST_REGIONS: Final = 6
EVEN: Final = Deployment()
"""All regions share the work alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that a choice depends on."""

    regions: tuple[Region, ...]
    standings: tuple[Standing, ...]
    permitted: RegionMask
    deployment: Deployment = EVEN
    moment: Moment = UNCOUNTED
    plan_length: int = 2
    now_s: float = NOW_S

    def choose(self) -> Choice:
        return choose(
            permitted=self.permitted,
            regions=self.regions,
            standings=self.standings,
            deployment=self.deployment,
            plan_length=self.plan_length,
            now_s=self.now_s,
            moment=self.moment,
        )

    @property
    def indices(self) -> list[int]:
        return [i for i in range(len(self.regions)) if self.permitted >> i & 1]

    def of(self, choice: Choice) -> dict[int, Estimate]:
        """Give the estimates by the region's index."""
        return dict(zip(self.indices, choice.estimates, strict=True))


def region(i: int, *, rtt_s: float | None = None, quota: int | None = None) -> Region:
    return Region(id=RegionId(f"r{i}"), country=Country("DE"), cluster=f"c{i}", models={}, rtt_s=rtt_s, quota=quota)


def standing(state: HealthState = HealthState.UP, latency_s: float | None = 0.01, budget: float = inf) -> Standing:
    return Standing(state=state, observed_at_s=NOW_S, latency_s=latency_s, budget=budget)


def estimate(  # noqa: PLR0913 - an estimate's own fields
    i: int,
    state: HealthState = HealthState.UP,
    *,
    latency_s: float | None = 0.01,
    in_flight: int = 0,
    budget: int | None = None,
    preference: int | None = None,
    missing_slo: bool = False,
) -> Estimate:
    """Make an estimate of region `i`, 10 ms away and up unless told otherwise."""
    return Estimate(
        region=RegionId(f"r{i}"),
        state=state,
        latency_s=latency_s,
        age_s=0.5,
        in_flight=in_flight,
        budget=budget,
        preference=preference,
        missing_slo=missing_slo,
    )


def ordered(
    estimates: Sequence[Estimate],
    *,
    deployment: Deployment = EVEN,
    plan_length: int = 3,
    quotas: Sequence[int | None] = (),
) -> tuple[int, ...]:
    """Order estimates of the regions 0, 1, 2, ..."""
    indices = range(len(estimates))
    return order(
        indices,
        estimates,
        regions=[region(i, quota=quotas[i] if quotas else None) for i in indices],
        deployment=deployment,
        plan_length=plan_length,
    )


_LATENCIES = st.sampled_from([None, 0.0, 0.001, 0.01, 0.035, 0.045, 0.2, 0.24, 60.0, 1e300])
_TIMES = st.sampled_from(
    [0.0, NOW_S - 1e6, NOW_S - 15.0, NOW_S - 3, NOW_S - 0.25, NOW_S, NOW_S + 0.25, NOW_S + 3, NOW_S + 15.0, NOW_S + 1e6]
)
_STATES = st.sampled_from([HealthState.UP, HealthState.UP, HealthState.UP, *HealthState])
_NUMBERS = st.sampled_from([0, 0, 1, 2, 3, 5, 7, 8, 60, 64, 128, 129, 10_000])


def standings() -> st.SearchStrategy[Standing]:
    return st.builds(
        Standing,
        state=_STATES,
        observed_at_s=st.sampled_from([NOW_S - 1, NOW_S - 0.25]) | _TIMES,
        latency_s=_LATENCIES,
        budget=st.sampled_from([inf, 2.0, 4.0, 64.0, 1e4]),
        cap=st.sampled_from([inf, inf, 1.0, 3.5]),
        cap_until_s=_TIMES,
        up_since_s=_TIMES,
        missing_slo=st.booleans(),
    )


def estimates() -> st.SearchStrategy[Estimate]:
    """Draw an estimate of any region; also such as no standing gives."""
    return st.builds(
        Estimate,
        region=st.just(RegionId("any")),
        state=_STATES,
        latency_s=_LATENCIES,
        age_s=st.sampled_from([None, -1e9, 0.0, 0.5, 1e9]),
        in_flight=_NUMBERS | st.just(-1),
        budget=st.none() | _NUMBERS,
        preference=st.none() | st.integers(0, 7),
        missing_slo=st.booleans(),
    )


def masks(count: int) -> st.SearchStrategy[RegionMask]:
    return st.integers(0, (1 << count) - 1).map(RegionMask)


def deployments(count: int) -> st.SearchStrategy[Deployment]:
    few = st.sampled_from([0, 0, 0, 1, 2])
    return st.builds(
        Deployment,
        ranks=st.just(()) | st.tuples(*[st.integers(0, 2)] * count),
        drained=st.just(RegionMask(0)) | masks(count),
        weights=st.just(()) | st.tuples(*[st.integers(0, 3)] * count) | st.tuples(*[few] * count),
        slo_failover=st.booleans(),
    )


def moments(count: int) -> st.SearchStrategy[Moment]:
    return st.builds(
        Moment,
        in_flight=st.just(()) | st.tuples(*[_NUMBERS] * count),
        preference=st.just(()) | st.permutations(range(count)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, MOST_REGIONS))
    return World(
        regions=tuple(
            region(i, rtt_s=draw(st.sampled_from([None, 0.01, 0.1])), quota=draw(st.sampled_from([None, None, 1, 5])))
            for i in range(count)
        ),
        standings=tuple(draw(standings()) for _ in range(count)),
        permitted=draw(masks(count)),
        deployment=draw(deployments(count)),
        moment=draw(moments(count)),
        plan_length=draw(st.integers(1, 3)),
    )
