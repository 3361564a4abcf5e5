"""Other ways to choose, as fields and papers describe them, each told of failures just as ours is.

They share what is not their point: a region that a connection could not be made to is down until a probe is good, and a
plan holds the next best regions, for Envoy's retries. None of them sheds.
"""

from math import exp
from random import Random
from typing import Final

from bench.routing.cells import Cells
from bench.routing.router import OVER, Report
from bench.routing.world import World
from extproc.core.ids import RegionMask
from extproc.core.routing.health import FAILURES_UNTIL_DOWN, Outcome

PLAN: Final = 3
"""How many regions a plan names at most."""


class Rival:
    """Orders the healthy permitted regions by :meth:`costs`, least first. This one: the nearest healthy region."""

    def __init__(self, world: World, cells: list[Cells]) -> None:
        """Begin without any knowledge but the declared distances and capacities. Only an oracle looks at `cells`."""
        regions = range(len(world.servers))
        self._world, self._cells = world, cells
        self._rtt_s = [world.rtt_s[world.site_of(s)] for s in range(world.sidecars)]
        self._in_flight = [[0 for _ in regions] for _ in range(world.sidecars)]
        self._failures = [[0 for _ in regions] for _ in range(world.sidecars)]
        self._capacity = [n * factor for n, factor in zip(world.servers, world.declared, strict=True)]
        self._orders = [tuple(i for i in regions if mask >> i & 1) for mask in range(1 << len(world.servers))]
        self._random = Random(world.seed)  # noqa: S311 - a simulation

    def route(self, sidecar: int, permitted: RegionMask, session: int, now_s: float) -> tuple[int, ...]:
        """Give the regions to try, in order."""
        del session
        failures, costs = self._failures[sidecar], self.costs(sidecar, permitted, now_s)
        plan = sorted(self._orders[permitted], key=lambda r: (failures[r] >= FAILURES_UNTIL_DOWN, costs[r]))[:PLAN]
        self._in_flight[sidecar][plan[0]] += 1
        return tuple(plan)

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float] | tuple[float, ...]:
        """Give what is compared, for each region."""
        del permitted, now_s
        return self._rtt_s[sidecar]

    def attempted(  # noqa: PLR0913, PLR0917 - as the protocol says
        self, sidecar: int, region: int, outcome: Outcome, took_s: float, following: int, now_s: float
    ) -> None:
        """Take the report of an attempt."""
        self._in_flight[sidecar][region] -= 1
        if following != OVER:
            self._in_flight[sidecar][following] += 1
        self.probed(sidecar, region, outcome, took_s, now_s, by_request=True)

    def probed(  # noqa: PLR0913 - as the protocol says
        self, sidecar: int, region: int, outcome: Outcome, took_s: float, now_s: float, *, by_request: bool = False
    ) -> None:
        """Take a probe's answer."""
        del took_s, now_s
        failures = self._failures[sidecar]
        if outcome is Outcome.UNREACHED:
            failures[region] = FAILURES_UNTIL_DOWN
        elif outcome is Outcome.FAILED:
            failures[region] += 1
        elif not by_request or failures[region] < FAILURES_UNTIL_DOWN:
            failures[region] = 0

    def told(self, sidecar: int, region: int, report: Report, now_s: float) -> None:
        """Take a region's report of its load."""


class Oracle(Rival):
    """Knows at this instant how many requests are in each region or on their way to it, and how slow it is.

    Greedy: it takes what is fastest for this request, not what is best for all.
    """

    def __init__(self, world: World, cells: list[Cells]) -> None:
        """Look into `cells`."""
        super().__init__(world, cells)

    def route(self, sidecar: int, permitted: RegionMask, session: int, now_s: float) -> tuple[int, ...]:
        """Give the regions to try, in order."""
        plan = super().route(sidecar, permitted, session, now_s)
        self._cells[plan[0]].expect(now_s + self._rtt_s[sidecar][plan[0]] / 2)
        return plan

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float]:
        """Give the expected latencies."""
        del permitted
        rtt_s, service_s = self._rtt_s[sidecar], self._world.service_s
        costs = []
        for r, cells in enumerate(self._cells):
            slowness = cells.slowness_at(now_s)
            if slowness is None:
                costs.append(1e9 + rtt_s[r])
                continue
            waiting = max(0, cells.present(now_s) + cells.coming(now_s) + 1 - cells.servers)
            costs.append(rtt_s[r] + service_s * slowness * (1.0 + waiting / cells.servers))
        return costs


class Informed(Rival):
    """Goes by the latest reports: takes the region with the least expected latency."""

    def __init__(self, world: World, cells: list[Cells]) -> None:
        """Begin with the belief that all regions are idle."""
        super().__init__(world, cells)
        idle = [Report(present=0, servers=n, service_s=world.service_s) for n in world.servers]
        self._reports = [list(idle) for _ in range(world.sidecars)]

    def told(self, sidecar: int, region: int, report: Report, now_s: float) -> None:
        """Take a region's report of its load."""
        del now_s
        self._reports[sidecar][region] = report

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float] | tuple[float, ...]:
        """Give the expected latencies, as of the reports."""
        del permitted, now_s
        return [
            rtt_s + each.service_s * max(1.0, (each.present + 1) / each.servers)
            for rtt_s, each in zip(self._rtt_s[sidecar], self._reports[sidecar], strict=True)
        ]


