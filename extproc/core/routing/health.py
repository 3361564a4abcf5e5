"""What is known of a region's ability to serve, with the age of that knowledge, and how it changes.

An attempt that Envoy made and a probe that we made are both observations. A failure to connect is unambiguous and
counts at once; other failures count when they repeat. Only a probe brings a region back that is down: an answer that
was on its way when the region failed says nothing about now.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class HealthState(StrEnum):
    """Whether a region can serve. Unknown is worse than up and better than down."""

    UP = "up"
    UNKNOWN = "unknown"
    DOWN = "down"


HEALTH_LIMIT_S: Final = 15.0
"""A state that was observed longer ago than this is unknown. Five missed probes at their default period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionHealth:
    """The last observation of one region; times in Unix seconds, latency in seconds.

    `latencies_s` are the latest probes' latencies, oldest first, since the region was last down.
    """

    state: HealthState
    observed_at_s: float
    latencies_s: tuple[float, ...] = ()
    failures: int = 0
    """Failures in a row."""

    @property
    def latency_s(self) -> float | None:
        """Give the least of the latest latencies, None while nothing was measured.

        A probe takes the round trip and whatever else was in the way; the least of several is nearest to the round
        trip, which is what tells regions apart.
        """
        return min(self.latencies_s, default=None)

    def state_at(self, now_s: float) -> HealthState:
        """Give the state as far as it can still be believed at `now_s`."""
        return self.state if now_s - self.observed_at_s <= HEALTH_LIMIT_S else HealthState.UNKNOWN


class Outcome(StrEnum):
    """How one attempt or probe of a region went."""

    OK = "ok"
    FAILED = "failed"
    """An answer came, but one that says the region could not serve (HTTP 5xx), or none came in time."""
    UNREACHED = "unreached"
    """No connection could be made, or it broke before an answer."""


FAILURES_UNTIL_DOWN: Final = 3
LATENCIES_KEPT: Final = 8


def after_attempt(health: RegionHealth, outcome: Outcome, *, now_s: float) -> RegionHealth:
    """Give the health after Envoy tried the region."""
    if outcome is not Outcome.OK:
        return _after_failure(health, outcome, now_s)
    if health.state is HealthState.DOWN:
        return health
    return replace(health, state=HealthState.UP, observed_at_s=now_s, failures=0)


def after_probe(health: RegionHealth, outcome: Outcome, *, latency_s: float, now_s: float) -> RegionHealth:
    """Give the health after a probe that took `latency_s` seconds."""
    if outcome is not Outcome.OK:
        return _after_failure(health, outcome, now_s)
    before = () if health.state is HealthState.DOWN else health.latencies_s
    kept = (*before, latency_s)[-LATENCIES_KEPT:]
    return RegionHealth(state=HealthState.UP, observed_at_s=now_s, latencies_s=kept)


def _after_failure(health: RegionHealth, outcome: Outcome, now_s: float) -> RegionHealth:
    failures = health.failures + 1
    down = outcome is Outcome.UNREACHED or failures >= FAILURES_UNTIL_DOWN or health.state is HealthState.DOWN
    state = HealthState.DOWN if down else health.state
    return replace(health, state=state, observed_at_s=now_s, failures=failures)


NEVER_OBSERVED: Final = RegionHealth(state=HealthState.UNKNOWN, observed_at_s=0.0)
