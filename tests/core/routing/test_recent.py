"""What the latest attempts say together: congestion, slowness, and promises that are missed."""

from math import log

import pytest

from extproc.core.routing.recent import (
    AT_LEAST,
    EXPIRES_S,
    JUDGED,
    JUDGED_AT_LEAST,
    MOST,
    NOTHING_MISSING,
    NOTHING_RECENT,
    WEIGHT,
    Missing,
    Recent,
    forgotten,
    judged,
    seen,
)

NOW_S = 1_800_000_000.0
BEST = log(0.1)
FIVE_TIMES = log(5)


def _seen(slowness: float, count: int, *, recent: Recent = NOTHING_RECENT, from_s: float = NOW_S) -> Recent:
    for n in range(count):
        recent = seen(recent, slowness, slowness, BEST, from_s + 0.1 * n)
    return recent


def test_what_is_as_usual_is_neither_congested_nor_slow() -> None:
    recent = _seen(0.0, 50)
    assert not recent.is_congested
    assert not recent.is_slow
    assert recent.excess_at(NOW_S + 5) == 0.0


def test_one_attempt_that_is_slow_says_little_and_many_say_by_how_much() -> None:
    assert not _seen(FIVE_TIMES, 1).is_congested
    recent = _seen(FIVE_TIMES, 60)
    assert recent.is_congested
    assert recent.is_slow
    assert recent.excess_at(recent.at_s) == pytest.approx(0.1 * (5 - 1), rel=0.01)


def test_no_attempt_counts_for_more_than_the_most() -> None:
    assert seen(NOTHING_RECENT, 100.0, 100.0, BEST, NOW_S).slowness == WEIGHT * MOST
    fast = _seen(-100.0, 1000)
    assert fast.slowness == pytest.approx(-1.0)
    assert fast.worse == pytest.approx(-1.0)


def test_fewer_than_enough_attempts_make_no_average() -> None:
    few = Recent(AT_LEAST - 1, MOST, MOST, BEST, 0.0, NOW_S)
    assert not few.is_congested
    assert not few.is_slow
    assert few._replace(attempts=AT_LEAST).is_slow


def test_where_attempts_differ_much_among_themselves_it_takes_more() -> None:
    recent = Recent(AT_LEAST, 1.0, 1.0, BEST, 0.0, NOW_S)
    assert recent.is_congested
    assert recent.is_slow
    spread = recent._replace(spread=0.8)
    assert not spread.is_congested
    assert not spread.is_slow


@pytest.mark.parametrize("passed_s", [EXPIRES_S, 3600.0, -0.1, -86_400.0])
def test_what_is_too_old_or_of_before_the_clock_was_set_back_is_forgotten(passed_s: float) -> None:
    recent = _seen(FIVE_TIMES, 60)
    now_s = recent.at_s + passed_s
    assert recent.excess_at(now_s) == 0.0
    again = seen(recent, 0.0, 0.0, BEST, now_s)
    assert (again.attempts, again.slowness, again.spread) == (1, 0.0, recent.spread)


def test_only_how_much_attempts_differ_outlives_an_outage() -> None:
    recent = _seen(FIVE_TIMES, 60)
    assert recent.spread > 0.0
    assert forgotten(recent) == NOTHING_RECENT._replace(spread=recent.spread)


class TestPromises:
    @staticmethod
    def _judged(*missed: bool) -> Missing:
        missing = NOTHING_MISSING
        for each in missed:
            missing = judged(missing, each, NOW_S)
        return missing

    def test_a_promise_is_missed_when_more_than_half_of_enough_attempts_missed_it(self) -> None:
        assert not self._judged(*[True] * (JUDGED_AT_LEAST - 1)).at(NOW_S)
        assert self._judged(*[True] * JUDGED_AT_LEAST).at(NOW_S)
        assert not self._judged(*[True, False] * JUDGED_AT_LEAST).at(NOW_S)

    def test_only_the_latest_are_judged(self) -> None:
        missing = self._judged(*[True] * 100, *[False] * (JUDGED // 2))
        assert (missing.judged, missing.at(NOW_S)) == (JUDGED, False)
        assert self._judged(*[True] * 100, *[False] * (JUDGED // 2 - 1)).at(NOW_S)

    @pytest.mark.parametrize("passed_s", [EXPIRES_S, -1.0])
    def test_it_is_forgotten_like_all_that_is_recent(self, passed_s: float) -> None:
        missing = self._judged(*[True] * JUDGED)
        assert not missing.at(NOW_S + passed_s)
        assert judged(missing, True, NOW_S + passed_s).judged == 1  # noqa: FBT003 - a bit
