"""Batching with zero delay: one queue and one thread per model version.

Nobody waits for company. A request that finds the session idle is computed at once; whatever arrives meanwhile waits,
and when the session is idle again everything that waits and fits together is computed in one run.

The queue belongs to the event loop alone, and the thread only computes, so there is no lock. Requests fit together
when the model's first dimension is dynamic and all other dimensions are equal; names and datatypes are the model's,
so they are equal already. A batch that fails is computed again one by one: a poisoned request fails alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from inference.errors import CellError, FaultError, OverloadedError
from inference.load import Fullness, Load
from inference.tensors import Array

Feed: TypeAlias = dict[str, Array]
Compute: TypeAlias = Callable[[Feed], Sequence[Array]]
_Key: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """Bounds of one model version's batches and queue. One request alone may exceed `rows`; it is then not joined.

    rows: of one batch (64: latency grows with rows, throughput hardly beyond).
    waiting: requests in the queue. waiting_bytes: their tensors together. Beyond either: OverloadedError.
    """

    rows: int = 64
    waiting: int = 1024
    waiting_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    feed: Feed
    rows: int
    nbytes: int
    key: _Key | None  # jobs of equal keys may share a batch; None shares with nobody
    done: asyncio.Future[Sequence[Array]]


class Batcher:
    """Runs `compute` in a thread of its own, on as many waiting requests at once as fit.

    All methods belong to the event loop's thread.
    """

    def __init__(self, compute: Compute, *, batchable: bool, limits: BatchLimits, name: str) -> None:
        self._compute = compute
        self._batchable = batchable
        self._limits = limits
        self._waiting: deque[_Job] = deque()
        self._waiting_bytes = 0
        self._busy = False
        self._fullness = Fullness(time.monotonic())
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, feed: Feed) -> Sequence[Array]:
        """Return the outputs for `feed`, alone or as rows of a batch; bitwise the same values either way on a CPU.

        OverloadedError if the queue is full, else whatever `compute` raises for this feed alone.
        """
        nbytes = sum(array.nbytes for array in feed.values())
        if len(self._waiting) >= self._limits.waiting or self._waiting_bytes + nbytes > self._limits.waiting_bytes:
            raise OverloadedError("the queue of this model is full; send the request again later")
        rows, key = self._place(feed)
        done: asyncio.Future[Sequence[Array]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(feed=feed, rows=rows, nbytes=nbytes, key=key, done=done))
        self._waiting_bytes += nbytes
        if not self._busy:
            self._start()
        return await done

    def load(self) -> Load:
        """Tell how full the runs of about the last second were, and how many requests wait."""
        return Load(utilization=self._fullness.at(time.monotonic()), queued=len(self._waiting))

    def close(self) -> None:
        """End the thread. What still waits is cancelled; the run in progress is waited for."""
        for job in self._waiting:
            job.done.cancel()
        self._waiting.clear()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _place(self, feed: Feed) -> tuple[int, _Key | None]:
        rows = {array.shape[0] for array in feed.values()} if self._batchable else set()
        if len(rows) != 1:
            return 1, None
        return rows.pop(), tuple((name, array.shape[1:]) for name, array in feed.items())

    def _start(self) -> None:
        batch = self._take()
        self._busy = bool(batch)
        self._fullness.set(self._level(batch), time.monotonic())
        if batch:
            run = asyncio.get_running_loop().run_in_executor(self._executor, _compute_batch, self._compute, batch)
            run.add_done_callback(lambda finished: self._finish(batch, finished))

    def _level(self, batch: list[_Job]) -> float:
        """Tell how full a run is: what could have joined it leaves room, unless it had to wait."""
        if not batch:
            return 0.0
        if self._waiting or batch[0].key is None:
            return 1.0
        return min(1.0, sum(job.rows for job in batch) / self._limits.rows)

    def _take(self) -> list[_Job]:
        """Remove from the front of the queue what fits together, in order of arrival, skipping what nobody awaits."""
        batch: list[_Job] = []
        rows = 0
        while self._waiting:
            job = self._waiting[0]
            if batch and (job.key is None or job.key != batch[0].key or rows + job.rows > self._limits.rows):
                break
            self._waiting.popleft()
            self._waiting_bytes -= job.nbytes
            if not job.done.done():
                batch.append(job)
                rows += job.rows
        return batch

    def _finish(self, batch: list[_Job], run: asyncio.Future[list[Sequence[Array] | CellError]]) -> None:
        if run.cancelled():
            return
        for job, outcome in zip(batch, run.result(), strict=True):
            if job.done.done():
                continue
            if isinstance(outcome, CellError):
                job.done.set_exception(outcome)
            else:
                job.done.set_result(outcome)
        self._start()


def _compute_batch(compute: Compute, batch: list[_Job]) -> list[Sequence[Array] | CellError]:
    """Compute joined if that works, else one by one. Runs in the batcher's thread and raises nothing."""
    if len(batch) > 1:
        joined = _compute_joined(compute, batch)
        if joined is not None:
            return joined
    return [_compute_one(compute, job.feed) for job in batch]


def _compute_one(compute: Compute, feed: Feed) -> Sequence[Array] | CellError:
    try:
        return compute(feed)
    except CellError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the thread must outlive every fault; the request gets it
        return FaultError.of(error)


def _compute_joined(compute: Compute, batch: list[_Job]) -> list[Sequence[Array] | CellError] | None:
    """Return each job's rows of one run over all, or None if the run failed or its outputs are not row by row."""
    rows = [job.rows for job in batch]
    feed = _join([job.feed for job in batch])
    results = _compute_one(compute, feed)
    if isinstance(results, CellError) or any(array.shape[:1] != (sum(rows),) for array in results):
        return None
    cuts = np.cumsum(rows)[:-1]
    split = [np.split(array, cuts) for array in results]
    return [list(parts) for parts in zip(*split, strict=True)]


def _join(feeds: Sequence[Mapping[str, Array]]) -> Feed:
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
