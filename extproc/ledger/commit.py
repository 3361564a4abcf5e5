"""Group commit: many callers of one event loop, one thread that writes.

Owns the queue, the batches and the promise: a caller of :meth:`Ledger.commit` goes on when its entry is as durable as
the mode says, or gets an error. A batch is whatever queued while the one before was being flushed; no timer delays it.
What a batch is on the disk is for :mod:`extproc.ledger.log`.

The first failure of the disk is the last: everything that waits and everything that comes gets LedgerPoisonedError.
Retrying a failed flush is unsound, because the kernel may have dropped the pages and call the next flush a success.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import monotonic, time
from typing import Final, TypeVar

from extproc.ledger.entries import close_to_entry, gap_to_entry
from extproc.ledger.errors import (
    EntryTooLargeError,
    LedgerClosedError,
    LedgerOverflowError,
    LedgerPoisonedError,
)
from extproc.ledger.incarnation import LogIdentity, WorkerLock, start_log
from extproc.ledger.log import POLICIES, Clock, LogWriter
from extproc.ledger.tiles import LARGEST_ENTRY
from extproc.ledger.wal import SEGMENT_BYTES, sync_directory
from extproc.notes.keys import SigningKey

_Result = TypeVar("_Result")

__all__ = ["Durability", "Ledger", "LogIdentity"]

QUEUE_ENTRIES: Final = 65_536
"""Most entries that may wait: three seconds of work at the speed of one core."""
BATCH_ENTRIES: Final = 4096
"""Most entries in one batch, so that a batch stays far below a segment and waits stay short."""
PAGE_FLUSH_S: Final = 0.05
"""In page mode: longest time between a write and the flush of it."""
PUBLISH_S: Final = 0.2
"""Longest time between an append and its tiles and checkpoint."""


class Durability(StrEnum):
    """What releasing a decision waits for."""

    FSYNC = "fsync"
    """The disk has it: survives a power loss, as far as the disk honours a flush."""

    PAGE = "page"
    """The kernel has it: survives the end of the process. Flushed within 50 ms."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: bytes
    future: asyncio.Future[int]


