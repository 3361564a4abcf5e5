"""Plays a trace through one way to choose, event by event."""

from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf, nan
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.routing.cells import Cells
from bench.routing.router import OVER, Report, Router
from bench.routing.trace import Trace
from bench.routing.world import FLUSH_S, PATIENCE_S, PROBE_S, World
from extproc.core.routing.health import Outcome

SHED: Final = -1
FAILED: Final = -2
"""In place of the region that served."""

_REACHED, _REPORTED, _PROBE, _PROBED, _TELEMETRY = range(5)

_Event: TypeAlias = tuple[float, int, int, int, int, float, Outcome]
"""When; a number, which keeps those of one moment in order; the kind; a request or sidecar; the place in the plan, or a
region; how long it took; how it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of each request. `latency_s` is NaN where it was shed; `served` is a region, SHED or FAILED.

    `first` is the region that was tried first; `reached` has a bit for each region that the data came to.
    """

    latency_s: NDArray[np.float64]
    served: NDArray[np.int64]
    first: NDArray[np.int64]
    reached: NDArray[np.int64]


def cells_of(world: World) -> list[Cells]:
    """Make the regions of a world, unused."""
    return [Cells(servers, world.slowness_of(i)) for i, servers in enumerate(world.servers)]


class Play:
    """One run. What a sidecar hears is late: an answer by half a round trip, a report by what is left of a flush."""

    def __init__(self, world: World, trace: Trace, router: Router, cells: list[Cells]) -> None:
        """Prepare to play. `cells` must be unused; an oracle may look into them."""
        self._world, self._trace, self._router, self._cells = world, trace, router, cells
        count = len(trace)
        self._latency_s, self._reached = [nan] * count, [0] * count
        self._served, self._first = [SHED] * count, [SHED] * count
        self._plans: list[tuple[int, ...]] = [()] * count
        self._left_s = [0.0] * count
        self._half_s = [[rtt_s / 2 for rtt_s in world.rtt_s[world.site_of(s)]] for s in range(world.sidecars)]
        self._phase_s = [FLUSH_S * s / world.sidecars for s in range(world.sidecars)]
        self._lost = np.random.default_rng(world.seed + 1)
        self._events: list[_Event] = []
        self._number = 0

    def run(self) -> Played:
        """Play to the end of the last request."""
        for s in range(self._world.sidecars):
            for r in range(len(self._cells)):
                self._later(PROBE_S / 2 * s / self._world.sidecars, _PROBE, s, r)
        self._later(self._world.telemetry_s / 2, _TELEMETRY, 0, 0)
        at_s, events, handlers = self._trace.at_s, self._events, self._handlers()
        i, count = 0, len(at_s)
        next_s = at_s[0] if count else inf
        while events:
            if next_s <= events[0][0]:
                self._arrive(i, next_s)
                i += 1
                next_s = at_s[i] if i < count else inf
            else:
                now_s, _, kind, which, place, took_s, outcome = heappop(events)
                handlers[kind](now_s, which, place, took_s, outcome)
        return Played(
            latency_s=np.array(self._latency_s),
            served=np.array(self._served),
            first=np.array(self._first),
            reached=np.array(self._reached),
        )
