"""What holds for the reports of cells however they are tuned."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from extproc.core.routing.load import TARGET_UTILIZATION, LoadReport, cap_of

_NUMBERS = st.none() | st.floats(0, 1e9)


def _report(utilization: float | None, queued: float | None = None) -> LoadReport:
    return LoadReport(utilization=utilization, queued=queued, at_s=0.0)


def test_a_report_bounds_only_what_is_used_above_the_target() -> None:
    assert cap_of(_report(None), 100) == inf
    assert cap_of(_report(TARGET_UTILIZATION), 100) == inf
    assert cap_of(_report(1.0), 100) < 100


@given(_NUMBERS, _NUMBERS, st.integers(0, 100_000))
def test_a_cap_is_never_below_one(utilization: float | None, queued: float | None, in_flight: int) -> None:
    assert cap_of(_report(utilization, queued), in_flight) >= 1.0


@given(st.floats(0, 10), st.floats(0, 10), st.integers(0, 1000))
def test_more_load_never_leaves_more(one: float, other: float, in_flight: int) -> None:
    less, more = sorted((one, other))
    assert cap_of(_report(more), in_flight) <= cap_of(_report(less), in_flight)