class Ledger:
    """The log of this process. Open one, commit entries from one event loop, close it.

    Cancelling a caller of `commit` does not take its entry back: the log is a superset of what was released.
    """

    def __init__(
        self, writer: LogWriter, lock: WorkerLock, *, mode: Durability, clock: Clock, queue_entries: int = QUEUE_ENTRIES
    ) -> None:
        """Take over a log that was started; use :meth:`open`. Must run on the event loop that will commit."""
        self._writer = writer
        self._lock = lock
        self._mode = mode
        self._clock = clock
        self._queue_entries = queue_entries
        self._loop = asyncio.get_running_loop()

        # Shared with the thread, under the condition.
        self._condition = threading.Condition()
        self._queue: list[_Waiting] = []
        self._idle = False
        self._closing = False
        self._poison: LedgerPoisonedError | None = None
        self._overflow: tuple[int, float, float] | None = None

        # The thread's own.
        self._in_hand: Sequence[_Waiting] = ()
        self._flush_due: float | None = None
        self._publish_due: float | None = None

        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @classmethod
    async def open(  # noqa: PLR0913 - what a log needs, each by name
        cls,
        root: Path,
        *,
        identity: LogIdentity,
        key: SigningKey,
        mode: Durability = Durability.FSYNC,
        clock: Clock = time,
        program: str | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        queue_entries: int = QUEUE_ENTRIES,
    ) -> "Ledger":
        """Settle the log of the process before and begin this process's own; its Genesis is durable on return.

        `program` is the version to record, by default that of this distribution. `segment_bytes` is the preallocated
        size of a segment. Raises LedgerLockedError when another process writes this worker's log, NoteError for
        a key list beside the log that cannot be read, and OSError when the disk does not take the log.
        """
        writer, lock = await asyncio.to_thread(
            start_log,
            root,
            identity=identity,
            key=key,
            durability=mode.value,
            program=version("situs") if program is None else program,
            clock=clock,
            segment_bytes=segment_bytes,
        )
        return cls(writer, lock, mode=mode, clock=clock, queue_entries=queue_entries)

    @property
    def directory(self) -> Path:
        """The folder of this log."""
        return self._writer.directory

    @property
    def origin(self) -> str:
        """The name of this log."""
        return self._writer.origin

    @property
    def size(self) -> int:
        """Number of entries written so far."""
        return self._writer.size

    @property
    def waiting(self) -> int:
        """Number of entries that wait for the next batch."""
        return len(self._queue)

    @property
    def failure(self) -> LedgerPoisonedError | None:
        """Why nothing is recorded any more; None while all is well."""
        return self._poison

    def store_policy(self, canonical: bytes) -> str:
        """Keep a policy's canonical form beside the log, durably, by its digest; give the digest in hex.

        Blocks for the flush, so call it when a policy changes and not on the request path. Raises LedgerPoisonedError
        when the disk does not take it.
        """
        digest = sha256(canonical).hexdigest()
        directory = self.directory / POLICIES
        path = directory / f"{digest}.json"
        try:
            directory.mkdir(exist_ok=True)
            if not path.exists():
                scratch = directory / f".{digest}.new"
                with scratch.open("wb") as file:
                    file.write(canonical)
                    file.flush()
                    os.fsync(file.fileno())
                scratch.replace(path)
                sync_directory(directory)
                sync_directory(self.directory)
        except OSError as error:
            self._poisoned_by(error)
            raise LedgerPoisonedError(error) from error
        return digest

    async def commit(self, entry: bytes, *, reserved: bool = False) -> int:
        """Record an entry and give its index, once it is as durable as the mode promises. See :meth:`submit`."""
        return await self.submit(entry, reserved=reserved)

    def submit(self, entry: bytes, *, reserved: bool = False) -> asyncio.Future[int]:
        """Hand an entry over; the future gives its index once it is as durable as the mode promises.

        `reserved` entries are never refused for want of room: a legal order must not wait behind the traffic that it
        is to stop. Callers bound their number.

        Raises LedgerPoisonedError, LedgerOverflowError (and the loss is recorded as a Gap), LedgerClosedError and
        EntryTooLargeError, at once or by the future: in each case the entry counts as not recorded, and nothing may be
        released on it.
        """
        if len(entry) > LARGEST_ENTRY:
            raise EntryTooLargeError(f"an entry holds at most {LARGEST_ENTRY} bytes, this one has {len(entry)}")
        future: asyncio.Future[int] = self._loop.create_future()
        with self._condition:
            if self._poison is not None:
                raise LedgerPoisonedError(self._poison.cause)
            if self._closing:
                raise LedgerClosedError(f"{self.origin} was closed")
            if len(self._queue) >= self._queue_entries and not reserved:
                now_s = self._clock()
                lost, first_s, _ = self._overflow or (0, now_s, now_s)
                self._overflow = (lost + 1, first_s, now_s)
                raise LedgerOverflowError(f"{self._queue_entries} entries wait already")
            self._queue.append(_Waiting(entry, future))
            if self._idle:
                self._idle = False
                self._condition.notify()
        return future

    async def close(self) -> None:
        """Record what waits and a Close, publish it all durably, and let go of the log.

        Raises LedgerPoisonedError when the log has not come to that end. Closing again does nothing.
        """
        with self._condition:
            first = not self._closing
            self._closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)
        if first:
            self._writer.abandon()
            self._lock.release()
            if self._poison is not None:
                raise self._poison

    def _run(self) -> None:
        """Be the thread: record batches until closed, or until the first failure."""
        try:
            while (batch := self._next_batch()) is not None:
                self._record(batch)
            self._writer.append([*self._gap(), close_to_entry(at_s=self._clock(), reason="shutdown")])
            self._writer.close()
        except Exception as error:  # noqa: BLE001 - whatever stops the thread must reach everyone who waits on it
            self._poisoned_by(error)
            self._writer.abandon()

    def _next_batch(self) -> list[_Waiting] | None:
        """Wait for entries or for something that is due; None when closed and nothing waits."""
        with self._condition:
            while not (self._queue or self._closing or self._poison):
                due = min((due for due in (self._flush_due, self._publish_due) if due is not None), default=None)
                wait_s = None if due is None else due - monotonic()
                if wait_s is not None and wait_s <= 0:
                    return []
                self._idle = True
                self._condition.wait(wait_s)
                self._idle = False
            if self._poison is not None:
                raise self._poison.cause
            batch, self._queue = self._queue[:BATCH_ENTRIES], self._queue[BATCH_ENTRIES:]
            return batch or None

    def _record(self, batch: Sequence[_Waiting]) -> None:
        """Write one batch, keep the mode's promise, release its waiters, then do what is due."""
        if batch:
            self._in_hand = batch
            gap = self._gap()
            first = self._writer.append([*gap, *(waiting.entry for waiting in batch)]) + len(gap)
            now = monotonic()
            if self._mode is Durability.FSYNC:
                self._writer.sync()
            elif self._flush_due is None:
                self._flush_due = now + PAGE_FLUSH_S
            if self._publish_due is None:
                self._publish_due = now + PUBLISH_S
            self._in_hand = ()
            self._call(_release, batch, first)
        now = monotonic()
        if self._flush_due is not None and self._flush_due <= now:
            self._writer.sync()
            self._flush_due = None
        if self._publish_due is not None and self._publish_due <= now:
            self._writer.publish()
            self._publish_due = self._flush_due = None

    def _gap(self) -> list[bytes]:
        """Give the record of what overflowed since the last batch, if anything did."""
        with self._condition:
            overflow, self._overflow = self._overflow, None
        if overflow is None:
            return []
        lost, first_s, last_s = overflow
        return [gap_to_entry(at_s=self._clock(), entries=lost, first_at_s=first_s, last_at_s=last_s)]

    def _poisoned_by(self, error: BaseException) -> None:
        """Refuse everything from now on, and fail everything that waits. Called by the thread or by the event loop."""
        with self._condition:
            if self._poison is None:
                self._poison = LedgerPoisonedError(error)
            cause = self._poison.cause
            self._condition.notify()
            if threading.current_thread() is not self._thread:
                # The thread may be writing; it fails what it has in hand when it sees the poison.
                return
            waiting, self._queue = self._queue, []
        self._call(_fail, [*self._in_hand, *waiting], cause)

    def _call(
        self, settle: Callable[[Sequence[_Waiting], _Result], None], batch: Sequence[_Waiting], result: _Result
    ) -> None:
        """Settle a batch on the event loop, in one call."""
        # A loop that is closed has nobody left to wait.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle, batch, result)


def _release(batch: Sequence[_Waiting], first: int) -> None:
    for index, waiting in enumerate(batch, first):
        if not waiting.future.done():
            waiting.future.set_result(index)


def _fail(batch: Sequence[_Waiting], cause: BaseException) -> None:
    for waiting in batch:
        if not waiting.future.done():
            waiting.future.set_exception(LedgerPoisonedError(cause))
