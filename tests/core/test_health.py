"""How region health changes with what is observed."""

import pytest

from extproc.core.routing.health import (
    FAILURES_UNTIL_DOWN,
    HEALTH_LIMIT_S,
    LATENCIES_KEPT,
    NEVER_OBSERVED,
    HealthState,
    Outcome,
    RegionHealth,
    after_attempt,
    after_probe,
)

UP = RegionHealth(state=HealthState.UP, observed_at_s=100.0, latencies_s=(0.01,))
DOWN = RegionHealth(state=HealthState.DOWN, observed_at_s=100.0, latencies_s=(0.01,), failures=3)


def test_a_state_is_unknown_once_it_is_too_old() -> None:
    assert UP.state_at(100.0 + HEALTH_LIMIT_S) is HealthState.UP
    assert UP.state_at(100.1 + HEALTH_LIMIT_S) is HealthState.UNKNOWN
    assert DOWN.state_at(100.1 + HEALTH_LIMIT_S) is HealthState.UNKNOWN


@pytest.mark.parametrize("before", [UP, NEVER_OBSERVED])
def test_one_failure_to_connect_takes_a_region_down(before: RegionHealth) -> None:
    assert after_attempt(before, Outcome.UNREACHED, now_s=101.0).state is HealthState.DOWN
    assert after_probe(before, Outcome.UNREACHED, latency_s=0.1, now_s=101.0).state is HealthState.DOWN


def test_other_failures_count_when_they_repeat() -> None:
    health = UP
    for _ in range(FAILURES_UNTIL_DOWN - 1):
        health = after_attempt(health, Outcome.FAILED, now_s=101.0)
        assert health.state is HealthState.UP
    assert after_attempt(health, Outcome.FAILED, now_s=101.0).state is HealthState.DOWN


def test_a_success_between_failures_starts_the_count_anew() -> None:
    health = after_attempt(after_attempt(UP, Outcome.FAILED, now_s=101.0), Outcome.OK, now_s=102.0)
    assert health == RegionHealth(state=HealthState.UP, observed_at_s=102.0, latencies_s=(0.01,))


def test_only_a_probe_brings_a_region_back() -> None:
    assert after_attempt(DOWN, Outcome.OK, now_s=101.0) == DOWN
    back = after_probe(DOWN, Outcome.OK, latency_s=0.01, now_s=101.0)
    assert (back.state, back.failures) == (HealthState.UP, 0)


def test_latency_is_the_least_of_the_latest_probes() -> None:
    health = after_probe(NEVER_OBSERVED, Outcome.OK, latency_s=0.5, now_s=0.0)
    assert health.latency_s == 0.5
    health = after_probe(health, Outcome.OK, latency_s=0.1, now_s=1.0)
    assert health.latency_s == 0.1
    for second in range(LATENCIES_KEPT):
        health = after_probe(health, Outcome.OK, latency_s=0.2, now_s=2.0 + second)
    assert health.latency_s == 0.2
    assert len(health.latencies_s) == LATENCIES_KEPT


def test_latencies_from_before_an_outage_do_not_count() -> None:
    back = after_probe(DOWN, Outcome.OK, latency_s=0.3, now_s=101.0)
    assert back.latency_s == 0.3
    assert NEVER_OBSERVED.latency_s is None
