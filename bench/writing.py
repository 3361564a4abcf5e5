"""The ledger's writer without callers, the files that it writes, and the reading back of them."""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Final

from bench.load import percentile
from extproc.ledger.commit import LogIdentity
from extproc.ledger.disk import allocate
from extproc.ledger.incarnation import WorkerLock, start_log
from extproc.ledger.log import WAL, LogWriter
from extproc.ledger.wal import SEGMENT_BYTES, list_segments, used_bytes
from extproc.notes.keys import SigningKey, generate_key

IDENTITY: Final = LogIdentity(org="bench", env="bench", region="eu-fra", node="bench", worker="1")
FLUSHES: Final = 1000
_PIECE: Final = b"x" * 4000
_PUBLISH_S: Final = 0.2
_MIB: Final = 1 << 20
_SYNC_ENTRIES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What writing and flushing 4,000 bytes takes in a file of a kind, and what making 64 MiB of it takes."""

    kind: str
    flush_p50_us: float
    flush_p99_us: float
    making_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Batches written and flushed one after the other, tiles included."""

    batch: int
    per_second: float
    cpu_us: float
    batch_p50_us: float
    batch_p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A start over a log of `mib` that just stopped."""

    batch: int
    mib: float
    records: int
    seconds: float
    per_64_mib_s: float
    cpu_per_64_mib_s: float


def measure_files(work: Path) -> list[Files]:
    """Write and flush in a file that grows, in one that is reserved, and in one that is filled with zeros."""
    return [_measure_file(work / "file", kind) for kind in ("grows", "reserved", "zeros before")]


def _measure_file(path: Path, kind: str) -> Files:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    took_ns = []
    try:
        began_ns = time.perf_counter_ns()
        if kind == "reserved":
            os.posix_fallocate(descriptor, 0, SEGMENT_BYTES)
            os.fsync(descriptor)
        elif kind == "zeros before":
            allocate(descriptor, 0, SEGMENT_BYTES)
        making_ns = time.perf_counter_ns() - began_ns
        for i in range(FLUSHES):
            began_ns = time.perf_counter_ns()
            os.pwrite(descriptor, _PIECE, i * len(_PIECE))
            os.fdatasync(descriptor)
            took_ns.append(time.perf_counter_ns() - began_ns)
    finally:
        os.close(descriptor)
        path.unlink()
    return Files(
        kind=kind,
        flush_p50_us=median(took_ns) / 1000,
        flush_p99_us=percentile(sorted(took_ns), 99) / 1000,
        making_ms=making_ns / 1e6,
    )


def measure_writer(work: Path, entries: Sequence[bytes], *, batch: int, seconds: float) -> Written:
    """Append and flush batches of one size, and publish as the ledger does."""
    root = work / f"writer-{batch}"
    supply = cycle(entries)
    writer, lock = _start(root, generate_key())
    took_ns: list[int] = []
    began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    publish_ns = began_ns + int(_PUBLISH_S * 1e9)
    try:
        while (now_ns := time.perf_counter_ns()) < began_ns + seconds * 1e9:
            writer.append(list(islice(supply, batch)))
            writer.sync()
            took_ns.append(time.perf_counter_ns() - now_ns)
            if now_ns > publish_ns:
                writer.publish()
                publish_ns = now_ns + int(_PUBLISH_S * 1e9)
        lasted_ns, cpu_ns = time.perf_counter_ns() - began_ns, time.process_time_ns() - began_cpu_ns
    finally:
        writer.abandon()
        lock.release()
        shutil.rmtree(root)
    records = batch * len(took_ns)
    took_ns.sort()
    return Written(
        batch=batch,
        per_second=records / lasted_ns * 1e9,
        cpu_us=cpu_ns / records / 1000,
        batch_p50_us=percentile(took_ns, 50) / 1000,
        batch_p99_us=percentile(took_ns, 99) / 1000,
    )


def measure_recovery(work: Path, entries: Sequence[bytes], *, batch: int, mib: int, rounds: int) -> Recovered:
    """Let a log of so many MiB stop without its end, and start over it; the middle one of the rounds."""
    taken = [_recover(work / f"recovery-{batch}", entries, batch=batch, mib=mib) for _ in range(rounds)]
    return sorted(taken, key=lambda each: each.per_64_mib_s)[len(taken) // 2]


def _recover(root: Path, entries: Sequence[bytes], *, batch: int, mib: int) -> Recovered:
    key = generate_key()
    supply = cycle(entries)
    writer, lock = _start(root, key)
    written = 0
    while written < mib * _MIB:
        taken = list(islice(supply, batch))
        first = writer.append(taken)
        written += sum(map(len, taken))
        if first % _SYNC_ENTRIES < batch:
            writer.publish()
    writer.publish()
    records = writer.size
    writer.abandon()
    lock.release()
    size_mib = sum(used_bytes(path.read_bytes()) for path in list_segments(writer.directory / WAL)) / _MIB
    began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    writer, lock = _start(root, key)
    seconds, cpu_s = (time.perf_counter_ns() - began_ns) / 1e9, (time.process_time_ns() - began_cpu_ns) / 1e9
    writer.abandon()
    lock.release()
    shutil.rmtree(root)
    return Recovered(
        batch=batch,
        mib=size_mib,
        records=records,
        seconds=seconds,
        per_64_mib_s=seconds / size_mib * 64,
        cpu_per_64_mib_s=cpu_s / size_mib * 64,
    )


def _start(root: Path, key: SigningKey) -> tuple[LogWriter, WorkerLock]:
    return start_log(root, identity=IDENTITY, key=key, durability="fsync", program="bench", clock=time.time)
