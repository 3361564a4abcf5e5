"""Group commit: the thread that writes one log.

Owns when things happen: a batch is whatever queued while the one before was being flushed, and no timer delays it. A
batch may mix modes. Whoever waits for the kernel alone goes on before the flush that the others wait for.

The first failure of the disk is the last: everything that waits and everything that comes gets LedgerPoisonedError.
Retrying a failed flush is unsound, because the kernel may have dropped the pages and call the next flush a success.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Final

from extproc.ledger.durability import Durability
from extproc.ledger.entries import close_to_entry
from extproc.ledger.errors import LedgerPoisonedError
from extproc.ledger.intake import Intake, Rotation, Waiting
from extproc.ledger.log import Clock, LogWriter
from extproc.ledger.room import Room, look_for_room
from extproc.notes.errors import NoteError

PAGE_FLUSH_S: Final = 0.05
"""Longest time between a write and the flush of it, when nobody waits for the flush."""
PUBLISH_S: Final = 0.2
"""Longest time between an append and its tiles and checkpoint."""
ROOM_S: Final = 0.5
"""Time between two looks at the room on the disk."""


class GroupCommit:
    """Writes what the intake takes, in a thread of its own, until it is closed or something fails.

    `call` runs something on the event loop whose futures wait.
    """

    def __init__(
        self, writer: LogWriter, intake: Intake, *, clock: Clock, room: Room, call: Callable[[Callable[[], None]], None]
    ) -> None:
        self._writer = writer
        self._intake = intake
        self._clock = clock
        self._room = room
        self._call = call
        self._in_hand: Sequence[Waiting | Rotation] = ()
        self._flush_due: float | None = None
        self._publish_due: float | None = None
        self._look_due = monotonic() + ROOM_S
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        """Be the thread: record batches until closed, or until the first failure."""
        try:
            while (work := self._intake.take(self._next_due())) is not None:
                self._in_hand = (*work.batch, *work.rotations)
                if work.batch:
                    self._record(work.batch)
                for rotation in work.rotations:
                    self._rotate(rotation)
                self._in_hand = ()
                self._do_what_is_due()
            self._writer.append([*self._intake.gaps(), close_to_entry(at_s=self._clock(), reason="shutdown")])
            self._writer.close()
        except Exception as error:  # noqa: BLE001 - whatever stops the thread must reach everyone who waits on it
            poison = self._intake.poisoned_by(error)
            left = self._intake.drain()
            self._call(partial(_fail, [*self._in_hand, *left.batch, *left.rotations], poison.cause))
            self._writer.abandon()

    def _record(self, batch: Sequence[Waiting]) -> None:
        """Write one batch, and release each waiter when the promise of its mode is kept."""
        gaps = self._intake.gaps()
        segments = self._writer.segments
        first = self._writer.append([*gaps, *(waiting.entry for waiting in batch)]) + len(gaps)
        now = monotonic()
        if any(waiting.durability is Durability.PAGE for waiting in batch):
            self._call(partial(_release, batch, first, Durability.PAGE))
        if any(waiting.durability is Durability.FSYNC for waiting in batch):
            self._writer.flush()
            self._flush_due = None
            self._call(partial(_release, batch, first, Durability.FSYNC))
            self._writer.take_up()
        elif self._flush_due is None:
            self._flush_due = now + PAGE_FLUSH_S
        if self._publish_due is None:
            self._publish_due = now + PUBLISH_S
        if self._writer.segments != segments:
            self._look_due = now

    def _rotate(self, rotation: Rotation) -> None:
        """Change keys, durably. What is wrong with the new key poisons nothing: nothing was written then."""
        try:
            index = self._writer.rotate(rotation.new, rotation.delegation, at_s=self._clock())
        except NoteError as error:
            self._call(partial(_refuse, rotation, error))
            return
        self._sync()
        if self._publish_due is None:
            self._publish_due = monotonic() + PUBLISH_S
        self._call(partial(_finish, rotation, index))

    def _next_due(self) -> float:
        return min(due for due in (self._flush_due, self._publish_due, self._look_due) if due is not None)

    def _do_what_is_due(self) -> None:
        now = monotonic()
        if self._flush_due is not None and self._flush_due <= now:
            self._sync()
        if self._publish_due is not None and self._publish_due <= now:
            self._writer.publish()
            self._publish_due = self._flush_due = None
        if self._look_due <= now:
            self._intake.room = look_for_room(self._writer.directory, self._room)
            self._look_due = now + ROOM_S

    def _sync(self) -> None:
        self._writer.sync()
        self._flush_due = None


def _release(batch: Sequence[Waiting], first: int, durability: Durability) -> None:
    for index, waiting in enumerate(batch, first):
        if waiting.durability is durability and not waiting.future.done():
            waiting.future.set_result(index)


def _finish(rotation: Rotation, index: int) -> None:
    if not rotation.future.done():
        rotation.future.set_result(index)


def _refuse(rotation: Rotation, error: Exception) -> None:
    if not rotation.future.done():
        rotation.future.set_exception(error)


def _fail(waiting: Sequence[Waiting | Rotation], cause: BaseException) -> None:
    for each in waiting:
        if not each.future.done():
            each.future.set_exception(LedgerPoisonedError(cause))
