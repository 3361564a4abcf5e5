"""What is run: the ways to choose side by side, the three profiles, and the sweeps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from bench.routing.judge import Figures, by_second, judge, region_rates
from bench.routing.play import Played
from bench.routing.trace import Trace, draw
from bench.routing.ways import DAMPED, EWMA, LEAST, NEAREST, ORACLE, OURS, SHARE, WAYS, ViolationError, run
from bench.routing.world import NEAR, World
from extproc.core.tables import Profile

Say: TypeAlias = Callable[[str], None]

PERIODS_S: Final = (2.0, 10.0)
_SWEPT: Final = (OURS, EWMA, SHARE)
_INFORMED: Final = ("argmin on telemetry", "Prequal-style on telemetry", DAMPED, OURS)
"""Who uses telemetry: the others need no second run for another period."""
POINTS: Final = 400
"""Of each curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn of one run: latency in ms at equal steps of the share of requests, and figures of each second."""

    latencies_ms: list[float]
    mean_ms: list[float]
    rates: list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One way in one world. `case` says what is special about the world."""

    way: str
    case: str
    figures: Figures
    curve: Curve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One dimension of the world, with what its points are called."""

    name: str
    unit: str
    points: Sequence[tuple[str, World]]


def side_by_side(base: World, periods_s: Sequence[float], say: Say) -> list[Ran]:
    """Run every way on one trace, those that use telemetry with each of its periods."""
    trace = draw(base)
    oracle = run(ORACLE, base, trace)
    ran = []
    for period_s in periods_s:
        world = replace(base, telemetry_s=period_s)
        for way in WAYS:
            if period_s == periods_s[0] or way in _INFORMED:
                say(f"{way}, telemetry every {period_s:g} s")
                played = oracle if way == ORACLE else run(way, world, trace)
                ran.append(_ran(way, f"{period_s:g} s", world, trace, played, oracle, drawn=True))
    return ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The oracle's mean in ms: of the requests before the first event, and of all."""

    calm_ms: float
    all_ms: float


def profiles(base: World, say: Say) -> tuple[list[Ran], dict[str, Best]]:
    """Run the product's code under each profile on one trace, and the oracle under each."""
    ran, best = [], {}
    trace = draw(base)
    for profile in (Profile.PERFORMANCE_FIRST, Profile.LEGAL_FIRST, Profile.HYBRID):
        world = replace(base, profile=profile)
        say(f"profile {profile.value}")
        oracle = run(ORACLE, world, trace)
        ran.append(_ran(OURS, profile.value, world, trace, run(OURS, world, trace), oracle, drawn=True))
        best[profile.value] = _best(world, trace, oracle)
    return ran, best


def _best(world: World, trace: Trace, oracle: Played) -> Best:
    at_s = np.array(trace.at_s)
    is_counted = at_s >= world.warm_s
    is_calm = is_counted & (at_s < min((each.from_s for each in world.spells), default=world.until_s))
    calm_ms, all_ms = (float(oracle.latency_s[which].mean()) * 1000 for which in (is_calm, is_counted))
    return Best(calm_ms=calm_ms, all_ms=all_ms)


def sweeps(base: World) -> list[Sweep]:
    """Give the sweeps: shorter worlds with a brown-out and nothing else."""
    spell = replace(base.spells[0], from_s=15.0, until_s=30.0)
    short = replace(base, until_s=40.0, spells=(spell,))
    near = tuple(tuple(0.25 * rtt_s for rtt_s in row) for row in NEAR)
    far = tuple(tuple(1.5 * rtt_s for rtt_s in row) for row in NEAR)

    def points(name: str, values: Iterable[float], make: Callable[[float], World], unit: str = "") -> Sweep:
        return Sweep(name=name, unit=unit, points=[(f"{each:g}", make(each)) for each in values])

    return [
        points("load", (0.3, 0.5, 0.7, 0.8, 0.9), lambda x: replace(short, load=x)),
        points("telemetry period", (1, 5, 10, 30), lambda x: replace(short, telemetry_s=x), "s"),
        Sweep(
            name="round trips",
            unit="times",
            points=[("0.25", replace(short, rtt_s=near)), ("1", short), ("1.5", replace(short, rtt_s=far))],
        ),
        points("sidecars", (1, 4, 10, 100), lambda x: replace(short, sidecars=int(x))),
        points(
            "declared capacity", (0.25, 0.5, 2, 4), lambda x: replace(short, declared=(x, 1 / x, x, 1 / x)), "times"
        ),
        points("telemetry lost", (0.5, 1.0), lambda x: replace(short, lost=x)),
    ]


def run_sweeps(chosen: Sequence[Sweep], say: Say, *, workers: int) -> dict[str, list[Ran]]:
    """Run the sweeps, each point in a process of its own."""
    with ProcessPoolExecutor(workers) as pool:
        futures = {
            (sweep.name, label): pool.submit(_point, label, world) for sweep in chosen for label, world in sweep.points
        }
        ran: dict[str, list[Ran]] = {}
        for (name, label), future in futures.items():
            ran.setdefault(name, []).extend(future.result())
            say(f"{name} {label}")
    return ran


def _point(label: str, world: World) -> list[Ran]:
    trace = draw(world)
    oracle = run(ORACLE, world, trace)
    best = _ran(ORACLE, label, world, trace, oracle, oracle)
    return [best, *(_ran(way, label, world, trace, run(way, world, trace), oracle) for way in _SWEPT)]


def _ran(  # noqa: PLR0913, PLR0917 - one run, with what it is compared to
    way: str, case: str, world: World, trace: Trace, played: Played, oracle: Played, *, drawn: bool = False
) -> Ran:
    """Judge a run. Raises ViolationError where a request left the set it was given: no figure is worth that."""
    figures = judge(world, trace, played, oracle)
    if figures.violations:
        raise ViolationError(f"{way}, {case}: {figures.violations} requests left their permitted set. Mend: the code")
    return Ran(way=way, case=case, figures=figures, curve=_curve(world, trace, played) if drawn else None)


def _curve(world: World, trace: Trace, played: Played) -> Curve:
    at_s = np.array(trace.at_s)
    answered = played.latency_s[(at_s >= world.warm_s) & ~np.isnan(played.latency_s)] * 1000
    return Curve(
        latencies_ms=[round(float(each), 1) for each in np.quantile(answered, np.linspace(0, 1, POINTS))],
        mean_ms=[round(float(each) * 1000, 1) for each in by_second(at_s, played.latency_s, world.until_s)],
        rates=[[float(each) for each in row] for row in region_rates(world, trace, played)],
    )


def better_than(ran: Sequence[Ran]) -> Mapping[str, bool]:
    """Tell of each rival that is named in the targets whether ours has the better mean and p99."""
    ours = next(each.figures for each in ran if each.way == OURS)
    return {
        each.way: ours.mean_ms < each.figures.mean_ms and ours.p99_ms < each.figures.p99_ms
        for each in ran
        if each.way in (EWMA, LEAST, DAMPED, NEAREST)
    }


def brown_out_only(base: World) -> World:
    """Give the world in which the one region gets slow, and nothing else happens."""
    return replace(base, spells=base.spells[:1], until_s=70.0)
