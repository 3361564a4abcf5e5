"""The results: `routing.json` with every figure, `routing.md` with the tables that a person reads."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.markdown import table
from bench.routing.comparisons import Best, Ran, better_than
from bench.routing.judge import Figures
from bench.routing.ways import ORACLE, OURS
from bench.routing.world import FLUSH_S, PATIENCE_S, SLO_S, SUBJECTS, World
from extproc.core.tables import Profile

MARKDOWN: Final = "routing.md"
JSON: Final = "routing.json"
BEGIN: Final = "<!-- routing-table -->"
END: Final = "<!-- /routing-table -->"

_NAMES: Final = {
    Profile.PERFORMANCE_FIRST.value: "latency only, all regions",
    Profile.LEGAL_FIRST.value: "`legal-first`",
    Profile.HYBRID.value: "`hybrid`",
}
_WITHIN: Final = 0.10
_LEFT_S: Final = 2.0
_SWINGS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything of one command. `brown_out` are runs of a world in which nothing else happens."""

    effort: str
    seconds: float
    world: World
    ran: Sequence[Ran]
    brown_out: Sequence[Ran]
    profiled: Sequence[Ran]
    best: Mapping[str, Best]
    swept: Mapping[str, Sequence[Ran]]
    plots: Sequence[str]


