"""The results: `profiles.md` with the table and the raw figures, `profiles.json` with the same as plain data."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.profiles.evidence import Case, Crossing, Failover
from bench.profiles.figures import Figures, Group, percentile
from bench.profiles.policies import round_trips_s
from bench.profiles.story import Effort, Phase
from bench.profiles.table import BEGIN, END, render_table, updated
from bench.profiles.traffic import KINDS, PER_CYCLE
from extproc.core.tables import Profile

MARKDOWN: Final = "profiles.md"
JSON: Final = "profiles.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run and the circumstances of it. `late_p99_ms`: how late requests were sent, outside the phase of return."""

    effort: Effort
    at: datetime
    machine: str
    seconds: float
    late_p99_ms: float
    load_average: float
    figures: Mapping[Profile, Figures]


def run_of(cases: Sequence[Case], figures: Mapping[Profile, Figures], effort: Effort, seconds: float) -> Run:
    """Put a run together with this machine and this moment."""
    late = (case.answer.late_s * 1000 for case in cases if case.answer.phase is not Phase.BACK)
    return Run(
        effort=effort,
        at=datetime.now(UTC),
        machine=_machine(),
        seconds=seconds,
        late_p99_ms=percentile(late, 99),
        load_average=os.getloadavg()[1],
        figures=figures,
    )


def write_results(directory: Path, run: Run) -> None:
    """Write both files, in place of those of the last run."""
    directory.mkdir(parents=True, exist_ok=True)
    plain = {
        "at": run.at.isoformat(timespec="seconds"),
        "machine": run.machine,
        "seconds": round(run.seconds, 1),
        "late_p99_ms": round(run.late_p99_ms, 2),
        "load_average": run.load_average,
        "effort": asdict(run.effort),
        "emulated_round_trips_s": round_trips_s(),
        "profiles": {profile.value: asdict(each) for profile, each in run.figures.items()},
    }
    (directory / JSON).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    (directory / MARKDOWN).write_text(to_markdown(run), encoding="utf-8")


def to_markdown(run: Run) -> str:
    """Write the whole document."""
    lines = [
        "# The three profiles, side by side",
        "",
        "Written by `python -m bench.profiles`. The README has a copy of this table.",
        "",
        BEGIN,
        END,
        "",
        "## How it was measured",
        "",
        *(f"- {line}" for line in _method(run)),
        "",
        *_profile_lines(run.figures),
        *_latency_lines("By class, all regions up", run.figures, lambda each: each.by_class_in_calm),
        *_latency_lines("By class, the whole run", run.figures, lambda each: each.by_class),
        *_latency_lines("By kind of request, the whole run", run.figures, lambda each: each.by_kind),
        *_phase_lines(run.figures),
    ]
    return updated("\n".join(lines) + "\n", render_table(run.figures, _caption(run)))


def _caption(run: Run) -> str:
    return (
        f"Measured {run.at:%Y-%m-%d} on {run.machine}, gateway in eu-fra; round trips are emulated, everything else is "
        "real. The two nearest regions were lost for a part of the run. Percentages of what was served in it: outside "
        "the subject's own legal area, on that ground. Percentiles hold only what was served."
    )


def _method(run: Run) -> Iterable[str]:
    effort = run.effort
    trips = ", ".join(f"{region} {seconds * 1000:.0f} ms" for region, seconds in round_trips_s().items())
    yield f"{run.at:%Y-%m-%d %H:%M} UTC, {run.machine}, load average {run.load_average:.1f} (5 minutes)"
    yield (
        f"{effort.name}: rounds: {effort.rounds}, {run.seconds:.0f} s, {effort.per_s:g} requests a second to each "
        f"profile, the first {effort.warm_s:g} s not counted; sent late, p99: {run.late_p99_ms:.1f} ms"
    )
    yield (
        "**Emulated: the way to each region.** Relays on loopback delay every byte by half of a declared round trip "
        f"({trips}) and a new connection by a whole one. Everything else is real: Envoy, sidecar, decision log "
        "(`fsync`), cells, model, probes. Clients sit beside the gateway in eu-fra."
    )
    yield (
        "Three gateways, each with its own Envoy, sidecar and log, differ only in `profile:` and in whether `public` "
        "is marked unregulated; the laws of the demo's policy govern every class. All reach the same four cells. Each "
        "request is sent to all three in turn, and which is first rotates."
    )
    yield (
        f"Each round: all up for {effort.calm_s:g} s; eu-fra is killed, {effort.one_lost_s:g} s; eu-ams too, "
        f"{effort.both_lost_s:g} s; both start again. Latencies leave the last out, because the cells start on the "
        "cores that everything shares; counts do not."
    )
    yield (
        "A percentile holds only what a profile *served*: hybrid serves at 90 ms what legal-first refuses. Compare "
        "latencies within a kind, and together with the share not served. A p99 of about twice the round trip is of "
        "requests that had to open a connection."
    )
    yield (
        "`503 by Envoy`: each region of the plan failed before the sidecar knew that it was lost, or was back by the "
        "sidecar's probe and not yet by Envoy's own health check. `answer broken off`: the cell was killed after the "
        "head of its answer had gone out, so nothing can be tried again."
    )
    yield "The shares depend on the mix and on how long the outage lasts; the words of the table do not."
    yield f"Of every {PER_CYCLE} requests: {'; '.join(f'{kind.weight} {kind.name}' for kind in KINDS)}"


