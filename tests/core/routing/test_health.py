"""How a region's health changes with what is observed, and with time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.routing.health import (
    FAILING_SHARE,
    FAILURES_UNTIL_DOWN,
    FORGIVEN_AFTER_S,
    HEALTH_LIMIT_S,
    LONGEST_REST_S,
    NEVER_OBSERVED,
    PROBES_UNTIL_UP,
    REPEATS_WITHIN_S,
    REST_S,
    HealthState,
    Outcome,
    RegionHealth,
    after_attempt,
    after_probe,
)

OK, FAILED, UNREACHED = Outcome.OK, Outcome.FAILED, Outcome.UNREACHED
UP = RegionHealth(state=HealthState.UP, observed_at_s=100.0)
DOWN = RegionHealth(state=HealthState.DOWN, observed_at_s=100.0)
HALF_OPEN = after_probe(DOWN, OK, now_s=100.0)


def tried(health: RegionHealth, *outcomes: Outcome, now_s: float = 101.0) -> RegionHealth:
    for outcome in outcomes:
        health = after_attempt(health, outcome, now_s=now_s)
    return health


def probed(health: RegionHealth, *outcomes: Outcome, from_s: float = 101.0) -> RegionHealth:
    """Probe once a second."""
    for second, outcome in enumerate(outcomes):
        health = after_probe(health, outcome, now_s=from_s + second)
    return health


def resting(rests: int = 1, *, from_s: float = 100.0) -> RegionHealth:
    """Give a region that failed requests while its probes were good, for the so-manyth time."""
    before = UP._replace(observed_at_s=from_s, rests=rests - 1)
    return tried(before, *[FAILED] * FAILURES_UNTIL_DOWN, now_s=from_s)


class TestAge:
    def test_a_state_is_unknown_once_it_is_too_old(self) -> None:
        assert UP.state_at(99.9 + HEALTH_LIMIT_S) is HealthState.UP
        assert UP.state_at(100.0 + HEALTH_LIMIT_S) is HealthState.UNKNOWN
        assert DOWN.state_at(100.0 + HEALTH_LIMIT_S) is HealthState.UNKNOWN

    def test_a_state_from_long_after_now_is_unknown_too(self) -> None:
        """The clock was set back, and a region must not be down until the clock is there again."""
        assert DOWN.state_at(99.0) is HealthState.DOWN
        assert DOWN.state_at(99.9 - HEALTH_LIMIT_S) is HealthState.UNKNOWN

    def test_a_failure_does_not_make_an_old_state_believable_again(self) -> None:
        late_s = 100.0 + 2 * HEALTH_LIMIT_S
        assert after_probe(UP, FAILED, now_s=late_s).state is HealthState.UNKNOWN
        assert after_attempt(UP, FAILED, now_s=late_s).state is HealthState.UNKNOWN

    def test_a_region_that_was_down_and_is_not_probed_comes_back_with_its_first_good_request(self) -> None:
        late_s = 100.0 + 2 * HEALTH_LIMIT_S
        back = after_attempt(DOWN, OK, now_s=late_s)
        assert (back.state, back.up_since_s) == (HealthState.UP, late_s)
        assert after_attempt(DOWN, FAILED, now_s=late_s).state is HealthState.DOWN


class TestGoingDown:
    @pytest.mark.parametrize("before", [UP, NEVER_OBSERVED])
    def test_one_failure_to_connect_is_enough(self, before: RegionHealth) -> None:
        assert tried(before, UNREACHED).state is HealthState.DOWN
        assert probed(before, UNREACHED).state is HealthState.DOWN

    @pytest.mark.parametrize("observe", [tried, probed])
    def test_other_failures_count_when_they_repeat(self, observe: type) -> None:
        assert observe(UP, FAILED, FAILED).state is HealthState.UP
        assert observe(UP, FAILED, FAILED, FAILED).state is HealthState.DOWN

    def test_a_success_between_failures_starts_the_count_anew(self) -> None:
        assert tried(UP, FAILED, FAILED, OK, FAILED, FAILED).state is HealthState.UP

    def test_good_probes_do_not_make_up_for_requests_that_fail(self) -> None:
        health = UP
        for second in range(FAILURES_UNTIL_DOWN):
            assert health.state is HealthState.UP
            health = after_probe(health, OK, now_s=101.0 + second)
            health = after_attempt(health, FAILED, now_s=101.5 + second)
        assert health.state is HealthState.DOWN

    def test_rare_failures_do_not_add_up(self) -> None:
        health = UP
        for minute in range(10):
            now_s = 160.0 + 60 * minute
            health = after_attempt(after_probe(health, OK, now_s=now_s), FAILED, now_s=now_s)
        assert (health.state, health.failures) == (HealthState.UP, 1)

    def test_failures_from_long_after_now_do_not_add_up(self) -> None:
        """The clock was set back between them."""
        assert tried(tried(UP, FAILED, FAILED, now_s=4000.0), FAILED, now_s=101.0).failures == 1

    def test_a_region_that_fails_every_other_request_goes_down(self) -> None:
        """One of two cells is broken, so there are never three failures in a row."""
        health, count = UP, 0
        while health.state is HealthState.UP:
            health = tried(health, OK, FAILED)
            count += 2
        assert 10 <= count <= 40
        assert health.failing >= FAILING_SHARE

    def test_a_region_that_fails_one_request_in_four_stays(self) -> None:
        assert tried(UP, *[FAILED, OK, OK, OK] * 200).state is HealthState.UP

    def test_a_request_that_succeeds_makes_up_for_probes_that_fail(self) -> None:
        """Our probes may be cut off where requests are not."""
        health = UP
        for second in range(20):
            health = after_probe(health, FAILED, now_s=101.0 + second)
            health = after_attempt(health, OK, now_s=101.5 + second)
        assert health.state is HealthState.UP


class TestComingBack:
    def test_only_a_probe_brings_a_region_back(self) -> None:
        assert tried(DOWN, OK) == DOWN
        assert probed(DOWN, OK).state is HealthState.HALF_OPEN

    def test_the_first_good_request_brings_it_up_and_begins_a_slow_start(self) -> None:
        assert tried(HALF_OPEN, OK, now_s=101.0) == RegionHealth(
            state=HealthState.UP, observed_at_s=101.0, up_since_s=101.0
        )

    @pytest.mark.parametrize("outcome", [FAILED, UNREACHED])
    def test_one_more_failure_takes_it_down_again(self, outcome: Outcome) -> None:
        by_request, by_probe = tried(HALF_OPEN, outcome), probed(HALF_OPEN, outcome)
        assert (by_request.state, by_probe.state) == (HealthState.DOWN, HealthState.DOWN)
        # Its probe had just been good, so a request's failure needs a rest, and a probe's none.
        assert (by_request.rests_until_s, by_probe.rests_until_s) == (101.0 + REST_S, 0.0)

    def test_good_probes_alone_bring_it_up_in_the_end_on_probation(self) -> None:
        """Where all traffic goes to nearer regions, or attempts are not reported, no request ever shows anything."""
        assert probed(HALF_OPEN, *[OK] * (PROBES_UNTIL_UP - 2)).state is HealthState.HALF_OPEN
        up = probed(HALF_OPEN, *[OK] * (PROBES_UNTIL_UP - 1))
        assert (up.state, up.up_since_s) == (HealthState.UP, up.observed_at_s)
        soon_s = up.observed_at_s + 1
        assert after_attempt(up, FAILED, now_s=soon_s).state is HealthState.DOWN
        assert tried(up, OK, FAILED, FAILED, now_s=soon_s).state is HealthState.UP

    def test_a_region_that_was_never_observed_needs_no_trial(self) -> None:
        assert tried(NEVER_OBSERVED, OK) == RegionHealth(state=HealthState.UP, observed_at_s=101.0)
        assert probed(NEVER_OBSERVED, OK) == RegionHealth(state=HealthState.UP, observed_at_s=101.0)


class TestRests:
    @pytest.mark.parametrize(("rests", "seconds"), [(1, 5), (2, 10), (3, 15), (5, 25), (6, 30), (7, 30), (1000, 30)])
    def test_what_fails_requests_and_answers_probes_rests_longer_each_time(self, rests: int, seconds: float) -> None:
        down = resting(rests)
        assert (down.state, down.rests, down.rests_until_s) == (HealthState.DOWN, rests, 100.0 + seconds)
        assert after_probe(down, OK, now_s=99.9 + seconds).state is HealthState.DOWN
        assert after_probe(down, OK, now_s=100.0 + seconds).state is HealthState.HALF_OPEN

    def test_what_fails_probes_too_is_back_with_the_first_good_one(self) -> None:
        assert probed(resting(3), FAILED, OK).state is HealthState.HALF_OPEN
        assert probed(tried(UP, UNREACHED), OK).state is HealthState.HALF_OPEN

    def test_a_request_that_was_still_on_its_way_makes_no_rest_longer(self) -> None:
        assert tried(resting(), FAILED, UNREACHED).rests_until_s == resting().rests_until_s

    def test_rests_are_counted_anew_after_a_good_while(self) -> None:
        up = UP._replace(rests=4, up_since_s=100.0)
        assert after_probe(up, OK, now_s=100.0 + FORGIVEN_AFTER_S).rests == 4
        assert after_probe(up, OK, now_s=100.1 + FORGIVEN_AFTER_S).rests == 0

    @pytest.mark.parametrize("step_s", [-1e6, -3600.0, 3600.0, 1e6])
    def test_no_step_of_the_clock_makes_a_rest_longer(self, step_s: float) -> None:
        down = resting(6, from_s=1e7)
        assert after_probe(down, OK, now_s=1e7 + step_s).state is HealthState.HALF_OPEN


_EVENTS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(Outcome),
        st.sampled_from([0.0, 0.01, 0.5, 1.0, 1.0, 6.0, 40.0, 1e5, -0.5, -1e5]) | st.floats(-1e12, 1e12),
    ),
    max_size=60,
)


def _run(events: list[tuple[bool, Outcome, float]]) -> tuple[RegionHealth, float]:
    health, now_s = NEVER_OBSERVED, 1.8e9
    for is_probe, outcome, passed_s in events:
        now_s += passed_s
        health = (after_probe if is_probe else after_attempt)(health, outcome, now_s=now_s)
    return health, now_s


@pytest.mark.slow
@given(_EVENTS)
def test_whatever_happens_a_region_is_up_again_after_half_a_minute_of_good_probes(
    events: list[tuple[bool, Outcome, float]],
) -> None:
    health, now_s = _run(events)
    for second in range(1, int(LONGEST_REST_S) + PROBES_UNTIL_UP + 1):
        health = after_probe(health, OK, now_s=now_s + second)
    assert health.state is HealthState.UP


@pytest.mark.slow
@given(_EVENTS)
def test_whatever_happened_a_region_that_cannot_be_connected_to_is_down_at_once(
    events: list[tuple[bool, Outcome, float]],
) -> None:
    health, now_s = _run(events)
    assert after_attempt(health, UNREACHED, now_s=now_s).state_at(now_s) is HealthState.DOWN
    assert after_probe(health, UNREACHED, now_s=now_s).state_at(now_s) is HealthState.DOWN


@pytest.mark.slow
@given(_EVENTS)
def test_whatever_happened_three_requests_that_fail_take_a_region_down_though_probes_are_good(
    events: list[tuple[bool, Outcome, float]],
) -> None:
    health, now_s = _run(events)
    for _ in range(FAILURES_UNTIL_DOWN):
        now_s += REPEATS_WITHIN_S / 2
        health = after_attempt(after_probe(health, OK, now_s=now_s), FAILED, now_s=now_s)
    assert health.state_at(now_s) is HealthState.DOWN


@pytest.mark.slow
@given(_EVENTS)
def test_what_failed_its_latest_probe_is_never_up_with_the_next(events: list[tuple[bool, Outcome, float]]) -> None:
    health, now_s = _run(events)
    down = after_probe(health, UNREACHED, now_s=now_s)
    assert after_probe(down, OK, now_s=now_s).state is HealthState.HALF_OPEN


@pytest.mark.slow
@given(_EVENTS, st.floats(-1e12, 1e12))
def test_a_state_is_one_that_was_observed_or_unknown(events: list[tuple[bool, Outcome, float]], later_s: float) -> None:
    health, now_s = _run(events)
    assert health.state_at(now_s + later_s) in (health.state, HealthState.UNKNOWN)