class Prequal(Informed):
    """Hot and cold regions by their reported requests in flight; the fastest cold one, else the least loaded.

    SPEC: Wydrowski et al., "Load is not what you should balance: Introducing Prequal" (NSDI 2024), with the reports in
    place of its probes, and requests per server in place of requests.
    """

    HOT: Final = 0.84
    """The quantile of the requests in flight from which on a region is hot."""

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float]:
        """Give ranks: cold regions by latency, and hot ones after them by their load."""
        fast = super().costs(sidecar, permitted, now_s)
        loads = [each.present / each.servers for each in self._reports[sidecar]]
        mine = sorted(loads[r] for r in self._orders[permitted])
        limit = max(mine[int(self.HOT * len(mine))] if len(mine) > 1 else 0.0, 1.0)
        return [1e3 + load if load >= limit else latency for latency, load in zip(fast, loads, strict=True)]


class Damped(Informed):
    """Draws the region by weights that follow the reports slowly, so that sidecars do not all move at once."""

    DAMPING: Final = 0.3
    """How much of the way to the weight of the latest report."""

    def __init__(self, world: World, cells: list[Cells]) -> None:
        """Begin with the weights of idle regions."""
        super().__init__(world, cells)
        regions = range(len(world.servers))
        self._weights = [[self._aim(s, r) for r in regions] for s in range(world.sidecars)]

    def _aim(self, sidecar: int, region: int) -> float:
        """Free capacity over the square of the expected latency."""
        report = self._reports[sidecar][region]
        latency_s = super().costs(sidecar, RegionMask(0), 0.0)[region]
        free = max(0.05, 1.0 - 0.9 * report.present / report.servers)
        return self._capacity[region] * free / latency_s**2

    def told(self, sidecar: int, region: int, report: Report, now_s: float) -> None:
        """Go a part of the way."""
        super().told(sidecar, region, report, now_s)
        weights = self._weights[sidecar]
        weights[region] += self.DAMPING * (self._aim(sidecar, region) - weights[region])

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float]:
        """Give a random order by weight (Efraimidis and Spirakis)."""
        del permitted, now_s
        draw = self._random.expovariate
        return [draw(1.0) / weight for weight in self._weights[sidecar]]


class PeakEwma(Rival):
    """An average of latency that jumps to a peak at once and forgets it slowly, times the requests in flight."""

    DECAY_S: Final = 10.0

    def __init__(self, world: World, cells: list[Cells]) -> None:
        """Begin with the declared distances."""
        super().__init__(world, cells)
        self._mean_s = [[rtt_s + world.service_s for rtt_s in each] for each in self._rtt_s]
        self._at_s = [[0.0 for _ in each] for each in self._rtt_s]

    def attempted(  # noqa: PLR0913, PLR0917 - as the protocol says
        self, sidecar: int, region: int, outcome: Outcome, took_s: float, following: int, now_s: float
    ) -> None:
        """Take a latency into the average."""
        super().attempted(sidecar, region, outcome, took_s, following, now_s)
        if outcome is not Outcome.OK:
            return
        means, ats = self._mean_s[sidecar], self._at_s[sidecar]
        if took_s > means[region]:
            means[region] = took_s
        else:
            kept = exp((ats[region] - now_s) / self.DECAY_S)
            means[region] = means[region] * kept + took_s * (1.0 - kept)
        ats[region] = now_s

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float]:
        """Give the average times the requests in flight."""
        del permitted, now_s
        return [mean_s * (n + 1) for mean_s, n in zip(self._mean_s[sidecar], self._in_flight[sidecar], strict=True)]


class LeastRequest(Rival):
    """The fewest requests in flight for each server; among equals the nearest."""

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float]:
        """Give the requests in flight over the capacity."""
        del permitted, now_s
        return [
            (n + 1) / capacity + 1e-6 * rtt_s
            for n, capacity, rtt_s in zip(self._in_flight[sidecar], self._capacity, self._rtt_s[sidecar], strict=True)
        ]


class Share(Rival):
    """`RTT + s * (in-flight + 1) / (capacity * share)`, where the share is that of one sidecar among all."""

    def costs(self, sidecar: int, permitted: RegionMask, now_s: float) -> list[float]:
        """Give the latency that the declared capacity lets expect."""
        del permitted, now_s
        times_s = self._world.service_s * self._world.sidecars
        return [
            rtt_s + times_s * (n + 1) / capacity
            for n, capacity, rtt_s in zip(self._in_flight[sidecar], self._capacity, self._rtt_s[sidecar], strict=True)
        ]
