"""Verification: records a second per core, of records as the sidecar writes them.

A log of decisions and their deliveries is written once for each size of policy, then verified in parts, in this process
and one part after the other: so a figure is that of one core. What is measured is CPU, because machines are shared;
reading the files is in it. `integrity` is hashes, tiles and root alone, `all` also what every entry says, `wal` what
the write-ahead log adds where there is one, by how many entries share a batch.

    python -m bench.verification [--records N] [--output DIR]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

from bench.handler import write_policy
from bench.markdown import short, table
from bench.messages import processing_requests
from bench.report import machine
from extproc.archive import open_archive
from extproc.audit.checks.inventory import find_logs
from extproc.audit.checks.jobs import PartJob, SegmentsJob
from extproc.audit.checks.logs import LogCheck, run_job
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.core.decide import Decision, decide
from extproc.core.delivery import Attempt, Delivery, intent_of, reconcile
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.steering import Steer
from extproc.demo.places import write_geo_database
from extproc.engine import ProcessEngine
from extproc.ledger.entries import close_to_entry, config_to_entry, decision_to_entry, delivery_to_entry
from extproc.ledger.incarnation import LogIdentity, start_log
from extproc.notes.keys import SigningKey, generate_key
from extproc.sidecar.configuration import Files, Origin, load_configuration
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.live import Live

TARGET: Final = 250_000.0
REGIONS: Final = (4, 40)
BATCHES: Final = (4, 64)
_BEHIND: Final = 64
"""Decisions between one and its delivery: what 1,000 requests a second have in flight."""
_RECORDS: Final = 1 << 17
_REPEATS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """CPU microseconds per record, medians; `least_us` is the repeat with the least of `all_us`."""

    regions: int
    batch: int
    records: int
    decision_bytes: int
    delivery_bytes: int
    integrity_us: float
    all_us: float
    least_us: float
    wal_us: float
    every_signature_us: float
    workers: int
    wall_per_second: float
    """Records a second of the whole verification, write-ahead log included, by processes on all cores."""


def measure(work: Path, *, regions: int, batch: int, records: int) -> Measured:
    """Write a log of about so many records and verify it."""
    root = work / f"log-{regions}-{batch}"
    key = generate_key()
    sizes = write_log(root, work, key, regions=regions, batch=batch, records=records)
    archive = open_archive(str(root))
    trust = Trust(keys=(key.verifier("bench"),))
    log = LogCheck(archive, find_logs(archive)[0], trust, every_signature=False)
    jobs = list(log.jobs(1))
    parts = [job for job in jobs if isinstance(job, PartJob)]
    segments = [job for job in jobs if isinstance(job, SegmentsJob)]
    whole = _repeat(parts, log.published)
    engine = ProcessEngine()
    began = time.perf_counter()
    result = verify(archive, trust, engine=engine)
    took_s = time.perf_counter() - began
    if result.exit_status:
        raise ValueError(f"the log does not verify: {result.findings[0]}")
    return Measured(
        regions=regions,
        batch=batch,
        records=log.published,
        decision_bytes=sizes[0],
        delivery_bytes=sizes[1],
        integrity_us=median(_repeat([replace(job, meaning=False) for job in parts], log.published)),
        all_us=median(whole),
        least_us=min(whole),
        wal_us=median(_repeat(segments, log.published)),
        every_signature_us=_once([replace(job, every_signature=True) for job in segments]) / log.published,
        workers=engine.workers,
        wall_per_second=log.published / took_s,
    )


def _repeat(jobs: Sequence[PartJob | SegmentsJob], records: int) -> list[float]:
    return [_once(jobs) / records for _ in range(_REPEATS)]


def _once(jobs: Sequence[PartJob | SegmentsJob]) -> float:
    """Do the jobs and give their CPU in microseconds."""
    began_ns = time.process_time_ns()
    for job in jobs:
        if run_job(job).findings:
            raise ValueError("the log does not verify")
    return (time.process_time_ns() - began_ns) / 1000


def write_log(  # noqa: PLR0913 - what the log is made of, each by name
    root: Path, work: Path, key: SigningKey, *, regions: int, batch: int, records: int
) -> tuple[int, int]:
    """Write a log whose half is decisions and half their deliveries; give the size of the first of each, in bytes."""
    geo, policy = work / "country.mmdb", work / f"policy-{regions}.yaml"
    write_geo_database(geo)
    write_policy(policy, regions)
    live = Live(load_configuration(Files(policy=Origin(location=str(policy)), geo=geo)))
    now_s = time.time()
    for region in live.current.snapshot.policy.regions:
        live.standing(region.id, Standing(state=HealthState.UP, observed_at_s=now_s, latency_s=0.009, budget=128.0))
    identity = LogIdentity(org="bench", env="bench", region="eu-fra", node="bench", worker="0")
    writer, lock = start_log(root, identity=identity, key=key, durability="page", program="bench", clock=lambda: now_s)
    waiting = [config_to_entry(live.current.snapshot, at_s=now_s, program="bench")]
    behind: list[bytes] = []
    sizes = (0, 0)
    for n, decision in enumerate(_decisions(live, now_s, records // 2), 1):
        waiting.append(decision_to_entry(decision, sequence=n))
        behind.append(_delivery(decision))
        sizes = sizes if n > 1 else (len(waiting[-1]), len(behind[0]))
        if n > _BEHIND:
            waiting.append(behind.pop(0))
        while len(waiting) >= batch:
            writer.append(waiting[:batch])
            del waiting[:batch]
    writer.append([*waiting, *behind, close_to_entry(at_s=now_s + 1 + records / 1000, reason="shutdown")])
    writer.close()
    lock.release()
    return sizes


def _decisions(live: Live, began_s: float, count: int) -> Iterable[Decision]:
    messages = processing_requests()
    current, ids = live.current, DecisionIds()
    for n in range(count):
        now_s = began_s + n / 1000
        facts = current.reader.requests.read(messages[n % len(messages)], now_s)
        yield decide(facts, current.snapshot, now_s=now_s, decision_id=ids.make(now_s))


def _delivery(decision: Decision) -> bytes:
    if not isinstance(decision.steering, Steer):
        raise TypeError("a decision of the benchmark was refused")
    region, at_s = decision.steering.plan[0], decision.decided_at_s + 0.002
    attempts = (Attempt(cluster=str(region), region=region, status=200, began_at_s=at_s, duration_s=0.01),)
    delivery = Delivery(
        decision=decision.id,
        attempts=attempts,
        attempts_expected=1,
        served=region,
        status=200,
        began_at_s=at_s,
        duration_s=0.011,
        finding=reconcile(decision.id, intent_of(decision), attempts),
    )
    return delivery_to_entry(delivery, at_s=decision.decided_at_s + _BEHIND / 1000)


def to_lines(measured: Sequence[Measured], here: Mapping[str, str]) -> Iterable[str]:
    """Give the tables that a person reads."""
    yield from ("# Verification", "", "Written by `python -m bench.verification`.", "")
    yield from (f"- {name}: {value}" for name, value in here.items())
    yield from (
        "",
        "Thousands of records a second on one core, by CPU; medians. Half of the records are decisions, half their",
        "deliveries.",
        f"Target for all but the write-ahead log, which no archive holds: {TARGET / 1000:,.0f}.",
        "",
    )
    names = (
        "regions",
        "bytes of a decision",
        "of a delivery",
        "integrity",
        "all",
        "all, best repeat",
        "",
        "records/batch",
        "wal",
        "wal, every signature",
        "all and wal, by the clock",
    )
    rows = [
        (
            str(each.regions),
            str(each.decision_bytes),
            str(each.delivery_bytes),
            _thousands(each.integrity_us),
            _thousands(each.all_us),
            _thousands(each.least_us),
            "met" if 1e6 / each.all_us >= TARGET else "**not met**",
            str(each.batch),
            _thousands(each.wal_us),
            _thousands(each.every_signature_us),
            f"{each.wall_per_second / 1000:,.0f} ({each.workers} processes)",
        )
        for each in measured
    ]
    yield from table(names, rows)


def _thousands(us: float) -> str:
    return short(1000 / us)


def main() -> int:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.verification", description="Measure verification.")
    parser.add_argument("--records", type=int, default=_RECORDS, help="records in each log")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for regions, batch in ((regions, batch) for regions in REGIONS for batch in BATCHES):
            measured.append(measure(Path(folder), regions=regions, batch=batch, records=args.records))
    here = machine()
    args.output.mkdir(parents=True, exist_ok=True)
    written = {"machine": here, "target_per_second": TARGET, "measured": [asdict(each) for each in measured]}
    (args.output / "verification.json").write_text(json.dumps(written, indent=1) + "\n")
    lines = list(to_lines(measured, here))
    (args.output / "verification.md").write_text("\n".join(lines) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
