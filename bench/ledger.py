"""The ledger against the page's targets: `python -m bench.ledger` writes `results/ledger.md` and `.json`.

Four tables. What a commit costs through the event loop, by mode and by how many wait. What the writer alone costs, by
the size of a batch. What the making of segments ahead is worth. How long a start takes over a log that just stopped.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.handler import decision_entries
from bench.markdown import short, table
from bench.meter import machine_busy_s
from bench.records import Disk, Recorded, measure_disk, measure_ledger
from bench.report import machine, target_table
from bench.targets import Target
from bench.writing import Files, Recovered, Written, measure_files, measure_recovery, measure_writer
from extproc.ledger.commit import Durability

WAITERS: Final = (1, 8, 64, 256)
BATCHES: Final = (1, 16, 64, 256, 1024)
FRAMES: Final = (1, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that was measured. `entry_bytes` is the size of a record.

    `foreign_cores` is how much of the machine was busy with anything else meanwhile; much above 0.1, the run was
    disturbed.
    """

    entry_bytes: int
    rounds: int
    foreign_cores: float
    disk: Disk
    files: Sequence[Files]
    recorded: Sequence[Recorded]
    written: Sequence[Written]
    recovered: Sequence[Recovered]

    def targets(self) -> list[Target]:
        """Hold the figures against the design's."""
        many = next(each for each in self.recorded if (each.mode, each.waiters) == ("fsync", 64))
        alone = next(each for each in self.written if each.batch == FRAMES[-1])
        return [
            Target(
                what="signed durable records a second, 64 waiters",
                value=many.per_second,
                limit=20_000,
                unit="/s",
                at_least=True,
            ),
            Target(what="CPU per record, fsync, 64 waiters", value=many.cpu_us, limit=20, unit="us CPU"),
            Target(
                what="CPU per record in the writer alone, batches of 64", value=alone.cpu_us, limit=20, unit="us CPU"
            ),
            *(
                Target(
                    what=f"recovery of 64 MiB, {each.batch} records a frame",
                    value=each.per_64_mib_s,
                    limit=1.0,
                    unit="s",
                )
                for each in self.recovered
            ),
        ]


def measure(work: Path, *, seconds: float, rounds: int, mib: int) -> Results:
    """Measure all of it below `work`; `mib` is the size of the log that is recovered."""
    began_s, began_busy_s, began_own_s = time.monotonic(), machine_busy_s(), time.process_time()
    entries = decision_entries(work)
    _say("files")
    disk, files = measure_disk(work), measure_files(work)
    _say("commits")
    cases = [(mode, waiters) for mode in Durability for waiters in WAITERS]
    recorded = measure_ledger(work, entries, seconds=seconds, rounds=rounds, cases=cases)
    _say("writer")
    written = [measure_writer(work, entries, batch=batch, seconds=seconds) for batch in BATCHES]
    _say("recovery")
    recovered = [measure_recovery(work, entries, batch=batch, mib=mib, rounds=rounds) for batch in FRAMES]
    foreign_s = machine_busy_s() - began_busy_s - (time.process_time() - began_own_s)
    return Results(
        foreign_cores=foreign_s / (time.monotonic() - began_s),
        entry_bytes=max(map(len, entries)),
        rounds=rounds,
        disk=disk,
        files=files,
        recorded=recorded,
        written=written,
        recovered=recovered,
    )


def write_results(directory: Path, results: Results) -> None:
    """Write both files, in place of those of the last run."""
    directory.mkdir(parents=True, exist_ok=True)
    here = machine()
    targets = results.targets()
    plain = {
        "machine": here,
        **asdict(results),
        "targets": [{**asdict(target), "met": target.met} for target in targets],
    }
    (directory / "ledger.json").write_text(json.dumps(plain, indent=1) + "\n")
    (directory / "ledger.md").write_text("\n".join(_lines(results, targets, here)) + "\n")


def _lines(results: Results, targets: Sequence[Target], here: dict[str, str]) -> Iterable[str]:
    yield from ("# The ledger", "", "Written by `python -m bench.ledger`.", "")
    yield from (f"- {name}: {value}" for name, value in here.items())
    disk = results.disk
    yield f"- disk: {disk.filesystem}"
    yield f"- {results.rounds} rounds, of which the middle; a record has {results.entry_bytes} bytes"
    yield f"- foreign cores: {short(results.foreign_cores)}, what else the machine did; much above 0.1, a disturbed run"
    yield from ("", "## Targets", "", *target_table(targets))
    yield from ("", "## Commits", "")
    yield "Callers that each wait for their record before they commit the next. CPU is that of all threads, event loop"
    yield "and callers included. In mode observe nobody waits, so a caller lets the others have their turn, and pauses"
    yield "while 1,000 records queue."
    yield ""
    yield from table(
        ("mode", "callers", "records/s", "CPU us/record", "records/batch", "commit p50 us", "commit p99 us"),
        [
            (
                each.mode,
                str(each.waiters),
                *map(short, (each.per_second, each.cpu_us, each.batch, each.commit_p50_us, each.commit_p99_us)),
            )
            for each in results.recorded
        ],
    )
    yield from (
        "",
        "## The writer alone",
        "",
        "Encode, hash, sign, write, flush and publish, one thread, no callers.",
        "",
    )
    yield from table(
        ("records in a batch", "records/s", "CPU us/record", "batch p50 us", "batch p99 us"),
        [
            (str(each.batch), *map(short, (each.per_second, each.cpu_us, each.batch_p50_us, each.batch_p99_us)))
            for each in results.written
        ],
    )
    yield from ("", "## Segments", "")
    yield "One write of 4,000 bytes and one flush: in a file that grows, in one whose space is reserved, and in one"
    yield "that was filled with zeros before, as segments are. `making` is what 64 MiB of it take; nobody waits for"
    yield "that when a segment is made ahead."
    yield ""
    yield from table(
        ("file", "flush p50 us", "flush p99 us", "making ms"),
        [(each.kind, *map(short, (each.flush_p50_us, each.flush_p99_us, each.making_ms))) for each in results.files],
    )
    yield from ("", "## Recovery", "", "A start over a log that just stopped: checked, tiles compared, closed; and its")
    yield "successor begun."
    yield ""
    yield from table(
        ("records in a frame", "MiB", "records", "seconds", "seconds per 64 MiB", "CPU s per 64 MiB"),
        [
            (
                str(each.batch),
                short(each.mib),
                f"{each.records:,}",
                *map(short, (each.seconds, each.per_64_mib_s, each.cpu_per_64_mib_s)),
            )
            for each in results.recovered
        ],
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, write the results, and print which targets are met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.ledger", description="Measure the ledger against its targets."
    )
    parser.add_argument("--short", action="store_true", help="figures to look at, not to quote")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/results"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="on the disk to be measured (default: %(default)s)",
    )
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    args.work.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="ledger-", dir=args.work))
    began_s = time.monotonic()
    try:
        if args.short:
            results = measure(work, seconds=0.2, rounds=1, mib=4)
        else:
            results = measure(work, seconds=1.5, rounds=3, mib=64)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_results(args.output, results)
    _say(f"measured for {time.monotonic() - began_s:.0f} s")
    for target in results.targets():
        _say(f"{'met    ' if target.met else 'NOT MET'}  {target.what}: {target.value:.2f} (target {target.limit:g})")
    print(args.output / "ledger.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
