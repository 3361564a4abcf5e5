"""What holds for what is learned of a region however it is tuned, in any course of events."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import Country, ModelId, RegionId
from extproc.core.routing.budget import LEAST, Budget
from extproc.core.routing.health import HealthState, Outcome
from extproc.core.routing.learn import (
    CAP_STEP_S,
    CAPPED,
    COARSE_SHARE,
    EXCESS_SETTLED_SHARE,
    LATENCIES_KEPT,
    MODELS_KEPT,
    Learned,
    Probed,
    Tried,
    after_attempt,
    after_probe,
    coarse,
    slo_of,
    standing_of,
    unlearned,
)
from extproc.core.routing.load import FRESH_S, LoadReport
from extproc.core.tables import Approval, Region

NOW_S = 1_800_000_000.0
DIGITS, FRAUD = ModelId("digits"), ModelId("fraud")
OK = Outcome.OK


def _region(*, capacity: int | None = 64, slo_s: float | None = 0.3) -> Region:
    return Region(
        id=RegionId("eu-fra"),
        country=Country("DE"),
        cluster="eu-fra",
        models={DIGITS: Approval(slo_s=0.1), FRAUD: Approval()},
        capacity=capacity,
        slo_s=slo_s,
    )


REGION = _region()


def _tried(duration_s: float = 0.01, outcome: Outcome | None = OK, *, in_flight: int = 1) -> Tried:
    return Tried(outcome=outcome, duration_s=duration_s, model=DIGITS, in_flight=in_flight)


_LOADS = st.none() | st.builds(
    LoadReport, utilization=st.none() | st.floats(0, 2), queued=st.none(), at_s=st.just(NOW_S)
)
_DURATIONS = st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.5, 30.0, 1e9])
_ATTEMPTS = st.builds(
    Tried,
    outcome=st.none() | st.sampled_from([OK, OK, OK, *Outcome]),
    duration_s=_DURATIONS,
    model=st.sampled_from([None, DIGITS, FRAUD, ModelId("made-up")]),
    in_flight=st.sampled_from([-1, 0, 1, 10, 64, 5000]),
    load=_LOADS,
)
_PROBES = st.builds(Probed, outcome=st.sampled_from([OK, OK, *Outcome]), latency_s=_DURATIONS, load=_LOADS)
_EVENTS = st.lists(
    st.tuples(_ATTEMPTS | _PROBES, st.sampled_from([0.0, 0.001, 0.2, 1.0, 20.0, 1e6, -0.5, -1e6])), max_size=40
)
_Events = list[tuple[Tried | Probed, float]]


def _run(events: _Events) -> tuple[Learned, float]:
    learned, now_s = unlearned(REGION), NOW_S
    for event, passed_s in events:
        now_s += passed_s
        if isinstance(event, Tried):
            learned = after_attempt(learned, event, REGION, now_s=now_s)
        else:
            learned = after_probe(learned, event, in_flight=3, now_s=now_s)
    return learned, now_s


@pytest.mark.slow
@given(_EVENTS, st.sampled_from([0.0, 1.0, 20.0, 1e6, -1e6]))
def test_no_course_of_events_raises_or_leaves_a_standing_that_makes_no_sense(events: _Events, later_s: float) -> None:
    learned, now_s = _run(events)
    standing = standing_of(learned, REGION, now_s=now_s)
    then_s = now_s + later_s
    budget = standing.budget_at(then_s)
    assert LEAST <= standing.budget < inf
    assert budget is not None
    assert budget >= 1
    assert standing.state is learned.health.state
    assert standing.latency_s is None or 0.0 <= standing.latency_s < inf
    assert len(learned.probe_latencies_s) <= LATENCIES_KEPT


@pytest.mark.slow
@given(_EVENTS)
def test_what_says_nothing_of_the_region_changes_nothing(events: _Events) -> None:
    learned, now_s = _run(events)
    assert after_attempt(learned, _tried(outcome=None), REGION, now_s=now_s) == learned


@pytest.mark.slow
@given(_EVENTS)
def test_the_same_events_teach_the_same(events: _Events) -> None:
    assert _run(events) == _run(events)


@pytest.mark.slow
@given(_EVENTS, st.sampled_from([Outcome.FAILED, Outcome.UNREACHED]))
def test_a_failure_never_grows_a_budget(events: _Events, outcome: Outcome) -> None:
    learned, now_s = _run(events)
    after = after_attempt(learned, _tried(outcome=outcome), REGION, now_s=now_s + 60)
    assert after.budget.size <= learned.budget.size
    assert (
        after_probe(learned, Probed(outcome=outcome, latency_s=1.0), in_flight=1, now_s=now_s).budget == learned.budget
    )


def test_a_region_is_first_known_by_what_the_policy_declares() -> None:
    standing = standing_of(unlearned(REGION), REGION, now_s=NOW_S)
    assert (standing.state, standing.budget, standing.latency_s) == (HealthState.UNKNOWN, 64.0, None)


def _probed(learned: Learned, *latencies_s: float, from_s: float = NOW_S) -> Learned:
    for second, latency_s in enumerate(latencies_s):
        learned = after_probe(learned, Probed(outcome=OK, latency_s=latency_s), in_flight=0, now_s=from_s + second)
    return learned


def test_latency_is_the_least_of_the_latest_probes() -> None:
    learned = _probed(unlearned(REGION), 0.5)
    assert learned.latency_s == 0.5
    learned = _probed(learned, 0.1, *[0.2] * (LATENCIES_KEPT - 1))
    assert learned.latency_s == 0.1
    assert _probed(learned, 0.2).latency_s == 0.2


def test_two_regions_that_are_equally_far_do_not_change_places_with_every_probe() -> None:
    learned = _probed(unlearned(REGION), 0.1)
    assert _probed(learned, 0.095, 0.099, 0.093).latency_s == 0.1
    assert _probed(learned, 0.08).latency_s == 0.08


def test_latencies_from_before_an_outage_do_not_count() -> None:
    learned = _probed(unlearned(REGION), 0.01)
    down = after_probe(learned, Probed(outcome=Outcome.UNREACHED, latency_s=1.0), in_flight=0, now_s=NOW_S + 1)
    assert _probed(down, 0.3, from_s=NOW_S + 2).latency_s == 0.3


def test_a_report_bounds_the_budget_while_it_is_fresh() -> None:
    report = LoadReport(utilization=1.7, queued=None, at_s=NOW_S)
    learned = after_probe(unlearned(REGION), Probed(outcome=OK, latency_s=0.01, load=report), in_flight=20, now_s=NOW_S)
    standing = standing_of(learned, REGION, now_s=NOW_S)
    assert (standing.budget_at(NOW_S) or 0) < 64
    assert standing.budget_at(NOW_S + FRESH_S) == 64


@pytest.mark.parametrize(
    ("region", "model", "slo_s"),
    [
        (REGION, DIGITS, 0.1),
        (REGION, FRAUD, 0.3),
        (REGION, ModelId("made-up"), 0.3),
        (REGION, None, 0.3),
        (_region(slo_s=None), FRAUD, None),
        (_region(slo_s=None), DIGITS, 0.1),
    ],
)
def test_a_model_has_its_own_promise_or_the_regions(region: Region, model: ModelId | None, slo_s: float | None) -> None:
    assert slo_of(region, model) == slo_s


def test_a_region_that_keeps_missing_its_promise_is_told_and_is_tried_again_some_time() -> None:
    learned, now_s = _probed(unlearned(REGION), 0.01), NOW_S
    assert not standing_of(learned, REGION, now_s=now_s).missing_slo
    for n in range(50):
        now_s = NOW_S + 0.1 * n
        learned = after_attempt(learned, _tried(0.2), REGION, now_s=now_s)
    assert standing_of(learned, REGION, now_s=now_s).missing_slo
    # Nothing is sent there while others keep theirs, so only time can bring it back.
    assert not standing_of(learned, REGION, now_s=now_s + 60).missing_slo
    without = Region(id=REGION.id, country=REGION.country, cluster=REGION.cluster, models={})
    assert not standing_of(learned, without, now_s=now_s).missing_slo


def test_requests_that_take_no_longer_than_usual_are_no_congestion() -> None:
    learned = unlearned(REGION)
    for n in range(500):
        learned = after_attempt(learned, _tried(0.01, in_flight=64), REGION, now_s=NOW_S + 0.01 * n)
    assert learned.budget.size >= 64


def test_a_region_that_gets_five_times_slower_sheds_within_two_seconds() -> None:
    learned, now_s = unlearned(REGION), NOW_S
    for n in range(400):
        now_s = NOW_S + 0.01 * n
        learned = after_attempt(learned, _tried(0.05, in_flight=64), REGION, now_s=now_s)
    before = standing_of(learned, REGION, now_s=now_s)
    for n in range(200):
        learned = after_attempt(learned, _tried(0.25, in_flight=64), REGION, now_s=now_s + 0.01 * n)
    after = standing_of(learned, REGION, now_s=now_s + 2)
    assert after.budget < before.budget


def test_a_client_that_makes_up_models_does_not_fill_the_memory() -> None:
    learned = unlearned(REGION)
    for n in range(500):
        tried = Tried(outcome=OK, duration_s=0.01, model=ModelId(f"model-{n}"), in_flight=1)
        learned = after_attempt(learned, tried, REGION, now_s=NOW_S + n)
    assert len(learned.paces) < 100


def test_the_model_goes_of_which_nothing_was_heard_for_longest() -> None:
    learned, now_s = unlearned(REGION), NOW_S
    for n in range(MODELS_KEPT):
        tried = Tried(outcome=OK, duration_s=0.01, model=ModelId(f"model-{n}"), in_flight=1)
        learned = after_attempt(learned, tried, REGION, now_s=NOW_S + n)
    # A model that is asked for all the time gets a new window, so it is not the oldest any more.
    for n in range(400):
        now_s = NOW_S + MODELS_KEPT + 0.1 * n
        tried = Tried(outcome=OK, duration_s=0.01, model=ModelId("model-0"), in_flight=1)
        learned = after_attempt(learned, tried, REGION, now_s=now_s)
    learned = after_attempt(learned, _tried(), REGION, now_s=now_s)
    assert len(learned.paces) == MODELS_KEPT
    assert {ModelId("model-0"), ModelId("model-2"), DIGITS} <= learned.paces.keys()
    assert ModelId("model-1") not in learned.paces


def test_an_attempt_that_says_nothing_teaches_nothing() -> None:
    learned = after_attempt(unlearned(REGION), _tried(), REGION, now_s=NOW_S)
    assert after_attempt(learned, _tried(9.0, outcome=None), REGION, now_s=NOW_S + 1) is learned


class TestCaps:
    """What a cell says of its load in its answers, while 60 requests are in the region."""

    @staticmethod
    def _told(learned: Learned, utilization: float, *, now_s: float, outcome: Outcome = OK) -> Learned:
        load = LoadReport(utilization=utilization, queued=None, at_s=now_s)
        tried = Tried(outcome=outcome, duration_s=0.01, model=DIGITS, in_flight=60, load=load)
        return after_attempt(learned, tried, REGION, now_s=now_s)

    @pytest.mark.parametrize("outcome", [OK, Outcome.FAILED])
    def test_an_answer_bounds_the_budget_while_it_is_fresh(self, outcome: Outcome) -> None:
        learned = self._told(unlearned(REGION), 1.275, now_s=NOW_S, outcome=outcome)
        assert learned.cap == pytest.approx(40.0)
        assert learned.cap_until_s == NOW_S + FRESH_S

    def test_one_cell_does_not_lift_what_is_known_of_the_fullest(self) -> None:
        learned = self._told(unlearned(REGION), 1.275, now_s=NOW_S)
        assert self._told(learned, 0.9, now_s=NOW_S + 1).cap == learned.cap
        fuller = self._told(learned, 1.5, now_s=NOW_S + 1)
        assert fuller.cap == pytest.approx(34.0)
        assert fuller.cap_until_s == NOW_S + 1 + FRESH_S

    def test_what_has_ended_or_is_of_before_the_clock_was_set_back_is_lifted(self) -> None:
        learned = self._told(unlearned(REGION), 1.275, now_s=NOW_S)
        for now_s in (NOW_S + FRESH_S, NOW_S - 3600):
            after = self._told(learned, 0.9, now_s=now_s)
            assert after.cap == pytest.approx(60 * 0.85 / 0.9)
            assert after.cap_until_s == now_s + FRESH_S

    def test_no_report_takes_more_than_half(self) -> None:
        assert self._told(unlearned(REGION), 100.0, now_s=NOW_S).cap == CAPPED * 64

    def test_reports_that_bound_nothing_are_not_seen(self) -> None:
        learned = self._told(unlearned(REGION), 0.2, now_s=NOW_S)
        assert learned.cap_until_s == NOW_S + FRESH_S
        standing = standing_of(learned, REGION, now_s=NOW_S)
        assert (standing.cap, standing.cap_until_s) == (inf, 0.0)

    def test_reports_of_a_load_that_stays_are_one_to_decisions_for_half_a_second(self) -> None:
        learned, standings = unlearned(REGION), set()
        for n in range(50):
            learned = self._told(learned, 1.275, now_s=NOW_S + 0.01 * n)
            standing = standing_of(learned, REGION, now_s=NOW_S)
            standings.add((standing.cap, standing.cap_until_s))
            assert learned.cap_until_s - CAP_STEP_S < standing.cap_until_s <= learned.cap_until_s
        assert len(standings) == 1


class TestCoarse:
    def test_small_numbers_are_seen_as_they_are(self) -> None:
        assert [coarse(size) for size in (1.0, 2.9, 39.99)] == [1.0, 2.0, 39.0]

    @given(st.floats(1.0, 1e6), st.floats(1.0, 1e6))
    def test_never_more_and_hardly_less_and_never_in_another_order(self, one: float, other: float) -> None:
        seen = coarse(one)
        assert 1.0 <= seen <= one
        assert one - seen < max(1.0, one / COARSE_SHARE) + 1.0
        assert coarse(min(one, other)) <= coarse(max(one, other))

    def test_a_budget_that_grows_is_seen_to_grow_in_few_steps(self) -> None:
        sizes = [200 + 0.1 * n for n in range(1000)]
        seen = {standing_of(Learned(budget=Budget(size=size)), REGION, now_s=NOW_S).budget for size in sizes}
        assert 10 <= len(seen) <= 20


class TestExcess:
    """What a region takes longer than at its best counts as latency while it is slow."""

    @staticmethod
    def _course(*durations_s: float) -> tuple[list[float], Learned, float]:
        """Give what is seen after each of the durations, 100 a second after 20 s of the usual."""
        learned, now_s, seen = _probed(unlearned(REGION), 0.01), NOW_S, []
        for n, duration_s in enumerate([0.1] * 2000 + list(durations_s)):
            now_s = NOW_S + 0.01 * n
            learned = after_attempt(learned, _tried(duration_s), REGION, now_s=now_s)
            seen.append(standing_of(learned, REGION, now_s=now_s).latency_s or 0.0)
        return seen[2000:], learned, now_s

    def test_a_region_that_is_slow_is_seen_farther_by_what_it_takes_longer(self) -> None:
        seen, learned, now_s = self._course(*[0.5] * 100)
        assert seen[-1] == pytest.approx(0.01 + 0.4, rel=EXCESS_SETTLED_SHARE)
        assert standing_of(learned, REGION, now_s=now_s + 60).latency_s == 0.01
        assert self._course(*[0.5] * 100, *[0.1] * 100)[0][-1] == 0.01

    @pytest.mark.slow
    def test_while_it_stays_as_slow_it_is_hardly_ever_seen_to_change(self) -> None:
        seen, learned, now_s = self._course(*[0.6, 0.4, 0.7, 0.5, 0.3, 0.5] * 100)
        settled = seen[100:]
        assert len(set(settled)) <= 2
        measured_s = 0.01 + learned.recent.excess_at(now_s)
        assert settled[-1] == pytest.approx(measured_s, rel=EXCESS_SETTLED_SHARE)

    def test_failures_count_as_slow_too_and_are_forgotten_with_an_outage(self) -> None:
        _, learned, now_s = self._course()
        for n in range(10):
            learned = after_attempt(learned, _tried(outcome=Outcome.FAILED), REGION, now_s=now_s + 0.01 * n)
        assert (standing_of(learned, REGION, now_s=now_s + 0.1).latency_s or 0.0) > 0.1
        back = _probed(learned, 0.01, from_s=now_s + 0.1)
        assert standing_of(back, REGION, now_s=now_s + 0.1).latency_s == 0.01
