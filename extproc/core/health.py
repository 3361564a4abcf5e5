"""What is known of a region's ability to serve, with the age of that knowledge."""

from dataclasses import dataclass
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

    `latency_s` is None while nothing was measured; the policy's declared round trip then stands in.
    """

    state: HealthState
    observed_at_s: float
    latency_s: float | None = None

    def state_at(self, now_s: float) -> HealthState:
        """Give the state as far as it can still be believed at `now_s`."""
        return self.state if now_s - self.observed_at_s <= HEALTH_LIMIT_S else HealthState.UNKNOWN


NEVER_OBSERVED: Final = RegionHealth(state=HealthState.UNKNOWN, observed_at_s=0.0)
