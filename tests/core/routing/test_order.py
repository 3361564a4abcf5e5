"""Which plan follows from which estimates, example by example. Regions are 0, 1, 2, ... in the catalogue's order."""

from math import ceil, inf

import pytest
from core.routing.world import estimate, ordered

from extproc.core.ids import RegionId, RegionMask
from extproc.core.routing.affinity import preferences
from extproc.core.routing.estimate import Estimate
from extproc.core.routing.health import HealthState
from extproc.core.routing.order import OVERFLOW_LEAST, SESSION_BOUND
from extproc.core.tables import Deployment

HALF_OPEN, UNKNOWN, DOWN = HealthState.HALF_OPEN, HealthState.UNKNOWN, HealthState.DOWN


def at(i: int, latency_s: float) -> Estimate:
    return estimate(i, latency_s=latency_s)


NEAR, MIDDLE, FAR = at(0, 0.01), at(1, 0.05), at(2, 0.2)


def full(each: Estimate, budget: int = 10, *, in_flight: int = 10) -> Estimate:
    """Give the same region with all of its budget in use."""
    return each._replace(in_flight=in_flight, budget=budget)


def busy(each: Estimate, in_flight: int) -> Estimate:
    return each._replace(in_flight=in_flight, budget=100)


@pytest.mark.parametrize(
    ("what", "estimates", "plan"),
    [
        ("nothing is permitted", [], ()),
        ("the nearest first", [at(0, 0.2), at(1, 0.05), at(2, 0.01)], (2, 1, 0)),
        ("equally far: by name", [NEAR._replace(region=RegionId("b")), NEAR._replace(region=RegionId("a"))], (1, 0)),
        ("what was measured before what was not", [estimate(0, latency_s=None), FAR], (1, 0)),
        ("down is never named", [estimate(0, DOWN), MIDDLE], (1,)),
        ("all are down", [estimate(0, DOWN), estimate(1, DOWN)], ()),
        ("unknown after up, however near", [estimate(0, UNKNOWN), at(1, 0.2)], (1, 0)),
        ("a half-open region takes its one request", [estimate(0, HALF_OPEN, budget=1), busy(MIDDLE, 0)], (0, 1)),
        ("and no more", [estimate(0, HALF_OPEN, budget=1, in_flight=1), busy(MIDDLE, 0)], (1,)),
        ("and is never a fallback", [busy(NEAR, 0), estimate(1, HALF_OPEN, budget=1), busy(FAR, 0)], (0, 2)),
        (
            "all half open: the first takes one",
            [estimate(0, HALF_OPEN, budget=1), estimate(1, HALF_OPEN, budget=1)],
            (0,),
        ),
        (
            "then the next takes one",
            [estimate(0, HALF_OPEN, budget=1, in_flight=1), estimate(1, HALF_OPEN, budget=1)],
            (1,),
        ),
        ("then none", [estimate(i, HALF_OPEN, budget=1, in_flight=1) for i in range(2)], ()),
        ("uncounted, half open comes after unknown", [estimate(0, HALF_OPEN), estimate(1, UNKNOWN)], (1,)),
        ("uncounted and alone, it takes everything", [estimate(0, HALF_OPEN), estimate(1, DOWN)], (0,)),
        ("what is full comes after what has room", [full(NEAR), busy(MIDDLE, 9), busy(FAR, 0)], (1, 2, 0)),
        ("all full: the least full first", [full(NEAR, in_flight=15), full(MIDDLE, in_flight=12)], (1, 0)),
        ("all full: equally full, the nearest", [full(NEAR), full(MIDDLE)], (0, 1)),
        (
            "at twice its budget a region takes nothing",
            [full(NEAR, 20, in_flight=40), full(MIDDLE, 20, in_flight=39)],
            (1,),
        ),
        ("all at twice their budgets", [full(NEAR, 20, in_flight=40), full(MIDDLE, 20, in_flight=40)], ()),
        (
            "small budgets refuse nothing before OVERFLOW_LEAST",
            [full(NEAR, 5, in_flight=15), full(MIDDLE, 5, in_flight=16)],
            (0,),
        ),
        ("half open and full is not overfilled", [estimate(0, HALF_OPEN, budget=1, in_flight=1), full(MIDDLE)], (1,)),
        ("a budget of nothing is no division by it", [estimate(0, budget=0, in_flight=0)], (0,)),
        ("a missed promise means nothing to a legal-first policy", [estimate(0, missing_slo=True), MIDDLE], (0, 1)),
    ],
)
def test_the_order(what: str, estimates: list[Estimate], plan: tuple[int, ...]) -> None:
    assert ordered(estimates) == plan, what


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_plan_is_as_long_as_the_policy_says(length: int) -> None:
    assert ordered([NEAR, MIDDLE, FAR, estimate(3)], plan_length=length) == (0, 3, 1)[:length]
    assert ordered([full(FAR), busy(MIDDLE, 1), full(NEAR), full(estimate(3))], plan_length=length)[0] == 1
    assert len(ordered([full(estimate(i)) for i in range(5)], plan_length=length)) == length


