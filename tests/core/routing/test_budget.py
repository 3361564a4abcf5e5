"""What holds for budgets however they are tuned, in any course of events."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.routing.budget import (
    DECREASE,
    FADED,
    KEPT,
    LEAST,
    MOST,
    NEEDED,
    Budget,
    eased,
    grown,
    seeded,
    shrunk,
)

NOW_S = 1_800_000_000.0
_CAPACITIES = st.none() | st.integers(0, 20_000)
_EVENTS = st.lists(
    st.tuples(st.booleans(), st.integers(-1, 20_000), st.sampled_from([0.0, 0.01, 0.3, 5.0, 1e6, -0.1, -1e6])),
    max_size=60,
)


def _run(capacity: int | None, events: list[tuple[bool, int, float]]) -> tuple[Budget, float]:
    budget, now_s = seeded(capacity), NOW_S
    for went_well, in_flight, passed_s in events:
        now_s += passed_s
        budget = grown(budget, in_flight) if went_well else shrunk(budget, in_flight, now_s=now_s)
    return budget, now_s


def test_a_budget_begins_with_what_is_declared() -> None:
    assert seeded(64).size == 64.0
    assert seeded(None).size >= LEAST
    assert seeded(0).size == LEAST


@pytest.mark.slow
@given(_CAPACITIES, _EVENTS)
def test_a_budget_stays_between_the_least_and_the_most(
    capacity: int | None, events: list[tuple[bool, int, float]]
) -> None:
    budget, _ = _run(capacity, events)
    assert LEAST <= budget.size <= max(MOST, float(capacity or 0)) < inf


@pytest.mark.slow
@given(_CAPACITIES, _EVENTS, st.integers(-1, 20_000))
def test_success_never_shrinks_what_is_used_and_congestion_never_grows_a_budget(
    capacity: int | None, events: list[tuple[bool, int, float]], in_flight: int
) -> None:
    budget, now_s = _run(capacity, events)
    assert grown(budget, in_flight).size <= budget.size + 1
    assert grown(budget, int(budget.size) + 1).size >= min(budget.size, MOST)
    assert shrunk(budget, in_flight, now_s=now_s + 60).size <= budget.size


@pytest.mark.slow
@given(_CAPACITIES, _EVENTS, st.floats(0, 1e6))
def test_congestion_that_lasts_shrinks_a_budget_whatever_the_clock_did(
    capacity: int | None, events: list[tuple[bool, int, float]], step_s: float
) -> None:
    budget, now_s = _run(capacity, events)
    before = budget.size
    now_s -= step_s
    for second in range(60):
        budget = shrunk(budget, int(budget.size), now_s=now_s + second)
    assert budget.size < before or before <= max(LEAST, 0.2 * before, budget.size)


def test_what_is_hardly_used_does_not_grow() -> None:
    budget = seeded(100)
    assert grown(budget, 1).size <= 100
    assert grown(budget, 100).size > 100


def test_one_congestion_shrinks_once() -> None:
    once = shrunk(seeded(100), 100, now_s=NOW_S)
    assert once.size < 100
    assert shrunk(once, 100, now_s=NOW_S + 0.01) == once
    assert shrunk(once, 100, now_s=NOW_S + 60).size < once.size


def test_a_sign_of_congestion_does_not_shrink_what_is_hardly_used() -> None:
    budget = seeded(100)
    assert eased(budget, int(NEEDED * 100) - 1, took_s=0.1, now_s=NOW_S) == budget
    assert eased(budget, 100, took_s=0.1, now_s=NOW_S).size == DECREASE * 100


def test_no_budget_is_eased_twice_while_a_request_takes() -> None:
    once = eased(seeded(100), 100, took_s=3.0, now_s=NOW_S)
    assert eased(once, 100, took_s=3.0, now_s=NOW_S + 2.9) == once
    assert eased(once, 100, took_s=3.0, now_s=NOW_S + 3.0).size < once.size


def test_what_is_hardly_used_fades_but_leaves_room_for_what_comes_all_at_once() -> None:
    budget = seeded(100)
    assert grown(budget, 1).size < 100
    for _ in range(10_000):
        budget = grown(budget, 1)
    assert budget.size == FADED


def test_a_budget_is_never_below_a_share_of_what_went_well() -> None:
    budget = grown(seeded(100), 100)
    for second in range(60):
        budget = shrunk(budget, 100, now_s=NOW_S + second)
    assert budget.size == pytest.approx(KEPT * budget.proven)
    assert budget.proven > 100
