"""How long requests take while nothing is in their way, as it is learned from those that ended."""

from math import inf, log

import pytest

from extproc.core.routing.pace import GIVES_WAY, SAMPLE, SAMPLE_S, WINDOW_S, Pace, first, paced

NOW_S = 1_800_000_000.0
USUAL, SLOW = log(0.1), log(0.5)


def _paced(pace: Pace, logarithm: float, *, from_s: float, seconds: float) -> Pace:
    """Take 20 requests a second."""
    for n in range(int(20 * seconds)):
        pace = paced(pace, logarithm, now_s=from_s + n / 20)
    return pace


def test_the_first_few_are_the_baseline_until_there_is_a_mean() -> None:
    pace = paced(first(USUAL, now_s=NOW_S), SLOW, now_s=NOW_S)
    assert pace.low == inf
    assert pace.baseline == pytest.approx((USUAL + SLOW) / 2)


def test_a_mean_needs_both_enough_requests_and_enough_time() -> None:
    pace = first(USUAL, now_s=NOW_S)
    for n in range(10 * SAMPLE):
        pace = paced(pace, USUAL, now_s=NOW_S + SAMPLE_S * n / (10 * SAMPLE))
    assert (pace.requests, pace.low) == (10 * SAMPLE + 1, inf)
    pace = paced(pace, USUAL, now_s=NOW_S + SAMPLE_S)
    assert (pace.requests, pace.total, pace.began_s) == (0, 0.0, NOW_S + SAMPLE_S)
    assert pace.low == pytest.approx(USUAL)
    assert pace.lowest == pytest.approx(USUAL)


def test_what_gets_slower_is_believed_after_one_to_two_windows_but_its_best_gives_way_slowly() -> None:
    pace = _paced(first(USUAL, now_s=NOW_S), USUAL, from_s=NOW_S, seconds=10)
    pace = _paced(pace, SLOW, from_s=NOW_S + 10, seconds=WINDOW_S)
    # The window has turned: the new one has slow means alone, and that of before still counts.
    assert pace.low == pytest.approx(SLOW)
    assert pace.before == pytest.approx(USUAL)
    assert pace.baseline == pytest.approx(USUAL)
    pace = _paced(pace, SLOW, from_s=NOW_S + 10 + WINDOW_S, seconds=WINDOW_S)
    assert pace.baseline == pytest.approx(SLOW)
    assert pace.lowest == pytest.approx(USUAL + 2 * GIVES_WAY)


def test_what_gets_faster_is_believed_with_the_next_mean() -> None:
    pace = _paced(first(SLOW, now_s=NOW_S), SLOW, from_s=NOW_S, seconds=10)
    pace = _paced(pace, USUAL, from_s=NOW_S + 10, seconds=2 * SAMPLE_S + 1)
    assert pace.baseline == pytest.approx(USUAL)
    assert pace.lowest == pytest.approx(USUAL)


def test_a_clock_that_was_set_back_keeps_neither_a_mean_nor_a_window_open() -> None:
    pace = _paced(first(SLOW, now_s=NOW_S), SLOW, from_s=NOW_S, seconds=10)
    back_s = NOW_S - 86_400
    pace = _paced(pace, USUAL, from_s=back_s, seconds=3 * SAMPLE_S)
    assert back_s <= pace.since_s <= pace.began_s < NOW_S
    assert pace.baseline == pytest.approx(USUAL, abs=1.0)
    assert pace.before == pytest.approx(SLOW)