class TestQuota:
    def test_no_region_takes_more_than_its_quota_though_all_are_full(self) -> None:
        nearly = [full(NEAR), full(MIDDLE, in_flight=11)]
        assert ordered(nearly) == (0, 1)
        assert ordered(nearly, quotas=[10, None]) == (1,)
        assert ordered(nearly, quotas=[10, 11]) == ()

    def test_between_budget_and_quota_a_region_overflows(self) -> None:
        assert ordered([full(NEAR, in_flight=14)], quotas=[15]) == (0,)
        assert ordered([full(NEAR, in_flight=15)], quotas=[15]) == ()

    def test_a_quota_holds_for_a_small_budget_too_that_refuses_nothing(self) -> None:
        few = full(NEAR, 2, in_flight=OVERFLOW_LEAST - 1)
        assert ordered([few]) == (0,)
        assert ordered([few], quotas=[OVERFLOW_LEAST - 1]) == ()
        assert ordered([few, full(MIDDLE, 2, in_flight=1000)], quotas=[2, None]) == ()

    def test_what_is_at_its_quota_is_no_fallback(self) -> None:
        assert ordered([busy(NEAR, 0), full(MIDDLE), full(FAR)], quotas=[None, 10, 11]) == (0, 2)


class TestRanks:
    """Active-passive, and hub and spoke: a later rank takes what an earlier one cannot."""

    STANDBY = Deployment(ranks=(1, 0))

    @pytest.mark.parametrize(
        ("what", "estimates", "plan"),
        [
            ("the standby waits, however near", [NEAR, FAR], (1, 0)),
            ("and takes over when the active region is down", [NEAR, estimate(1, DOWN)], (0,)),
            ("or full", [busy(NEAR, 0), full(FAR)], (0, 1)),
            ("a promise that is missed does not change ranks", [NEAR, FAR._replace(missing_slo=True)], (1, 0)),
            ("unknown of the first rank goes before up of the second", [NEAR, estimate(1, UNKNOWN)], (1, 0)),
            ("both full: the least full", [full(NEAR), full(FAR, in_flight=11)], (0, 1)),
        ],
    )
    def test_a_standby(self, what: str, estimates: list[Estimate], plan: tuple[int, ...]) -> None:
        named = [each._replace(region=RegionId(f"r{i}")) for i, each in enumerate(estimates)]
        assert ordered(named, deployment=self.STANDBY) == plan, what

    def test_a_session_moves_within_a_rank_and_never_across(self) -> None:
        estimates = [estimate(i, preference=preference) for i, preference in enumerate((3, 2, 1, 0))]
        assert ordered(estimates, deployment=Deployment(ranks=(0, 0, 1, 1))) == (1, 0, 3)


