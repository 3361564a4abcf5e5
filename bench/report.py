"""The results: `latest.json` with every sample, `latest.md` with the tables that a person reads."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.handler import Handled
from bench.ladder import Climb, Load, Rung, Sample
from bench.markdown import short, signed, table
from bench.policies import Costs
from bench.policy_report import policy_lines, reload_lines
from bench.records import Disk, Recorded
from bench.reload import Reloaded
from bench.targets import CPU_LOAD, P50_LOAD, Target, middle

_PACKAGES: Final = ("situs", "grpcio", "protobuf", "uvloop", "xds-protos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that was measured; a part that was not asked for is None."""

    effort: str
    rounds: int
    loads: Sequence[Load]
    climb: Climb | None = None
    handled: Sequence[Handled] | None = None
    recorded: Sequence[Recorded] | None = None
    disk: Disk | None = None
    policies: Sequence[Costs] | None = None
    reloaded: Sequence[Reloaded] | None = None
    targets: Sequence[Target] = ()


def write_results(directory: Path, results: Results) -> None:
    """Write both files, in place of those of the last run."""
    directory.mkdir(parents=True, exist_ok=True)
    here = machine()
    (directory / "latest.json").write_text(json.dumps(_to_json(results, here), indent=1) + "\n")
    (directory / "latest.md").write_text("\n".join(_to_lines(results, here)) + "\n")


def machine() -> dict[str, str]:
    """Say on what was measured, and when."""
    models = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} shared virtual cores, {', '.join(sorted(models))}",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    }


def _to_json(results: Results, here: Mapping[str, str]) -> dict[str, object]:
    return {
        "machine": here,
        "effort": results.effort,
        "rounds": results.rounds,
        "loads": [asdict(load) for load in results.loads],
        "ladder": None if results.climb is None else asdict(results.climb),
        "handler": None if results.handled is None else [asdict(each) for each in results.handled],
        "ledger": None if results.recorded is None else [asdict(each) for each in results.recorded],
        "disk": None if results.disk is None else asdict(results.disk),
        "policies": None if results.policies is None else [asdict(each) for each in results.policies],
        "reload": None if results.reloaded is None else [asdict(each) for each in results.reloaded],
        "targets": [{**asdict(target), "met": target.met} for target in results.targets],
    }


def _to_lines(results: Results, here: Mapping[str, str]) -> Iterable[str]:
    yield "# Results"
    yield ""
    yield "Written by `make bench`; the method and how to read this are in the README one folder up."
    yield ""
    for name, value in here.items():
        yield f"- {name}: {value}"
    yield f"- effort: {results.effort}, {results.rounds} rounds"
    if results.disk is not None:
        yield (
            f"- disk: {results.disk.filesystem}, one flush of 4 KiB takes {results.disk.flush_p50_us:.0f} us (p50), "
            f"{results.disk.flush_p99_us:.0f} us (p99)"
        )
    if results.targets:
        yield from ("", "## Targets", "")
        yield from target_table(results.targets)
    if results.climb is not None:
        yield from _ladder_lines(results.climb, results.loads)
    if results.handled is not None:
        yield from _handler_lines(results.handled)
    if results.recorded is not None:
        yield from _ledger_lines(results.recorded)
    if results.policies is not None:
        yield from policy_lines(results.policies)
    if results.reloaded is not None:
        yield from reload_lines(results.reloaded)


def target_table(targets: Sequence[Target]) -> Iterable[str]:
    """Give the lines of the table of targets."""
    rows = [
        (
            target.what,
            f"{short(target.value)} {target.unit}",
            "" if target.lowest is None else f"{short(target.lowest)} to {short(target.highest)}",
            f"{'>=' if target.at_least else '<='} {target.limit:g} {target.unit}",
            "met" if target.met else "**not met**",
        )
        for target in targets
    ]
    return table(("figure", "median", "over the rounds", "target", ""), rows)


def _ladder_lines(climb: Climb, loads: Sequence[Load]) -> Iterable[str]:
    yield from ("", "## Ladder: CPU per request", "")
    yield "Saturation, microseconds, user and system, medians over the rounds; `least` is the round with the least."
    yield ""
    rows = []
    below: float | None = None
    for rung, by_load in climb.samples.items():
        samples = by_load[CPU_LOAD]
        sidecar = middle(samples, "sidecar_cpu_us")
        added = None if sidecar is None or below is None or rung is Rung.SAMPLE else sidecar - below
        rows.append(
            (
                rung.value,
                short(sidecar),
                short(_least(samples, "sidecar_cpu_us")),
                signed(added),
                short(middle(samples, "envoy_cpu_us")),
                short(_least(samples, "envoy_cpu_us")),
                short(climb.peak_rss_mib[rung].get("sidecar")),
                short(climb.peak_rss_mib[rung].get("envoy")),
                short(middle(samples, "foreign_cores")),
            )
        )
        below = sidecar
    names = (
        "rung",
        "sidecar",
        "least",
        "added",
        "Envoy",
        "least",
        "sidecar peak MiB",
        "Envoy peak MiB",
        "foreign cores",
    )
    yield from table(names, rows)
    for load in loads:
        kind = "closed loop" if load.rate is None else f"open loop, {load.rate:,.0f} requests a second due"
        yield from (
            "",
            f"## Ladder: {load.name}",
            "",
            f"{load.connections} connections, {kind}. Times in microseconds.",
            "",
        )
        figures = ("p50_us", "p99_us", "p999_us", "hop_p50_us", "hop_p99_us", "sidecar_cpu_us", "load_late_p99_us")
        yield from table(
            ("rung", "requests/s", "p50", "p99", "p99.9", "hop p50", "hop p99", "sidecar CPU", "sent late p99"),
            [
                (
                    rung.value,
                    short(middle(by_load[load.name], "per_second")),
                    *(short(middle(by_load[load.name], figure)) for figure in figures),
                )
                for rung, by_load in climb.samples.items()
            ],
        )
    if any(load.name == P50_LOAD for load in loads):
        yield ""
        yield "The hop is Envoy's own clock: from sending the request's headers to the sidecar to having its answer."


def _handler_lines(handled: Sequence[Handled]) -> Iterable[str]:
    yield from ("", "## Handler: bytes in to bytes out", "", "Microseconds of CPU per request, without any I/O.", "")
    titles = [f"{each.regions} regions, {each.caller}" for each in handled]
    rows = [(step, *(short(each.steps_us[step]) for each in handled)) for step in handled[0].steps_us]
    rows.append(("**whole**", *(f"**{short(each.whole_us)}**" for each in handled)))
    rows.append(("off the path: what Envoy reports", *(short(each.reported_us) for each in handled)))
    rows.append(("bytes of the message", *(str(each.message_bytes) for each in handled)))
    rows.append(("bytes of the record", *(str(each.entry_bytes) for each in handled)))
    yield from table(("step", *titles), rows)


def _ledger_lines(recorded: Sequence[Recorded]) -> Iterable[str]:
    yield from ("", "## Ledger", "", "Callers that each wait for their record before they commit the next.", "")
    yield from table(
        ("mode", "callers", "records/s", "CPU us/record", "records/batch", "commit p50 us", "commit p99 us"),
        [
            (
                each.mode,
                str(each.waiters),
                *map(short, (each.per_second, each.cpu_us, each.batch, each.commit_p50_us, each.commit_p99_us)),
            )
            for each in recorded
        ],
    )


def _least(samples: Sequence[Sample], figure: str) -> float | None:
    values = [value for sample in samples if (value := getattr(sample, figure)) is not None]
    return min(values) if values else None