def _profile_lines(figures: Mapping[Profile, Figures]) -> Iterable[str]:
    yield from ("## Counts", "")

    def row(name: str, of: Callable[[Figures], str]) -> tuple[str, ...]:
        return (name, *map(of, figures.values()))

    rows = [
        row("requests", lambda each: f"{each.whole.requests:,}"),
        row("served", lambda each: f"{each.whole.served:,}"),
        row("p50 / p99, ms", lambda each: _times(each.whole)),
        row("p50 of the rounds, ms", lambda e: f"{min(e.p50_ms_by_round):.1f} to {max(e.p50_ms_by_round):.1f}"),
        *(
            row(f"not served: {reason}", _unserved_for(reason))
            for reason in sorted({reason for each in figures.values() for reason in each.whole.unserved})
        ),
        row("served outside the subject's legal area", lambda each: f"{each.crossed():.1%}"),
        *(row(f"of these {basis}", _crossed_by(basis)) for basis in Crossing),
        row("decisions recorded with a transfer", lambda each: f"{each.transfers_recorded:,}"),
        row("transfers that took place", lambda each: f"{each.transferred:,}"),
        row("failovers by the sidecar", lambda each: f"{each.failovers[Failover.SIDECAR]:,}"),
        row("failovers by Envoy", lambda each: f"{each.failovers[Failover.ENVOY]:,}"),
        row("violations (metric)", lambda each: f"{each.proof.violations:g}"),
        row("leaks by the cells' own accounts", lambda each: str(each.proof.leaks)),
        row("`situs audit verify`", lambda each: f"{each.proof.verify_result}, exit {each.proof.verify_exit}"),
        row("decisions in the log", lambda each: f"{each.proof.decisions:,}"),
        row("deliveries", lambda e: ", ".join(f"{count:,} {name}" for name, count in e.proof.findings.items())),
    ]
    yield from _table(("", *(profile.value for profile in figures)), rows)
    yield ""


def _latency_lines(
    title: str, figures: Mapping[Profile, Figures], groups: Callable[[Figures], Mapping[str, Group]]
) -> Iterable[str]:
    yield from (f"## {title}", "", "p50 / p99 in milliseconds of what was served, and the share not served.", "")
    names = sorted({name for each in figures.values() for name in groups(each)})
    rows = [(name, *(_said(groups(each).get(name)) for each in figures.values())) for name in names]
    yield from _table(("", *(profile.value for profile in figures)), rows)
    yield ""


def _phase_lines(figures: Mapping[Profile, Figures]) -> Iterable[str]:
    yield from ("## Through the outage", "")
    rows = [
        (
            phase.value,
            profile.value,
            _times(group),
            ", ".join(f"{region} {count:,}" for region, count in group.regions.items()),
            ", ".join(f"{reason} {count:,}" for reason, count in group.unserved.items()),
        )
        for phase in Phase
        for profile, each in figures.items()
        if (group := each.by_phase.get(phase.value)) is not None
    ]
    yield from _table(("phase", "profile", "p50 / p99, ms", "served by", "not served"), rows)


def _said(group: Group | None) -> str:
    if group is None:
        return "-"
    return f"{_times(group)}, {group.unserved_share:.0%}"


def _times(group: Group) -> str:
    return "-" if group.latency is None else f"{group.latency.p50_ms:.1f} / {group.latency.p99_ms:.1f}"


def _unserved_for(reason: str) -> Callable[[Figures], str]:
    def said(figures: Figures) -> str:
        count = figures.whole.unserved.get(reason, 0)
        return f"{count:,} ({count / figures.whole.requests:.1%})"

    return said


def _crossed_by(basis: Crossing) -> Callable[[Figures], str]:
    return lambda figures: f"{figures.crossings[basis]:,}"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    for line in (names, ("---",) * len(names), *rows):
        yield f"| {' | '.join(line)} |"


def _machine() -> str:
    models = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    return f"{os.cpu_count()} shared virtual cores ({', '.join(sorted(models)) or platform.machine()})"