class TestOperators:
    @pytest.mark.parametrize(
        "deployment", [Deployment(drained=RegionMask(0b01)), Deployment(weights=(0, 1))], ids=["drained", "no weight"]
    )
    def test_what_operators_take_out_is_not_even_a_fallback(self, deployment: Deployment) -> None:
        assert ordered([NEAR, FAR], deployment=deployment) == (1,)
        assert ordered([NEAR], deployment=deployment) == ()

    def test_where_the_policy_may_fail_over_a_missed_promise_comes_after_those_that_are_kept(self) -> None:
        estimates = [NEAR._replace(missing_slo=True), FAR, estimate(2, UNKNOWN)]
        assert ordered(estimates, deployment=Deployment(slo_failover=True)) == (1, 0, 2)


class TestSessions:
    @pytest.mark.parametrize(
        ("best_s", "preferred_s", "stays"),
        [
            (0.010, 0.040, True),  # 30 ms are nothing to a session
            (0.010, 0.041, False),
            (0.200, 0.250, True),  # nor is a quarter
            (0.200, 0.251, False),
            (None, None, True),
            (0.010, None, False),
        ],
    )
    def test_a_session_leaves_its_region_only_for_one_that_is_a_good_deal_faster(
        self, best_s: float | None, preferred_s: float | None, *, stays: bool
    ) -> None:
        estimates = [estimate(0, latency_s=best_s, preference=1), estimate(1, latency_s=preferred_s, preference=0)]
        assert ordered(estimates) == ((1, 0) if stays else (0, 1))

    def test_a_session_does_not_stay_in_a_region_of_a_worse_state(self) -> None:
        assert ordered([estimate(0, preference=1), estimate(1, UNKNOWN, preference=0)]) == (0, 1)
        missing = [estimate(0, preference=1), estimate(1, preference=0, missing_slo=True)]
        assert ordered(missing, deployment=Deployment(slo_failover=True)) == (0, 1)

    def test_a_full_region_sends_its_sessions_to_their_next_one(self) -> None:
        estimates = [busy(estimate(i, preference=(2, 0, 1)[i]), 10) for i in range(3)]
        assert ordered(estimates) == (1, 2, 0)
        assert ordered([estimates[0], full(estimates[1]), estimates[2]]) == (2, 0, 1)

    def test_sessions_fill_a_region_to_a_quarter_above_its_share(self) -> None:
        def plan(in_flight: tuple[int, int], weights: tuple[int, ...] = ()) -> tuple[int, ...]:
            estimates = [busy(estimate(i, preference=i), count) for i, count in enumerate(in_flight)]
            return ordered(estimates, deployment=Deployment(weights=weights))

        assert plan((0, 0)) == (0, 1)
        assert plan((14, 8)) == (0, 1)  # the 15th of 23, whose half and a quarter of that are 14.4
        assert plan((15, 8)) == (1, 0)
        # With three quarters of the work, its share is larger.
        assert plan((15, 8), weights=(3, 1)) == (0, 1)
        assert plan((30, 0), weights=(3, 1)) == (1, 0)

    def test_while_nothing_is_counted_nothing_bounds_a_session(self) -> None:
        assert ordered([estimate(0, preference=1), estimate(1, preference=0)]) == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("weights", [(1, 1, 1), (3, 1, 1), (1, 2, 0)])
def test_bounded_loads_hold_and_shares_follow_weights_while_sessions_come(weights: tuple[int, ...]) -> None:
    """Every request stays, so the counts are all that were ever placed."""
    placed = dict.fromkeys(range(3), 0)
    regions = tuple(estimate(i).region for i in range(3))
    for n in range(600):
        ranks = preferences(f"session-{n}".encode(), regions, weights)
        estimates = [estimate(i, preference=ranks[i], in_flight=placed[i], budget=1000) for i in range(3)]
        placed[ordered(estimates, deployment=Deployment(weights=weights), plan_length=1)[0]] += 1
        for i, weight in enumerate(weights):
            assert placed[i] <= ceil(SESSION_BOUND * (n + 1) * weight / sum(weights))
    for i, weight in enumerate(weights):
        assert placed[i] / 600 == pytest.approx(weight / sum(weights), abs=0.05)


def test_a_latency_may_be_anything() -> None:
    for latency_s in (0.0, -1.0, 1e308, inf, None):
        assert sorted(ordered([estimate(0, latency_s=latency_s), estimate(1)])) == [0, 1]
