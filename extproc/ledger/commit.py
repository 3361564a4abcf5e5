"""The ledger of this process: many callers of one event loop, one thread that writes.

Owns the promise: a caller of :meth:`Ledger.commit` goes on when its entry is as durable as its mode says, or gets an
error. How batches come about is for :mod:`extproc.ledger.group`, and what a batch is on the disk for
:mod:`extproc.ledger.log`.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import time

from extproc.ledger.disk import sync_directory
from extproc.ledger.durability import Durability
from extproc.ledger.errors import EntryTooLargeError, LedgerPoisonedError
from extproc.ledger.gaps import GapReason
from extproc.ledger.group import GroupCommit
from extproc.ledger.incarnation import LogIdentity, WorkerLock, start_log
from extproc.ledger.intake import QUEUE_ENTRIES, Intake, Rotation, Waiting
from extproc.ledger.log import POLICIES, Clock, LogWriter
from extproc.ledger.room import Room, RoomSeen, look_for_room
from extproc.ledger.tiles import LARGEST_ENTRY
from extproc.ledger.wal import SEGMENT_BYTES
from extproc.notes.keys import Signer

__all__ = ["Durability", "Ledger", "LogIdentity"]


class Ledger:
    """The log of this process. Open one, commit entries from one event loop, close it.

    Cancelling a caller of `commit` does not take its entry back: the log is a superset of what was released.
    """

    def __init__(  # noqa: PLR0913 - what a log needs, each by name
        self,
        writer: LogWriter,
        lock: WorkerLock,
        *,
        mode: Durability,
        clock: Clock,
        room: Room | None = None,
        queue_entries: int = QUEUE_ENTRIES,
    ) -> None:
        """Take over a log that was started; use :meth:`open`. Must run on the event loop that will commit."""
        room = room or Room()
        self._writer = writer
        self._lock = lock
        self._mode = mode
        self._loop = asyncio.get_running_loop()
        self._intake = Intake(
            writer.origin, clock=clock, room=look_for_room(writer.directory, room), queue_entries=queue_entries
        )
        self._group = GroupCommit(writer, self._intake, clock=clock, room=room, call=self._call)

    @classmethod
    async def open(  # noqa: PLR0913 - what a log needs, each by name
        cls,
        root: Path,
        *,
        identity: LogIdentity,
        key: Signer,
        delegations: Sequence[bytes] = (),
        mode: Durability = Durability.FSYNC,
        clock: Clock = time,
        program: str | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        queue_entries: int = QUEUE_ENTRIES,
        room: Room | None = None,
    ) -> "Ledger":
        """Settle the log of the process before and begin this process's own; its Genesis is durable on return.

        `delegations` are the notes that lead from a root of trust to `key`, kept beside the log. `mode` is that of
        every entry that names none. `program` is the version to record, by default that of this distribution.
        `segment_bytes` is the preallocated size of a segment. `room` are the marks of the disk.

        Raises LedgerLockedError when another process writes this worker's log, NoteError for a key list beside the log
        that cannot be read, and OSError when the disk does not take the log.
        """
        writer, lock = await asyncio.to_thread(
            start_log,
            root,
            identity=identity,
            key=key,
            delegations=delegations,
            durability=mode.value,
            program=version("situs") if program is None else program,
            clock=clock,
            segment_bytes=segment_bytes,
        )
        return cls(writer, lock, mode=mode, clock=clock, room=room, queue_entries=queue_entries)

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
    def mode(self) -> Durability:
        """What the release of an entry waits for that names no mode of its own."""
        return self._mode

    @property
    def waiting(self) -> int:
        """Number of entries that wait for the next batch."""
        return len(self._intake)

    @property
    def room(self) -> RoomSeen:
        """What the disk of the log had left at the last look, at most half a second ago."""
        return self._intake.room

    @property
    def failure(self) -> LedgerPoisonedError | None:
        """Why nothing is recorded any more; None while all is well."""
        return self._intake.poison

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
            # The thread may be writing; it fails what waits when it sees the poison.
            self._intake.poisoned_by(error)
            raise LedgerPoisonedError(error) from error
        return digest

    async def commit(self, entry: bytes, *, durability: Durability | None = None, reserved: bool = False) -> int | None:
        """Record an entry and give its index, once it is as durable as its mode promises. See :meth:`submit`."""
        return await self.submit(entry, durability=durability, reserved=reserved)

    def submit(
        self, entry: bytes, *, durability: Durability | None = None, reserved: bool = False
    ) -> asyncio.Future[int | None]:
        """Hand an entry over; the future gives its index once it is as durable as its mode promises.

        `durability` is the entry's mode, by default the ledger's own. In mode observe the future is done at once and
        gives None. `reserved` entries are never refused for want of room: a legal order must not wait behind the
        traffic that it is to stop. Callers bound their number.

        Raises LedgerPoisonedError, LedgerClosedError, EntryTooLargeError and, except in mode observe,
        LedgerOverflowError and LedgerFullError (in every mode the last three losses are recorded as a Gap). All but
        the first come at once, never by the future. In each case the entry counts as not recorded, and nothing may be
        released on it.
        """
        if len(entry) > LARGEST_ENTRY:
            self._intake.lose(GapReason.TOO_LARGE)
            raise EntryTooLargeError(f"an entry holds at most {LARGEST_ENTRY} bytes, this one has {len(entry)}")
        durability = durability or self._mode
        future: asyncio.Future[int | None] = self._loop.create_future()
        if durability is Durability.OBSERVE:
            future.set_result(None)
        self._intake.put(Waiting(entry, durability, future), reserved=reserved)
        return future

    def lose(self, reason: GapReason) -> None:
        """Count an entry that could not be made, and whose decision was therefore not released, in the next Gap."""
        self._intake.lose(reason)

    def rotate(self, new: Signer, delegation: bytes) -> asyncio.Future[int]:
        """Let `new` sign from here on; the future gives the index of the KeyRotation once that is durable.

        `delegation` is the note by which the key of now delegates to `new`. Raises LedgerPoisonedError and
        LedgerClosedError at once, and by the future LedgerPoisonedError, or NoteError when the delegation is not that
        of this key to that one: then nothing has changed.
        """
        future: asyncio.Future[int] = self._loop.create_future()
        self._intake.put_rotation(Rotation(new, delegation, future))
        return future

    async def close(self) -> None:
        """Record what waits and a Close, publish it all durably, and let go of the log.

        Raises LedgerPoisonedError when the log has not come to that end. Closing again does nothing.
        """
        first = self._intake.close()
        await asyncio.to_thread(self._group.join)
        if first:
            self._writer.abandon()
            self._lock.release()
            if self._intake.poison is not None:
                raise self._intake.poison

    def _call(self, settle: Callable[[], None]) -> None:
        """Settle futures where they live."""
        # A loop that is closed has nobody left to wait.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle)
