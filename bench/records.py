"""The ledger alone: records a second and CPU per record by how many requests wait, in each mode.

A batch is what came while the one before was written, and each batch is signed and written once. So what a record costs
depends on how many share its batch, and that on how many wait.

Beside them what one flush of this disk takes, because in fsync mode nothing can be faster than that.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import mean, median
from typing import Final

import uvloop

from bench.load import percentile
from extproc.ledger.commit import Durability, Ledger, LogIdentity
from extproc.ledger.log import WAL
from extproc.ledger.wal import list_segments, read_frames
from extproc.notes.keys import generate_key

CASES: Final = tuple((mode, waiters) for mode in (Durability.FSYNC, Durability.PAGE) for waiters in (1, 64))
MOST: Final = 1_000_000
FLUSHES: Final = 100
_PAGE: Final = b"x" * 4096
_QUEUED: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """CPU is that of all threads, in microseconds per record; a commit lasts from the call to its durable end."""

    mode: str
    waiters: int
    records: int
    per_second: float
    cpu_us: float
    batch: float
    """Records in a batch, on average."""
    commit_p50_us: float
    commit_p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What writing 4 KiB and flushing it takes, and on which kind of file system."""

    filesystem: str
    flush_p50_us: float
    flush_p99_us: float


def measure_ledger(
    work: Path,
    entries: Sequence[bytes],
    *,
    seconds: float,
    rounds: int,
    cases: Sequence[tuple[Durability, int]] = CASES,
) -> list[Recorded]:
    """Measure each case in turn, `rounds` times in a new log, and give its round in the middle by CPU."""
    taken: dict[tuple[Durability, int], list[Recorded]] = {case: [] for case in cases}
    for turn in range(rounds):
        for mode, waiters in cases:
            root = work / f"{mode.value}-{waiters}-{turn}"
            taken[mode, waiters].append(uvloop.run(_record(root, mode, waiters, entries, seconds)))
            shutil.rmtree(root)
    return [sorted(results, key=lambda each: each.cpu_us)[len(results) // 2] for results in taken.values()]


async def _record(root: Path, mode: Durability, waiters: int, entries: Sequence[bytes], seconds: float) -> Recorded:
    identity = LogIdentity(org="bench", env="bench", region="eu-fra", node="bench", worker="0")
    ledger = await Ledger.open(root, identity=identity, key=generate_key(), mode=mode)
    supply = cycle(entries)
    took_ns: list[int] = []
    began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    ends_ns = began_ns + int(seconds * 1e9)

    async def wait_for_records() -> None:
        while (now_ns := time.perf_counter_ns()) < ends_ns and len(took_ns) < MOST:
            if await ledger.commit(next(supply)) is None:
                # Nobody waits in mode observe, so the caller does: for the queue, or at least for its turn.
                await asyncio.sleep(0.001 if ledger.waiting > _QUEUED else 0)
            took_ns.append(time.perf_counter_ns() - now_ns)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(waiters):
                group.create_task(wait_for_records())
        cpu_ns, lasted_ns = time.process_time_ns() - began_cpu_ns, time.perf_counter_ns() - began_ns
    finally:
        await ledger.close()
    took_ns.sort()
    return Recorded(
        mode=mode.value,
        waiters=waiters,
        records=len(took_ns),
        per_second=len(took_ns) / lasted_ns * 1e9,
        cpu_us=cpu_ns / len(took_ns) / 1000,
        batch=mean(_batches(ledger.directory)),
        commit_p50_us=percentile(took_ns, 50) / 1000,
        commit_p99_us=percentile(took_ns, 99) / 1000,
    )


def _batches(log: Path) -> list[int]:
    """Give the sizes of the batches of a log that was closed."""
    return [frame.count for segment in list_segments(log / WAL) for frame in read_frames(segment.read_bytes())]


def measure_disk(work: Path) -> Disk:
    """Write and flush one page a hundred times."""
    path = work / "flushes"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    took_ns = []
    try:
        os.posix_fallocate(descriptor, 0, FLUSHES * len(_PAGE))
        os.fsync(descriptor)
        for i in range(FLUSHES):
            began_ns = time.perf_counter_ns()
            os.pwrite(descriptor, _PAGE, i * len(_PAGE))
            os.fdatasync(descriptor)
            took_ns.append(time.perf_counter_ns() - began_ns)
    finally:
        os.close(descriptor)
        path.unlink()
    return Disk(
        filesystem=_filesystem_of(work),
        flush_p50_us=median(took_ns) / 1000,
        flush_p99_us=percentile(sorted(took_ns), 99) / 1000,
    )


def _filesystem_of(path: Path) -> str:
    """Give the kind of file system that holds `path`: ext4, tmpfs and so on."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    holding = [each for each in mounts if path.absolute().is_relative_to(each[1])]
    return max(holding, key=lambda each: len(each[1]))[2]
