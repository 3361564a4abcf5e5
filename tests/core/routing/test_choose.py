"""What holds for every choice, in worlds drawn at random; and the course of an outage, step by step."""

from dataclasses import replace

import pytest
from core.routing.world import MOST_REGIONS, NOW_S, World, deployments, estimates, masks, region, standing, worlds
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import RegionId, RegionMask
from extproc.core.routing.affinity import preferences
from extproc.core.routing.choose import Choice, Estimate, Moment, believe, order
from extproc.core.routing.health import HealthState, Outcome, RegionHealth, after_attempt, after_probe
from extproc.core.routing.learn import Learned, standing_of
from extproc.core.tables import Deployment

slow = pytest.mark.slow


def _is_able(world: World, i: int, estimate: Estimate) -> bool:
    """Tell whether a region may be named, by reading the world anew."""
    is_drained = world.deployment.drained >> i & 1
    has_weight = not world.deployment.weights or world.deployment.weights[i] > 0
    return estimate.state is not HealthState.DOWN and not is_drained and has_weight


def _has_room(estimate: Estimate) -> bool:
    return estimate.budget is None or estimate.in_flight < estimate.budget


def _rank(world: World, i: int) -> int:
    return world.deployment.ranks[i] if world.deployment.ranks else 0


@slow
@given(worlds())
def test_a_plan_names_only_regions_that_are_permitted_and_able_each_once(world: World) -> None:
    choice = world.choose()
    of = world.of(choice)
    assert len(set(choice.plan)) == len(choice.plan) <= world.plan_length
    for i in choice.plan:
        assert world.permitted >> i & 1
        assert _is_able(world, i, of[i])


@slow
@given(worlds())
def test_where_a_region_has_room_the_plan_begins_with_one_that_has_and_else_may_be_refused(world: World) -> None:
    choice = world.choose()
    able = {i: each for i, each in world.of(choice).items() if _is_able(world, i, each)}
    if any(map(_has_room, able.values())):
        assert _has_room(able[choice.plan[0]])
    assert choice.is_full == (not choice.plan and bool(able))


@slow
@given(worlds())
def test_no_region_with_room_is_left_out_while_one_of_a_later_rank_or_without_room_is_named_first(
    world: World,
) -> None:
    choice = world.choose()
    of = world.of(choice)
    usual = [i for i in choice.plan[1:] if _has_room(of[i])]
    assert choice.plan[1 : 1 + len(usual)] == tuple(usual)  # room goes first
    named = [i for i in choice.plan if _has_room(of[i])]
    assert [_rank(world, i) for i in named] == sorted(_rank(world, i) for i in named)
    for i, each in of.items():
        if _is_able(world, i, each) and _has_room(each) and each.state is not HealthState.HALF_OPEN:
            assert i in choice.plan or len(named) == world.plan_length
            assert i in choice.plan or _rank(world, i) >= _rank(world, choice.plan[-1])


@slow
@given(worlds())
def test_fallbacks_are_never_half_open_nor_at_their_quota(world: World) -> None:
    choice = world.choose()
    for i in choice.plan[1:]:
        assert world.of(choice)[i].state is not HealthState.HALF_OPEN
    for i in choice.plan:
        quota = world.regions[i].quota
        assert quota is None or not world.moment.in_flight or world.moment.in_flight[i] < quota


@slow
@given(worlds())
def test_half_open_regions_take_one_request_at_a_time(world: World) -> None:
    choice = world.choose()
    if choice.plan and world.of(choice)[choice.plan[0]].state is HealthState.HALF_OPEN and world.moment.in_flight:
        assert world.moment.in_flight[choice.plan[0]] < 1


@slow
@given(worlds(), masks(MOST_REGIONS))
def test_with_less_permitted_nothing_else_is_named_and_nothing_more_serves(world: World, mask: RegionMask) -> None:
    less = replace(world, permitted=RegionMask(world.permitted & mask))
    before, after = world.choose(), less.choose()
    assert all(less.permitted >> i & 1 for i in after.plan)
    assert before.plan or not after.plan
    assert [each for each in before.estimates if each in after.estimates] == list(after.estimates)


