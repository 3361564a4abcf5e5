"""Whether a region can serve, with the age of that knowledge, and how it changes.

An attempt that Envoy made and a probe that we made are both observations. A failure to connect is unambiguous and
counts at once. Other failures count when they repeat: three requests in a row, each soon after the one before, half of
the latest ones, or three probes in a row. A good probe does not make up for a request that failed, because a region may
answer probes and nothing else; a request that succeeds makes up for probes that failed.

Only a probe brings a region back that is down: an answer that was on its way when the region failed says nothing about
now. What probes saw fail is back with the first good probe. What answered probes and failed requests all the same rests
first, longer each time (5 s, 10 s, ... 30 s). Either way it comes back half open, with one request at a time, and is up
with the first that succeeds; it then takes more and more (:mod:`extproc.core.routing.standing`). Where none was tried,
or none was reported, it is up after five good probes, but on probation: the first request that fails takes it down.

A clock may step. What was observed too long ago, or so long from now, is unknown; a rest that would last longer than
any rest does is over.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class HealthState(StrEnum):
    """Whether a region can serve. Unknown is worse than up and better than down."""

    UP = "up"
    HALF_OPEN = "half_open"
    """Its probes are good again; one request at a time shows whether it serves."""
    UNKNOWN = "unknown"
    DOWN = "down"


class Outcome(StrEnum):
    """How one attempt or probe of a region went."""

    OK = "ok"
    FAILED = "failed"
    """An answer came, but one that says the region could not serve (HTTP 5xx), or none came in time."""
    UNREACHED = "unreached"
    """No connection could be made, or it broke before an answer."""


HEALTH_LIMIT_S: Final = 15.0
"""A state that was observed longer ago than this is unknown. Fifteen missed probes."""
FAILURES_UNTIL_DOWN: Final = 3
REPEATS_WITHIN_S: Final = 10.0
"""A request that fails longer after the one before begins a new count."""
LATEST_REQUESTS: Final = 10
"""About how many requests the share of failures is taken of."""
FAILING_SHARE: Final = 0.5
"""A region is down that fails so many of its latest requests, though never three in a row."""
REST_S: Final = 5.0
"""How long a region rests that failed requests while its probes were good; as much longer each further time."""
LONGEST_REST_S: Final = 30.0
FORGIVEN_AFTER_S: Final = 60.0
"""A region that was up for so long begins to count its rests anew."""
PROBES_UNTIL_UP: Final = 5
"""So many good probes in a row bring up what is half open and is sent no request, or none that is reported."""


class RegionHealth(NamedTuple):
    """What is known of one region; times in Unix seconds.

    `failures` counts requests that failed in a row, the last at `failed_at_s`, and `failing` is the share of the latest
    that failed. `bad_probes` and `good_probes` count probes in a row, the good ones only while the region is half open.
    `rests` counts how often in a row it was taken down by requests while its probes were good, and `rests_until_s` is
    when the latest such rest ends. `up_since_s` is when it was last found up again, 0 where it never was down.

    A named tuple, because each attempt makes one, and to replace fields of a frozen dataclass takes four times as long.
    """

    state: HealthState
    observed_at_s: float
    failures: int = 0
    failing: float = 0.0
    failed_at_s: float = 0.0
    bad_probes: int = 0
    good_probes: int = 0
    rests: int = 0
    rests_until_s: float = 0.0
    up_since_s: float = 0.0

    def state_at(self, now_s: float) -> HealthState:
        """Give the state as far as it can still be believed at `now_s`."""
        return believed(self.state, self.observed_at_s, now_s)


_NOT_SERVING: Final = (HealthState.DOWN, HealthState.HALF_OPEN)
NEVER_OBSERVED: Final = RegionHealth(state=HealthState.UNKNOWN, observed_at_s=0.0)


def believed(state: HealthState, observed_at_s: float, now_s: float) -> HealthState:
    """Give a state as far as it can still be believed at `now_s`.

    One that was observed long after now is as unknown as an old one: the clock was set back, and nobody knows how old
    it is.
    """
    is_known = observed_at_s - HEALTH_LIMIT_S <= now_s < observed_at_s + HEALTH_LIMIT_S
    return state if is_known else HealthState.UNKNOWN


def after_attempt(health: RegionHealth, outcome: Outcome, *, now_s: float) -> RegionHealth:
    """Give the health after Envoy tried the region."""
    if outcome is not Outcome.OK:
        return _after_failed_request(health, outcome, now_s)
    state = health.state
    if state is HealthState.DOWN and health.state_at(now_s) is HealthState.DOWN:
        return health
    # A region that was down, and that nothing was heard of for long, shows itself like one that is half open.
    is_back = state in _NOT_SERVING
    failing = 0.0 if is_back else health.failing * (1 - 1 / LATEST_REQUESTS)
    up_since_s = now_s if is_back else health.up_since_s
    # The fields in their order: nothing failed in a row, and no probes are counted.
    return RegionHealth(
        HealthState.UP, now_s, 0, failing, health.failed_at_s, 0, 0, health.rests, health.rests_until_s, up_since_s
    )


def after_probe(health: RegionHealth, outcome: Outcome, *, now_s: float) -> RegionHealth:
    """Give the health after a probe."""
    if outcome is not Outcome.OK:
        return _after_bad_probe(health, outcome, now_s)
    match health.state:
        case HealthState.DOWN if _is_resting(health, now_s):
            return health._replace(observed_at_s=now_s)
        case HealthState.DOWN:
            return _half_open(health, now_s)
        case HealthState.HALF_OPEN if health.good_probes + 1 < PROBES_UNTIL_UP:
            return health._replace(observed_at_s=now_s, good_probes=health.good_probes + 1)
        case HealthState.HALF_OPEN:
            return _on_probation(health, now_s)
    is_forgiven = now_s - health.up_since_s > FORGIVEN_AFTER_S
    return health._replace(
        state=HealthState.UP,
        observed_at_s=now_s,
        bad_probes=0,
        rests=0 if is_forgiven else health.rests,
    )


def _after_failed_request(health: RegionHealth, outcome: Outcome, now_s: float) -> RegionHealth:
    repeats = 0.0 <= now_s - health.failed_at_s <= REPEATS_WITHIN_S
    failing = health.failing if repeats else 0.0
    counted = health._replace(
        observed_at_s=now_s,
        failures=health.failures + 1 if repeats else 1,
        failing=failing + (1 - failing) / LATEST_REQUESTS,
        failed_at_s=now_s,
    )
    is_repeated = counted.failures >= FAILURES_UNTIL_DOWN or counted.failing >= FAILING_SHARE
    before = health.state_at(now_s)
    if not (is_repeated or outcome is Outcome.UNREACHED or _was_down(health)):
        return counted._replace(state=before)
    # Where no connection is made, the next probe will see it too, unless the last one has just been good.
    probes_are_good = before is HealthState.HALF_OPEN or outcome is Outcome.FAILED
    if before is HealthState.DOWN or not probes_are_good:
        return counted._replace(state=HealthState.DOWN)
    rests = health.rests + 1
    return counted._replace(
        state=HealthState.DOWN,
        rests=rests,
        rests_until_s=now_s + min(REST_S * rests, LONGEST_REST_S),
    )


def _after_bad_probe(health: RegionHealth, outcome: Outcome, now_s: float) -> RegionHealth:
    bad = health.bad_probes + 1
    counted = health._replace(observed_at_s=now_s, bad_probes=bad)
    if outcome is Outcome.UNREACHED or bad >= FAILURES_UNTIL_DOWN or _was_down(health):
        # Its probes fail too, so the next good one can be trusted: there is no rest.
        return counted._replace(state=HealthState.DOWN, rests_until_s=0.0)
    # A failure must not make a state believable again that was too old.
    return counted._replace(state=health.state_at(now_s))


def _was_down(health: RegionHealth) -> bool:
    """Tell whether a region has not served since it was last down, however long ago that was."""
    return health.state in _NOT_SERVING


def _is_resting(health: RegionHealth, now_s: float) -> bool:
    # A rest that ends later than any could was begun before the clock was set back.
    return now_s < health.rests_until_s <= now_s + LONGEST_REST_S


def _half_open(health: RegionHealth, now_s: float) -> RegionHealth:
    return health._replace(
        state=HealthState.HALF_OPEN,
        observed_at_s=now_s,
        failures=0,
        failing=0.0,
        bad_probes=0,
        good_probes=1,
    )


def _on_probation(health: RegionHealth, now_s: float) -> RegionHealth:
    return health._replace(
        state=HealthState.UP,
        observed_at_s=now_s,
        failures=FAILURES_UNTIL_DOWN - 1,
        failed_at_s=now_s,
        good_probes=0,
        up_since_s=now_s,
    )
