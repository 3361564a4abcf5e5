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
        world = self._world
        for s in range(world.sidecars):
            for r in range(len(self._cells)):
                # Sidecars are not in step: each asks at its own moments.
                self._later(PROBE_S / 2 * s / world.sidecars, _PROBE, s, r)
                self._later(world.telemetry_s * s / world.sidecars, _TELEMETRY, s, r)
        at_s, events = self._trace.at_s, self._events
        handlers = (self._reach, self._report, self._probe, self._probed, self._telemetry)
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

    def _later(  # noqa: PLR0913, PLR0917 - an event, flat for speed
        self, when_s: float, kind: int, which: int, place: int, took_s: float = 0.0, outcome: Outcome = Outcome.OK
    ) -> None:
        self._number += 1
        heappush(self._events, (when_s, self._number, kind, which, place, took_s, outcome))

    def _arrive(self, i: int, now_s: float) -> None:
        trace = self._trace
        s = trace.sidecar[i]
        plan = self._router.route(s, self._world.masks[trace.subject[i]], trace.session[i], now_s)
        if plan:
            self._plans[i] = plan
            self._first[i] = plan[0]
            self._left_s[i] = now_s
            self._later(now_s + self._half_s[s][plan[0]], _REACHED, i, 0)

    def _reach(self, now_s: float, i: int, place: int, _took_s: float, _outcome: Outcome) -> None:
        """Look up how a request will end in the region that it has come to, and plan what follows."""
        trace, plan = self._trace, self._plans[i]
        s, region, until_s = trace.sidecar[i], plan[place], trace.at_s[i] + PATIENCE_S
        outcome, end_s = self._cells[region].take(now_s, trace.work_s[i], until_s)
        if outcome is not Outcome.UNREACHED:
            self._reached[i] |= 1 << region
        back_s = end_s + self._half_s[s][region]
        goes_on = outcome is not Outcome.OK and place + 1 < len(plan) and back_s < until_s
        phase_s = self._phase_s[s]
        flush_s = phase_s + FLUSH_S * (1 + int((back_s - phase_s) / FLUSH_S))
        self._later(flush_s, _REPORTED, i, place if goes_on else ~place, back_s - self._left_s[i], outcome)
        if goes_on:
            self._left_s[i] = back_s
            self._later(back_s + self._half_s[s][plan[place + 1]], _REACHED, i, place + 1)
            return
        self._latency_s[i] = back_s - trace.at_s[i]
        self._served[i] = region if outcome is Outcome.OK else FAILED

    def _report(self, now_s: float, i: int, place: int, took_s: float, outcome: Outcome) -> None:
        plan = self._plans[i]
        region, following = (plan[~place], OVER) if place < 0 else (plan[place], plan[place + 1])
        self._router.attempted(self._trace.sidecar[i], region, outcome, took_s, following, now_s)

    def _probe(self, now_s: float, s: int, region: int, _took_s: float, _outcome: Outcome) -> None:
        half_s = self._half_s[s][region]
        is_down = self._cells[region].slowness_at(now_s + half_s) is None
        outcome = Outcome.UNREACHED if is_down else Outcome.OK
        self._later(now_s + 2 * half_s, _PROBED, s, region, 2 * half_s, outcome)
        if now_s + PROBE_S < self._world.until_s:
            self._later(now_s + PROBE_S, _PROBE, s, region)

    def _probed(self, now_s: float, s: int, region: int, took_s: float, outcome: Outcome) -> None:
        self._router.probed(s, region, outcome, took_s, now_s)

    def _telemetry(self, now_s: float, s: int, region: int, _took_s: float, _outcome: Outcome) -> None:
        slowness = self._cells[region].slowness_at(now_s)
        if slowness is not None and self._lost.random() >= self._world.lost:
            cells = self._cells[region]
            service_s = self._world.service_s * slowness
            report = Report(present=cells.present(now_s), servers=cells.servers, service_s=service_s)
            self._router.told(s, region, report, now_s)
        if now_s + self._world.telemetry_s < self._world.until_s:
            self._later(now_s + self._world.telemetry_s, _TELEMETRY, s, region)