@slow
@given(worlds(), masks(MOST_REGIONS))
def test_without_sessions_a_plan_stays_while_only_others_are_taken_out(world: World, mask: RegionMask) -> None:
    world = replace(world, moment=replace(world.moment, preference=()))
    plan = world.choose().plan
    kept = RegionMask(world.permitted & (mask | sum(1 << i for i in plan)))
    assert replace(world, permitted=kept).choose().plan == plan


@slow
@given(st.binary(min_size=1, max_size=16), st.integers(1, 63), st.integers(0, 63))
def test_a_session_stays_while_only_other_regions_go(key: bytes, before: int, taken: int) -> None:
    """Where all are as good. A region that is faster than the rest by more than the hysteresis is another matter."""
    regions = tuple(region(i) for i in range(6))
    world = World(
        regions=regions,
        standings=tuple(standing(latency_s=0.01 + 0.005 * i) for i in range(6)),
        permitted=RegionMask(before),
        moment=Moment(preference=preferences(key, [each.id for each in regions])),
        plan_length=1,
    )
    (chosen,) = world.choose().plan
    assert replace(world, permitted=RegionMask(before & ~taken | 1 << chosen)).choose().plan == (chosen,)


@slow
@given(worlds())
def test_a_choice_follows_from_its_estimates_and_the_policy_alone(world: World) -> None:
    choice = world.choose()
    again = order(
        world.indices,
        choice.estimates,
        regions=world.regions,
        deployment=world.deployment,
        plan_length=world.plan_length,
    )
    assert again == choice.plan


@slow
@given(st.data())
def test_no_estimates_at_all_make_it_raise(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, MOST_REGIONS))
    deployment = data.draw(deployments(count))
    some = [data.draw(estimates())._replace(region=RegionId(f"r{i}")) for i in range(count)]
    regions = [region(i, quota=data.draw(st.sampled_from([None, 0, 3]))) for i in range(count)]
    plan = order(range(count), some, regions=regions, deployment=deployment, plan_length=data.draw(st.integers(1, 3)))
    for i in plan:
        assert some[i].state is not HealthState.DOWN
        assert regions[i].quota is None or _has_room(some[i]) or some[i].in_flight < (regions[i].quota or 0)


_STEPS_S = st.lists(
    st.sampled_from([0.0, 0.1, 1.0, 3.0, 5.0, 15.0, 1e6, -1.0, -1e6]) | st.floats(-1e9, 1e9), max_size=6
)


@slow
@given(worlds(), masks(MOST_REGIONS), _STEPS_S)
def test_what_is_kept_between_requests_never_shows(world: World, mask: RegionMask, steps_s: list[float]) -> None:
    """The same objects at other times and for other requests, against estimates that are made one by one."""
    now_s = NOW_S
    for step_s in [0.0, *steps_s]:
        now_s += step_s
        for permitted in (world.permitted, RegionMask(world.permitted & mask)):
            for moment in (world.moment, Moment(), Moment(in_flight=[1] * len(world.regions))):
                at = replace(world, now_s=now_s, permitted=permitted, moment=moment)
                made = tuple(believe(at.regions[i], at.standings[i], i, now_s=now_s, moment=moment) for i in at.indices)
                plan = order(at.indices, made, regions=at.regions, deployment=at.deployment, plan_length=at.plan_length)
                assert at.choose() == Choice(plan=plan, estimates=made)


def test_what_is_kept_is_bounded() -> None:
    count = 11
    world = World(
        regions=tuple(region(i) for i in range(count)),
        standings=tuple(standing(latency_s=0.01 * i) for i in range(count)),
        permitted=RegionMask(0),
        deployment=Deployment(),
    )
    for mask in range(1, 1 << count):
        assert replace(world, permitted=RegionMask(mask)).choose().plan[0] == (mask & -mask).bit_length() - 1


def test_nothing_permitted_is_nothing_chosen() -> None:
    world = World(regions=(region(0),), standings=(standing(),), permitted=RegionMask(0))
    assert world.choose() == Choice(plan=(), estimates=())
    assert not world.choose().is_full