def write_results(directory: Path, results: Results) -> None:
    """Write both files, in place of those of the last run."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / JSON).write_text(json.dumps(_to_json(results), indent=1) + "\n", encoding="utf-8")
    (directory / MARKDOWN).write_text("\n".join(_lines(results)) + "\n", encoding="utf-8")


def _to_json(results: Results) -> dict[str, object]:
    def plain(ran: Iterable[Ran]) -> list[dict[str, object]]:
        return [{"way": each.way, "case": each.case, **asdict(each.figures)} for each in ran]

    return {
        "machine": _machine(),
        "effort": results.effort,
        "seconds": round(results.seconds, 1),
        "world": asdict(results.world),
        "side_by_side": plain(results.ran),
        "brown_out_only": plain(results.brown_out),
        "profiles": plain(results.profiled),
        "oracle_by_profile": {name: asdict(each) for name, each in results.best.items()},
        "sweeps": {name: plain(ran) for name, ran in results.swept.items()},
    }


def _lines(results: Results) -> Iterable[str]:
    world = results.world
    yield from (
        "# Routing, simulated",
        "",
        "Written by `python -m bench.routing`. Nothing here was measured on a network.",
    )
    yield from ("", BEGIN, "", *_profile_table(results), "", _sentence(results), "", END, "", "## How it was made", "")
    yield from (f"- {line}" for line in _method(results))
    yield from ("", "## Targets", "", *_targets(results))
    yield from ("", "## Side by side", "")
    yield f"Load {world.load:g}; a brown-out (5 times slower), an outage and a cold recovery. Latencies in ms."
    yield from ("", *_side_by_side(results.ran))
    yield from ("", "Seconds until the mean was within 1.25 of the oracle's again, from the begin of each event:", "")
    yield from _recoveries(results.ran)
    if results.brown_out:
        yield from ("", "## The brown-out alone", "", *_side_by_side(results.brown_out))
    for name, ran in results.swept.items():
        yield from ("", f"## Sweep: {name}", "", *_sweep_table(name, ran))
    if results.plots:
        yield from ("", "## Plots", "", *(f"![{name}]({name})" for name in results.plots))


def _profile_table(results: Results) -> Iterable[str]:
    free = results.best[Profile.PERFORMANCE_FIRST.value]
    rows = []
    for each in results.profiled:
        figures, best = each.figures, results.best[each.case]
        unserved = (figures.shed + figures.failed) / figures.requests
        rows.append(
            (
                _NAMES[each.case],
                f"**{figures.unlawful:.1%}**",
                f"{figures.transferred - figures.unlawful:.1%}",
                f"{figures.mean_ms:.0f} / {figures.p99_ms:.0f} ms",
                f"{best.calm_ms - free.calm_ms:+.0f} ms / {best.all_ms - free.all_ms:+.0f} ms",
                f"{unserved:.2%}",
            )
        )
    names = (
        "routing",
        "requests that reached a region which no law permits",
        "by a transfer permit",
        "mean / p99",
        "price of compliance, all well / whole run",
        "not served",
    )
    return table(names, rows)


def _sentence(results: Results) -> str:
    world = results.world
    return (
        f"Simulated, not measured: {len(world.servers)} regions, {world.sidecars} sidecars, load {world.load:g}, "
        f"one trace of {results.profiled[0].figures.requests:,} requests (seed {world.seed}) through a brown-out, an "
        "outage and a cold recovery, chosen by the product's own code each time; the price of compliance is the "
        "difference between the means of an oracle within each permitted set and of one over all regions, and the "
        "oracle lets requests wait that the product sheds."
    )


def _method(results: Results) -> Iterable[str]:
    world = results.world
    yield f"{_machine()}; effort {results.effort}, {results.seconds:.0f} s, seed {world.seed}, all ways on one trace"
    yield (
        f"Regions have {', '.join(map(str, world.servers))} servers behind one queue each; work is lognormal with a "
        f"mean of {world.service_s * 1000:.0f} ms; round trips are 4 to 240 ms; arrivals at four sites are Poisson"
    )
    yield "Subjects and what they may reach, legal-first and hybrid: " + "; ".join(
        f"{each.name} ({each.legal_first:04b}, {each.hybrid:04b})" for each in SUBJECTS
    )
    yield (
        f"A sidecar hears of an attempt with the next flush ({FLUSH_S * 1000:.0f} ms), of each region by a probe a "
        "second, and by a load report each period; what it counts in flight is late by as much"
    )
    yield (
        f"A request is given up after {PATIENCE_S:g} s; a miss is one above {SLO_S:g} s or shed. Envoy's retries stay "
        "in the plan, without its retry budget. A load report takes no time on its way, which favours who goes by it"
    )
    yield "Regret and prices are to a greedy oracle: what is fastest for each request, which is not the best for all"
    yield f"The first {world.warm_s:g} s are not judged. A request outside its set ends everything: there was none"


def _targets(results: Results) -> Iterable[str]:
    oracle = next(each.figures for each in results.ran if each.way == ORACLE)
    rows = []
    for each in results.ran:
        if each.way == OURS:
            over = each.figures.mean_ms / oracle.mean_ms - 1
            rows.append(
                (
                    f"mean above the oracle's, telemetry every {each.case}",
                    f"{over:+.1%}",
                    "<= 10 %",
                    _met(over <= _WITHIN),
                )
            )
    ours = next(each.figures for each in results.brown_out if each.way == OURS)
    rows += [
        (f"better mean and p99 than {way} in the brown-out", "yes" if is_better else "no", "yes", _met(is_better))
        for way, is_better in better_than(results.brown_out).items()
    ]
    left_s = "never" if ours.left_s is None else f"{ours.left_s:g} s"
    rows.append(
        (
            "brown-out: load shed from the region after",
            left_s,
            "<= 2 s",
            _met(ours.left_s is not None and ours.left_s <= _LEFT_S),
        )
    )
    rows.append(
        ("brown-out: left and taken up again", f"{ours.swings} times", str(_SWINGS), _met(ours.swings == _SWINGS))
    )
    violations = sum(each.figures.violations for each in (*results.ran, *results.brown_out, *results.profiled))
    rows.append(("violations in all runs", str(violations), "0", _met(violations == 0)))
    return table(("figure", "simulated", "target", ""), rows)


def _met(is_met: bool) -> str:  # noqa: FBT001 - a word for a bool
    return "met" if is_met else "**not met**"


def _side_by_side(ran: Sequence[Ran]) -> Iterable[str]:
    rows = [(each.way, each.case, *_figures(each.figures)) for each in ran]
    return table(("way", "telemetry", *_COLUMNS), rows)


_COLUMNS: Final = ("mean", "p95", "p99", "regret", "SLO missed", "failed", "shed", "moves/request", "violations")


def _figures(figures: Figures) -> tuple[str, ...]:
    return (
        f"{figures.mean_ms:.0f}",
        f"{figures.p95_ms:.0f}",
        f"{figures.p99_ms:.0f}",
        f"{figures.regret_ms:+.0f}",
        f"{figures.slo_missed:.2%}",
        f"{figures.failed:,}",
        f"{figures.shed:,}",
        f"{figures.moves:.3f}",
        str(figures.violations),
    )


def _recoveries(ran: Sequence[Ran]) -> Iterable[str]:
    names = list(ran[0].figures.recovered_s)
    rows = [
        (each.way, each.case, *(_seconds(each.figures.recovered_s[name]) for name in names), str(each.figures.swings))
        for each in ran
    ]
    return table(("way", "telemetry", *names, "swings (2 are due)"), rows)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f}"


def _sweep_table(name: str, ran: Sequence[Ran]) -> Iterable[str]:
    rows = [
        (
            each.case,
            each.way,
            f"{each.figures.mean_ms:.0f}",
            f"{each.figures.p99_ms:.0f}",
            f"{each.figures.regret_ms:+.0f}",
            f"{each.figures.failed:,}",
            f"{each.figures.shed:,}",
        )
        for each in ran
    ]
    return table((name, "way", "mean, ms", "p99, ms", "regret, ms", "failed", "shed"), rows)


def _machine() -> str:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return f"{at}, {os.cpu_count()} shared virtual cores, Python {platform.python_version()}"
