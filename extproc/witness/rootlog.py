"""The root log: a witness's own log of the checkpoints that it has cosigned.

In a region it stands between the sidecars and the world: it takes each sidecar's checkpoint every second, and other
organisations' witnesses see the root log's alone. Owns which checkpoints go in, and that none is forgotten by a crash:
the witness's state remembers what the root log has taken up. Writing is the ledger's, cosigning the cosigner's.
"""

import asyncio
import contextlib
from collections.abc import Callable
from time import time
from typing import Final

import structlog

from extproc.ledger.commit import Ledger
from extproc.ledger.errors import LedgerClosedError, LedgerError, LedgerPoisonedError
from extproc.ledger.housekeeping import Head, head_to_entry
from extproc.notes.note import Note, VerifierKey, format_note, parse_note
from extproc.witness.errors import StateError
from extproc.witness.state import Latest, State

WORKER: Final = "root"
"""The worker's name in a root log's origin."""
INTERVAL_S: Final = 1.0
"""At most one entry of each log in so many seconds: the latest."""

_log = structlog.get_logger()


class RootLog:
    """Takes up checkpoints from a witness's state, each second. :meth:`start` it, and :meth:`stop` it at the end."""

    def __init__(
        self,
        ledger: Ledger,
        state: State,
        *,
        witness: VerifierKey,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time,
    ) -> None:
        """`ledger` is the root log's own, and its owner closes it. Cosignatures of `witness` are left out."""
        self._ledger = ledger
        self._state = state
        self._witness = witness
        self._interval_s = interval_s
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.failure: Exception | None = None
        """Why nothing is taken up; None while all is well. It lasts where the ledger's own failure does."""

    def start(self) -> None:
        """Begin, as a task of the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="root-log")

    async def stop(self) -> None:
        """Take up what is left, and end. Raises what :meth:`take_up` raises, unless it has failed before."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self.failure is None:
            await self.take_up()

    async def take_up(self) -> int:
        """Append each checkpoint that has grown, durably, and remember it; give their number.

        A crash in between appends it a second time, which says nothing new. Raises LedgerError and StateError.
        """
        grown = await asyncio.to_thread(self._state.unrooted)
        now_s = self._clock()
        entries = [(each, head_to_entry(Head(checkpoint=self._signed_by_log(each)), at_s=now_s)) for each in grown]
        await asyncio.gather(*(self._ledger.commit(entry) for _, entry in entries))
        if grown:
            await asyncio.to_thread(self._remember, grown)
        return len(grown)

    async def _run(self) -> None:
        while True:
            try:
                await self.take_up()
                self.failure = None
            except (LedgerError, StateError) as error:
                if self.failure is None:
                    _log.error("the root log takes nothing up", reason=str(error))
                self.failure = error
                if isinstance(error, (LedgerPoisonedError, LedgerClosedError)):
                    # Final, as it is for every log: whoever runs the witness restarts it.
                    return
            await asyncio.sleep(self._interval_s)

    def _remember(self, taken: list[Latest]) -> None:
        with self._state.transaction() as transaction:
            for each in taken:
                transaction.put_rooted(each)

    def _signed_by_log(self, latest: Latest) -> bytes:
        """Give the checkpoint with the log's own signatures alone. It fits: requests are shorter than entries."""
        note = parse_note(latest.note)
        ours = (self._witness.name, self._witness.key_id)
        signatures = tuple(each for each in note.signatures if (each.name, each.key_id) != ours)
        return format_note(Note(text=note.text, signatures=signatures))
