"""The product's own code at the places of the simulated sidecars: what it learns, and how it chooses."""

from typing import Final

from bench.routing.cells import Cells
from bench.routing.router import OVER, Report
from bench.routing.world import REGIONS, World
from extproc.core.ids import Country, RegionId, RegionMask
from extproc.core.routing.affinity import preferences
from extproc.core.routing.choose import Moment, choose
from extproc.core.routing.health import Outcome
from extproc.core.routing.learn import Learned, Probed, Tried, after_attempt, after_probe, standing_of, unlearned
from extproc.core.routing.load import LoadReport
from extproc.core.tables import Deployment, Region

PLAN: Final = 3
EPOCH_S: Final = 1_800_000_000.0
"""Sidecars count in Unix seconds."""
_DEPLOYMENT: Final = Deployment()


class Ours:
    """Thirty sidecars, or as many as the world has. Budgets, baselines and health are each sidecar's own."""

    def __init__(self, world: World, cells: list[Cells], *, sessions: bool = False) -> None:
        """Begin with what a policy declares. With `sessions`, each request prefers the regions of its session."""
        del cells
        self.regions = tuple(self._region(world, i) for i in range(len(world.servers)))
        self.learned: list[list[Learned]] = [
            [unlearned(region) for region in self.regions] for _ in range(world.sidecars)
        ]
        self.in_flight = [[0] * len(self.regions) for _ in range(world.sidecars)]
        self._standings = [
            tuple(standing_of(each, region, now_s=EPOCH_S) for each, region in zip(mine, self.regions, strict=True))
            for mine in self.learned
        ]
        self._loads: list[list[LoadReport | None]] = [[None] * len(self.regions) for _ in range(world.sidecars)]
        self._sessions = sessions
        self._preferences: dict[tuple[int, int], tuple[int, ...]] = {}

    @staticmethod
    def _region(world: World, i: int) -> Region:
        """Declare as an operator would: this sidecar's share of the servers, and as many requests on their way."""
        share = world.servers[i] * world.declared[i] / world.sidecars
        return Region(
            id=RegionId(REGIONS[i]),
            country=Country("XX"),
            cluster=f"cells-{REGIONS[i]}",
            models={},
            capacity=max(1, round(2 * share)),
        )

    def route(self, sidecar: int, permitted: RegionMask, session: int, now_s: float) -> tuple[int, ...]:
        """Decide as the product does, once tier 1 has spoken."""
        in_flight = self.in_flight[sidecar]
        choice = choose(
            permitted=permitted,
            regions=self.regions,
            standings=self._standings[sidecar],
            deployment=_DEPLOYMENT,
            plan_length=PLAN,
            now_s=EPOCH_S + now_s,
            moment=Moment(in_flight=in_flight, preference=self._preference(sidecar, session)),
        )
        if choice.plan:
            in_flight[choice.plan[0]] += 1
        return choice.plan

    def attempted(  # noqa: PLR0913, PLR0917 - as the protocol says
        self, sidecar: int, region: int, outcome: Outcome, took_s: float, following: int, now_s: float
    ) -> None:
        """Learn of an attempt, in the order in which the sidecar hears: the attempt, then the end."""
        in_flight = self.in_flight[sidecar]
        tried = Tried(outcome=outcome, duration_s=took_s, model=None, in_flight=in_flight[region])
        learned = self.learned[sidecar][region]
        self._put(sidecar, region, after_attempt(learned, tried, self.regions[region], now_s=EPOCH_S + now_s), now_s)
        in_flight[region] -= 1
        if following != OVER:
            in_flight[following] += 1

    def probed(self, sidecar: int, region: int, outcome: Outcome, took_s: float, now_s: float) -> None:
        """Learn of a probe, whose answer bears the load report of its region where one came since the last."""
        probed = Probed(outcome=outcome, latency_s=took_s, load=self._loads[sidecar][region])
        self._loads[sidecar][region] = None
        learned, in_flight = self.learned[sidecar][region], self.in_flight[sidecar][region]
        self._put(sidecar, region, after_probe(learned, probed, in_flight=in_flight, now_s=EPOCH_S + now_s), now_s)

    def told(self, sidecar: int, region: int, report: Report, now_s: float) -> None:
        """Keep a load report for the next probe."""
        self._loads[sidecar][region] = LoadReport(
            utilization=min(1.0, report.present / report.servers),
            queued=float(max(0, report.present - report.servers)),
            at_s=EPOCH_S + now_s,
        )

    def _put(self, sidecar: int, region: int, learned: Learned, now_s: float) -> None:
        self.learned[sidecar][region] = learned
        standings = list(self._standings[sidecar])
        standings[region] = standing_of(learned, self.regions[region], now_s=EPOCH_S + now_s)
        self._standings[sidecar] = tuple(standings)

    def _preference(self, sidecar: int, session: int) -> tuple[int, ...]:
        if not self._sessions:
            return ()
        known = self._preferences.get((sidecar, session))
        if known is None:
            known = preferences(f"{sidecar}/{session}".encode(), [each.id for each in self.regions])
            self._preferences[sidecar, session] = known
        return known