class TestBelieving:
    """What an estimate is made of."""

    @pytest.mark.parametrize(
        ("measured_s", "declared_s", "believed_s"),
        [(None, None, None), (0.02, None, 0.02), (None, 0.1, 0.1), (0.02, 0.1, 0.1), (0.2, 0.1, 0.2)],
    )
    def test_the_declared_round_trip_is_a_floor(
        self, measured_s: float | None, declared_s: float | None, believed_s: float | None
    ) -> None:
        made = believe(region(0, rtt_s=declared_s), standing(latency_s=measured_s), 0, now_s=NOW_S, moment=Moment())
        assert made.latency_s == believed_s

    @pytest.mark.parametrize(
        ("learned", "quota", "budget"), [(64.0, None, 64), (64.0, 10, 10), (4.0, 10, 4), (float("inf"), 10, 10)]
    )
    def test_a_quota_bounds_what_was_learned(self, learned: float, quota: int | None, budget: int) -> None:
        made = believe(region(0, quota=quota), standing(budget=learned), 0, now_s=NOW_S, moment=Moment(in_flight=[3]))
        assert (made.in_flight, made.budget, made.has_room) == (3, budget, True)

    def test_while_nothing_is_counted_no_budget_holds(self) -> None:
        made = believe(region(0, quota=1), standing(budget=1.0), 0, now_s=NOW_S, moment=Moment())
        assert (made.in_flight, made.budget, made.has_room, made.fullness) == (0, None, True, 0.0)


class TestOutage:
    """All permitted regions are down, and come back. Health, standing and choice together."""

    FAILED_AT_S = NOW_S - 60

    def _down(self) -> RegionHealth:
        up = RegionHealth(state=HealthState.UP, observed_at_s=self.FAILED_AT_S)
        health = up
        for _ in range(3):
            # Requests broke off before any probe failed: that alone would mean a rest.
            health = after_attempt(health, Outcome.FAILED, now_s=self.FAILED_AT_S)
        return after_probe(health, Outcome.UNREACHED, now_s=self.FAILED_AT_S + 0.5)

    def _choose(self, health: RegionHealth, now_s: float, in_flight: tuple[int, ...]) -> Choice:
        one = standing_of(Learned(health=health), region(0), now_s=now_s)
        return World(
            regions=(region(0), region(1)),
            standings=(one, one),
            permitted=RegionMask(0b11),
            moment=Moment(in_flight=in_flight),
            now_s=now_s,
        ).choose()

    def test_requests_are_served_from_the_first_good_probe_on_one_at_a_time(self) -> None:
        down = self._down()
        probed_s = self.FAILED_AT_S + 1.5
        nothing = self._choose(down, probed_s, (0, 0))
        assert (nothing.plan, nothing.is_full) == ((), False)

        half_open = after_probe(down, Outcome.OK, now_s=probed_s)
        assert self._choose(half_open, probed_s, (0, 0)).plan == (0,)
        assert self._choose(half_open, probed_s, (1, 0)).plan == (1,)
        waiting = self._choose(half_open, probed_s, (1, 1))
        assert (waiting.plan, waiting.is_full) == ((), True)

        up = after_attempt(half_open, Outcome.OK, now_s=probed_s + 0.1)
        assert self._choose(up, probed_s + 0.1, (1, 1)).plan == (0, 1)

    def test_a_request_that_hangs_in_the_trial_keeps_no_region_out(self) -> None:
        health = self._down()
        for second in range(1, 6):
            health = after_probe(health, Outcome.OK, now_s=self.FAILED_AT_S + second)
        assert self._choose(health, self.FAILED_AT_S + 5, (1, 1)).plan == (0, 1)

    def test_while_requests_cannot_be_counted_everything_goes_to_what_is_half_open_if_there_is_nothing_else(
        self,
    ) -> None:
        half_open = after_probe(self._down(), Outcome.OK, now_s=NOW_S)
        assert self._choose(half_open, NOW_S, ()).plan == (0,)
        world = World(
            regions=(region(0), region(1)),
            standings=(standing(HealthState.HALF_OPEN, 0.001), standing(latency_s=0.2)),
            permitted=RegionMask(0b11),
        )
        assert world.choose().plan == (1,)
