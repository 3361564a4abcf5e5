"""Whether a region can serve, with the age of that knowledge, and how it changes.

An attempt that Envoy made and a probe that we made are both observations. A failure to connect is unambiguous and counts
at once; other failures count when they repeat. Only a probe brings a region back that is down: an answer that was on its
way when the region failed says nothing about now.

What probes saw fail is back with the first good probe. What answered probes and failed requests all the same rests first,
longer each time (5 s, 10 s, ... 30 s). Either way it comes back half open, with one request at a time, and with the first
that succeeds it is up and takes more and more (:mod:`extproc.core.routing.budget`).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


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
REST_S: Final = 5.0
"""How long a region rests that failed requests while its probes were good; as much longer each further time."""
LONGEST_REST_S: Final = 30.0
FORGIVEN_AFTER_S: Final = 60.0
"""A region that was up for so long begins to count its rests anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionHealth:
    """What is known of one region; times in Unix seconds.

    `failures` counts them in a row. `rests` counts how often in a row it was taken down by requests while its probes were
    good, and `rests_until_s` is when the latest such rest ends. `up_since_s` is when it was last found up, 0 where it
    never was down.
    """

    state: HealthState
    observed_at_s: float
    failures: int = 0
    rests: int = 0
    rests_until_s: float = 0.0
    up_since_s: float = 0.0

    def state_at(self, now_s: float) -> HealthState:
        """Give the state as far as it can still be believed at `now_s`."""
        return self.state if now_s - self.observed_at_s <= HEALTH_LIMIT_S else HealthState.UNKNOWN


NEVER_OBSERVED: Final = RegionHealth(state=HealthState.UNKNOWN, observed_at_s=0.0)


def after_attempt(health: RegionHealth, outcome: Outcome, *, now_s: float) -> RegionHealth:
    """Give the health after Envoy tried the region."""
    if outcome is not Outcome.OK:
        return _after_failure(health, outcome, now_s, by_request=True)
    if health.state is HealthState.DOWN:
        return health
    if health.state is HealthState.UP:
        return replace(health, observed_at_s=now_s, failures=0)
    came_up = health.state is HealthState.HALF_OPEN
    return replace(
        health,
        state=HealthState.UP,
        observed_at_s=now_s,
        failures=0,
        up_since_s=now_s if came_up else health.up_since_s,
    )


def after_probe(health: RegionHealth, outcome: Outcome, *, now_s: float) -> RegionHealth:
    """Give the health after a probe."""
    if outcome is not Outcome.OK:
        return _after_failure(health, outcome, now_s, by_request=False)
    match health.state:
        case HealthState.DOWN if now_s < health.rests_until_s:
            return replace(health, observed_at_s=now_s)
        case HealthState.DOWN:
            return replace(health, state=HealthState.HALF_OPEN, observed_at_s=now_s, failures=0)
        case HealthState.HALF_OPEN:
            return replace(health, observed_at_s=now_s)
    forgiven = health.rests and now_s - health.up_since_s > FORGIVEN_AFTER_S
    return replace(
        health,
        state=HealthState.UP,
        observed_at_s=now_s,
        # Requests that fail while probes are good must still add up.
        failures=health.failures,
        rests=0 if forgiven else health.rests,
    )


def _after_failure(health: RegionHealth, outcome: Outcome, now_s: float, *, by_request: bool) -> RegionHealth:
    failures = health.failures + 1
    is_down = (
        outcome is Outcome.UNREACHED
        or failures >= FAILURES_UNTIL_DOWN
        or health.state in (HealthState.DOWN, HealthState.HALF_OPEN)
    )
    if not is_down:
        return replace(health, observed_at_s=now_s, failures=failures)
    rests, until_s = health.rests, health.rests_until_s
    if by_request and outcome is Outcome.FAILED and health.state is not HealthState.DOWN:
        rests += 1
        until_s = now_s + min(REST_S * rests, LONGEST_REST_S)
    return replace(
        health,
        state=HealthState.DOWN,
        observed_at_s=now_s,
        failures=failures,
        rests=rests,
        rests_until_s=until_s,
    )
