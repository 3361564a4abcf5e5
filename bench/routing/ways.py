"""The ways to choose that are compared, by name, and one run of one of them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from bench.routing.cells import Cells
from bench.routing.ours import Ours
from bench.routing.play import Play, Played, cells_of
from bench.routing.rivals import Damped, Informed, LeastRequest, Oracle, PeakEwma, Prequal, Rival, Share
from bench.routing.router import Router
from bench.routing.trace import Trace
from bench.routing.world import World

Make: TypeAlias = Callable[[World, list[Cells]], Router]

ORACLE: Final = "oracle, greedy on instant state"
NEAREST: Final = "nearest healthy"
DAMPED: Final = "damped weights from telemetry"
EWMA: Final = "peak-EWMA x in-flight"
LEAST: Final = "least-request"
OURS: Final = "Situs: waterfall with local budgets"
SHARE: Final = "RTT + s*(in-flight+1)/(capacity x my share)"

WAYS: Final[Mapping[str, Make]] = {
    ORACLE: Oracle,
    NEAREST: Rival,
    "argmin on telemetry": Informed,
    "Prequal-style on telemetry": Prequal,
    DAMPED: Damped,
    EWMA: PeakEwma,
    LEAST: LeastRequest,
    OURS: Ours,
    "the same, with sessions": partial(Ours, sessions=True),
    SHARE: Share,
}


class ViolationError(Exception):
    """The product's code sent a request where it was not permitted to go."""


def run(way: str, world: World, trace: Trace) -> Played:
    """Play a trace through one way to choose."""
    cells = cells_of(world)
    return Play(world, trace, WAYS[way](world, cells), cells).run()
