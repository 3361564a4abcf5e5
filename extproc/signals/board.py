"""Turns what happened to attempts and probes into region health, and puts it before the decisions."""

from collections.abc import Callable
from typing import Final

import structlog

from extproc.core.delivery import Attempt
from extproc.core.health import Outcome, RegionHealth, after_attempt, after_probe
from extproc.core.ids import RegionId
from extproc.sidecar.live import Live

_log = structlog.get_logger(__name__)

# ENVOY: no connection could be made, or no host is healthy. That is unambiguous.
_UNREACHED: Final = frozenset({"UF", "UH"})
# ENVOY: the connection broke, or the answer was late or no HTTP. One poisoned request can cause it, so it must repeat.
_FAILED: Final = frozenset({"UC", "UR", "UT", "UPE"})
# A gateway's own failures. Not 500: one client with a poisoned request must not take a region from all others.
_UNAVAILABLE: Final = frozenset({502, 503, 504})
_ANSWERED: Final = range(100, 500)


class HealthBoard:
    """The one writer of region health."""

    def __init__(self, live: Live, clock: Callable[[], float]) -> None:
        self._live = live
        self._clock = clock

    def attempted(self, region: RegionId, attempt: Attempt) -> None:
        """Take an attempt of Envoy's. A 500, and a client that hung up, say nothing about the region."""
        before = self._live.health_of(region)
        if before is None:
            return
        if _UNREACHED.intersection(attempt.flags):
            outcome = Outcome.UNREACHED
        elif attempt.status in _UNAVAILABLE or _FAILED.intersection(attempt.flags):
            outcome = Outcome.FAILED
        elif attempt.status in _ANSWERED:
            outcome = Outcome.OK
        else:
            return
        self._put(region, before, after_attempt(before, outcome, now_s=self._clock()))

    def probed(self, region: RegionId, outcome: Outcome, latency_s: float) -> None:
        """Take the result of a probe of ours."""
        before = self._live.health_of(region)
        if before is not None:
            self._put(region, before, after_probe(before, outcome, latency_s=latency_s, now_s=self._clock()))

    def _put(self, region: RegionId, before: RegionHealth, after: RegionHealth) -> None:
        if before.state is not after.state:
            _log.info("region health changed", region=region, before=before.state.value, after=after.state.value)
        self._live.observe(region, after)
