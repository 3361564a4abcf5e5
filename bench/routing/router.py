"""What every way to choose is told, and what it must answer."""

from dataclasses import dataclass
from typing import Protocol

from extproc.core.ids import RegionMask
from extproc.core.routing.health import Outcome

OVER = -1
"""In place of the region in which a request goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A region's own view of its load: the requests that are there, and how long it works on one now, in seconds."""

    present: int
    servers: int
    service_s: float


class Router(Protocol):
    """One way to choose. It hears of everything as late as a sidecar would; times are those of the simulation."""

    def route(self, sidecar: int, permitted: RegionMask, session: int, now_s: float) -> tuple[int, ...]:
        """Give the regions to try, in order; none where the request is shed."""
        ...

    def attempted(  # noqa: PLR0913, PLR0917 - one line of an access log
        self, sidecar: int, region: int, outcome: Outcome, took_s: float, following: int, now_s: float
    ) -> None:
        """Take the report of an attempt, after which the request goes on in region `following`, or is OVER."""
        ...

    def probed(self, sidecar: int, region: int, outcome: Outcome, took_s: float, now_s: float) -> None:
        """Take a probe's answer."""
        ...

    def told(self, sidecar: int, region: int, report: Report, now_s: float) -> None:
        """Take a region's report of its load, as of `now_s`: its way is not counted."""
        ...
