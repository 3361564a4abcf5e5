"""What the figures are held against. A target that is not met is said so; none is changed by what was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from statistics import median
from typing import Final

from bench.handler import REGIONS, Handled
from bench.ladder import Climb, Rung, Sample, medians
from bench.policies import MIDDLE, ONE_TENANT, Costs
from bench.reload import Reloaded

CPU_LOAD: Final = "saturated"
"""CPU per request is taken where there are most requests to share what is not theirs: probes, timers, flushes."""
P50_LOAD: Final = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One figure beside its limit. `lowest` and `highest` are over the rounds, where there were rounds."""

    what: str
    value: float
    limit: float
    unit: str
    at_least: bool = False
    lowest: float | None = None
    highest: float | None = None

    @property
    def met(self) -> bool:
        """Tell whether the figure keeps to its limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def ladder_targets(climb: Climb) -> list[Target]:
    """Hold a whole ladder against its targets."""
    return [
        _cpu_ratio(climb, "sidecar CPU per request: all of it in page mode / no-op", Rung.PAGE, Rung.NOOP, 1.45),
        _cpu_ratio(climb, "sidecar CPU per request: all of it in fsync mode / no-op", Rung.FSYNC, Rung.NOOP, 1.6),
        _cpu_ratio(
            climb,
            "sidecar CPU per request: SDK sample / all of it in fsync mode",
            Rung.SAMPLE,
            Rung.FSYNC,
            2.5,
            at_least=True,
        ),
        _over_rounds(
            "p50 added at one connection: page mode / no-op",
            _each_round(
                climb,
                P50_LOAD,
                "p50_us",
                lambda us: (us[Rung.PAGE] - us[Rung.ENVOY]) / (us[Rung.NOOP] - us[Rung.ENVOY]),
            ),
            1.3,
            "x",
        ),
        _over_rounds(
            "p50 added at one connection: fsync mode - no-op",
            _each_round(climb, P50_LOAD, "p50_us", lambda us: (us[Rung.FSYNC] - us[Rung.NOOP]) / 1000),
            0.8,
            "ms",
        ),
        Target(
            what="peak memory of the sidecar, with a database of five networks",
            value=max(climb.peak_rss_mib[rung]["sidecar"] for rung in (Rung.PAGE, Rung.FSYNC)),
            limit=130,
            unit="MiB",
        ),
    ]


def handler_targets(handled: Sequence[Handled]) -> list[Target]:
    """Hold the work on one request against its targets, at its worst caller."""
    few, many = (max(each.whole_us for each in handled if each.regions == regions) for regions in REGIONS)
    return [
        Target(what=f"bytes in to bytes out, {REGIONS[0]} regions", value=few, limit=45, unit="us CPU"),
        Target(
            what=f"bytes in to bytes out, {REGIONS[1]} / {REGIONS[0]} regions", value=many / few, limit=1.3, unit="x"
        ),
    ]


def policy_targets(measured: Sequence[Costs]) -> list[Target]:
    """Hold what policies cost against the design's figures, which were taken on a prototype.

    Its table of 250 countries x 6 classes x 40 regions was of one day and one kind of tenant, without grounds for a
    record; ours of the same size is of all days and 20 regimes. Its 0.2 us were one look and a mask, as here.
    """
    by_size = {each.size: each for each in measured}
    middle, one = by_size[MIDDLE], by_size[ONE_TENANT]
    few, many = (by_size[replace(MIDDLE, tenants=tenants)] for tenants in (100, 10_000))
    return [
        Target(what="one look into the compiled tables, 40 regions", value=middle.table_us, limit=0.2, unit="us CPU"),
        Target(what="a known verdict of tier 1, 40 regions", value=middle.judge_known_us, limit=1.0, unit="us CPU"),
        Target(
            what="compile 249 countries x 5 classes x 40 regions, one tenant",
            value=one.compile_ms,
            limit=10,
            unit="ms CPU",
        ),
        Target(
            what="parse and compile 40 regions x 20 regimes, 1,000 tenants",
            value=middle.parse_ms + middle.compile_ms,
            limit=100,
            unit="ms CPU",
        ),
        Target(what="a known decision, 10,000 / 100 tenants", value=many.known_us / few.known_us, limit=1.1, unit="x"),
    ]


def reload_targets(measured: Sequence[Reloaded]) -> list[Target]:
    """Hold each kind of change against the issue's bound: no p99 above twice that of the quiet while before."""
    return [
        _over_rounds(
            f"p99 while something changes / before: {each.case}",
            [round_.changing_p99_us / round_.quiet_p99_us for round_ in each.rounds],
            2.0,
            "x",
        )
        for each in measured
    ]


def _cpu_ratio(climb: Climb, what: str, above: Rung, below: Rung, limit: float, *, at_least: bool = False) -> Target:  # noqa: PLR0913 - a ratio is both its sides
    ratios = _each_round(climb, CPU_LOAD, "sidecar_cpu_us", lambda us: us[above] / us[below], (above, below))
    return _over_rounds(what, ratios, limit, "x", at_least=at_least)


def _each_round(
    climb: Climb,
    load: str,
    figure: str,
    compute: Callable[[Mapping[Rung, float]], float],
    rungs: Sequence[Rung] = (Rung.ENVOY, Rung.NOOP, Rung.PAGE, Rung.FSYNC),
) -> list[float]:
    """Compute something of one figure of several rungs in each round by itself: a round's samples are neighbours."""
    read = attrgetter(figure)
    rounds = zip(*(climb.samples[rung][load] for rung in rungs), strict=True)
    return [compute(dict(zip(rungs, map(read, samples), strict=True))) for samples in rounds]


def _over_rounds(what: str, values: Sequence[float], limit: float, unit: str, *, at_least: bool = False) -> Target:
    return Target(
        what=what,
        value=median(values),
        limit=limit,
        unit=unit,
        at_least=at_least,
        lowest=min(values),
        highest=max(values),
    )


def middle(samples: Sequence[Sample], figure: str) -> float | None:
    """Give the median of a named figure over the rounds."""
    return medians(samples, attrgetter(figure))
