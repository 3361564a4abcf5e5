"""The intake: what waits to be recorded, handed from the event loop to the thread that writes.

Owns the queue, its limit, and the three states in which an entry is not taken: poisoned, closing, full. Shared by two
threads, under one lock; it touches no file and settles no future of another's.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from extproc.ledger.durability import Durability
from extproc.ledger.errors import LedgerClosedError, LedgerFullError, LedgerOverflowError, LedgerPoisonedError
from extproc.ledger.gaps import GapReason, Gaps
from extproc.ledger.log import Clock
from extproc.ledger.room import RoomSeen, RoomState
from extproc.notes.keys import Signer

QUEUE_ENTRIES: Final = 65_536
"""Most entries that may wait: three seconds of work at the speed of one core."""
BATCH_ENTRIES: Final = 4096
"""Most entries in one batch, so that a batch stays far below a segment and waits stay short."""


class Waiting(NamedTuple):
    """An entry and who waits for it. The future of one of mode observe is done already.

    A tuple, because one is made for every record.
    """

    entry: bytes
    durability: Durability
    future: asyncio.Future[int | None]


@dataclass(frozen=True, slots=True)
class Rotation:
    """A change of keys and who waits for it."""

    new: Signer
    delegation: bytes
    future: asyncio.Future[int]


@dataclass(frozen=True, slots=True)
class Work:
    """What the thread does next; nothing, when only time has passed."""

    batch: Sequence[Waiting] = ()
    rotations: Sequence[Rotation] = ()


class Intake:
    """What waits for one log."""

    def __init__(self, origin: str, *, clock: Clock, room: RoomSeen, queue_entries: int = QUEUE_ENTRIES) -> None:
        self.room = room
        """What the disk had at the last look; the thread sets it."""
        self.poison: LedgerPoisonedError | None = None
        """Why nothing is recorded any more."""
        self._origin = origin
        self._clock = clock
        self._queue_entries = queue_entries
        self._condition = threading.Condition()
        self._queue: list[Waiting] = []
        self._rotations: list[Rotation] = []
        self._gaps = Gaps()
        self._idle = False
        self._closing = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, waiting: Waiting, *, reserved: bool) -> None:
        """Take an entry; `reserved` ones whatever waits and however little room there is.

        Raises LedgerPoisonedError, LedgerClosedError, and LedgerFullError or LedgerOverflowError unless the entry is of
        mode observe: then it is counted, and that is all.
        """
        with self._condition:
            self._expect_open()
            if not reserved and (reason := self._why_not()) is not None:
                released = waiting.durability is Durability.OBSERVE
                self._gaps.count(reason, at_s=self._clock(), released=released)
                if released:
                    return
                if reason is GapReason.FULL:
                    raise LedgerFullError(self._origin, self.room.free_bytes)
                raise LedgerOverflowError(f"{self._queue_entries} entries wait already")
            self._queue.append(waiting)
            self._wake()

    def lose(self, reason: GapReason) -> None:
        """Count an entry that never came here, because there is none to take; what it was to tell of did not happen."""
        with self._condition:
            self._gaps.count(reason, at_s=self._clock(), released=False)

    def put_rotation(self, rotation: Rotation) -> None:
        """Take a change of keys. Raises LedgerPoisonedError and LedgerClosedError."""
        with self._condition:
            self._expect_open()
            self._rotations.append(rotation)
            self._wake()

    def close(self) -> bool:
        """Take nothing more; tell whether this was the first call."""
        with self._condition:
            first = not self._closing
            self._closing = True
            self._wake()
        return first

    def poisoned_by(self, error: BaseException) -> LedgerPoisonedError:
        """Refuse everything from now on; the first cause stays the cause."""
        with self._condition:
            if self.poison is None:
                self.poison = LedgerPoisonedError(error)
            self._wake()
            return self.poison

    def take(self, due: float | None) -> Work | None:
        """Wait for work, or until `due` by the monotonic clock; None when closed and nothing waits.

        Raises the cause of the poison once there is one.
        """
        with self._condition:
            while not (self._queue or self._rotations or self._closing or self.poison):
                wait_s = None if due is None else due - monotonic()
                if wait_s is not None and wait_s <= 0:
                    return Work()
                self._idle = True
                self._condition.wait(wait_s)
                self._idle = False
            if self.poison is not None:
                raise self.poison.cause
            if not self._queue and not self._rotations:
                return None
            batch, self._queue = self._queue[:BATCH_ENTRIES], self._queue[BATCH_ENTRIES:]
            rotations, self._rotations = self._rotations, []
            return Work(batch, rotations)

    def drain(self) -> Work:
        """Give everything that still waits, to be failed."""
        with self._condition:
            batch, self._queue = self._queue, []
            rotations, self._rotations = self._rotations, []
            return Work(batch, rotations)

    def gaps(self) -> list[bytes]:
        """Give the entries that say what was lost since the last call."""
        with self._condition:
            return self._gaps.drain(at_s=self._clock()) if self._gaps else []

    def _expect_open(self) -> None:
        if self.poison is not None:
            raise LedgerPoisonedError(self.poison.cause)
        if self._closing:
            raise LedgerClosedError(f"{self._origin} was closed")

    def _why_not(self) -> GapReason | None:
        if self.room.state is RoomState.FULL:
            return GapReason.FULL
        return GapReason.OVERFLOW if len(self._queue) >= self._queue_entries else None

    def _wake(self) -> None:
        # A thread that is at work looks here by itself when it is done, so it is spared the notice.
        if self._idle:
            self._idle = False
            self._condition.notify()
