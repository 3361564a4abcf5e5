"""What a standing says at a time: its state, its budget, and how long that stays so."""

from dataclasses import replace
from math import inf, nextafter

import pytest
from core.routing.world import NOW_S, standings
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.routing.health import HEALTH_LIMIT_S, HealthState
from extproc.core.routing.load import FRESH_S
from extproc.core.routing.standing import LONGEST_CAP_S, SLOW_START_S, UNSEEN, Standing


def _up(**fields: float) -> Standing:
    return Standing(state=HealthState.UP, observed_at_s=NOW_S, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("since_up_s", "budget"),
    [(0.0, 10), (0.5, 10), (1.0, 20), (2.5, 50), (4.0, 80), (SLOW_START_S, 100), (3600.0, 100)],
)
def test_a_region_that_is_back_begins_with_a_tenth_and_has_all_after_five_seconds(
    since_up_s: float, budget: int
) -> None:
    assert _up(budget=100.0, up_since_s=NOW_S - since_up_s).budget_at(NOW_S) == budget


def test_a_clock_that_was_set_back_does_not_prolong_a_slow_start() -> None:
    assert _up(budget=100.0, up_since_s=NOW_S + 1).budget_at(NOW_S) == 10
    assert _up(budget=100.0, up_since_s=NOW_S + 3600).budget_at(NOW_S) == 100


def test_a_cap_holds_until_it_ends_and_not_if_it_is_of_another_time() -> None:
    capped = _up(budget=100.0, cap=7.5, cap_until_s=NOW_S + FRESH_S)
    assert capped.budget_at(NOW_S) == 7
    assert capped.budget_at(NOW_S + FRESH_S) == 100
    assert capped.budget_at(NOW_S - 3600) == 100
    assert _up(budget=5.0, cap=7.5, cap_until_s=NOW_S + 1).budget_at(NOW_S) == 5


def test_what_nothing_bounds_has_no_budget() -> None:
    assert _up().budget_at(NOW_S) is None
    assert UNSEEN.budget_at(NOW_S) is None
    assert _up(cap=2.0, cap_until_s=NOW_S + 1).budget_at(NOW_S) == 2


@pytest.mark.parametrize("state", [HealthState.HALF_OPEN, HealthState.DOWN])
def test_a_region_that_has_not_served_since_it_was_down_takes_one_at_a_time_however_old_that_is(
    state: HealthState,
) -> None:
    assert Standing(state=state, observed_at_s=NOW_S).budget_at(NOW_S) == 1
    assert Standing(state=state, observed_at_s=NOW_S - 3600).budget_at(NOW_S) == 1


@pytest.mark.slow
@given(standings(), st.sampled_from([-1e6, -20.0, -10.0, -3.0, 0.0, 0.5, 3.0, 1e6]), st.floats(0, 1))
def test_nothing_but_the_age_changes_before_the_time_that_is_told(
    standing: Standing, at_s: float, share: float
) -> None:
    now_s = NOW_S + at_s
    until_s = standing.same_until_s(now_s)
    assert until_s >= now_s
    then_s = min(now_s + share * min(until_s - now_s, 1e9), nextafter(until_s, -inf))
    if now_s <= then_s:
        assert standing.state_at(then_s) is standing.state_at(now_s)
        assert standing.budget_at(then_s) == standing.budget_at(now_s)


@given(standings(), st.floats(allow_nan=False, allow_infinity=False))
def test_no_time_raises_or_leaves_less_than_one(standing: Standing, now_s: float) -> None:
    budget = standing.budget_at(now_s)
    assert budget is None or 1 <= budget <= max(1, standing.budget)
    assert standing.state_at(now_s) in (standing.state, HealthState.UNKNOWN)


def test_the_longest_cap_is_longer_than_any_that_is_set() -> None:
    assert LONGEST_CAP_S > FRESH_S


@pytest.mark.parametrize(
    ("fields", "until_s"),
    [
        ({}, NOW_S + HEALTH_LIMIT_S),
        ({"observed_at_s": NOW_S + 100}, NOW_S + 100 - HEALTH_LIMIT_S),
        ({"cap_until_s": NOW_S + 2}, NOW_S + 2),
        ({"cap_until_s": NOW_S + LONGEST_CAP_S + 1}, NOW_S + 1),
        ({"up_since_s": NOW_S + SLOW_START_S + 1}, NOW_S + 1),
        ({"up_since_s": NOW_S - 1}, NOW_S),
        ({"observed_at_s": NOW_S - 100}, inf),
    ],
)
def test_what_changes_next_is_known(fields: dict[str, float], until_s: float) -> None:
    assert replace(_up(), **fields).same_until_s(NOW_S) == until_s  # type: ignore[arg-type]
