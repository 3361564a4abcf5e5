"""The keeper's log: one short incarnation for each act, each naming the one before.

Owns how an act is recorded. The lock of the worker `keeper` lets one act at a time happen at a place: whoever holds it
sees every act before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final

from extproc.custody.errors import CustodyError, KeeperBusyError
from extproc.ledger.entries import close_to_entry
from extproc.ledger.errors import LedgerLockedError
from extproc.ledger.incarnation import LogIdentity, WorkerLock, start_log
from extproc.ledger.log import LogWriter
from extproc.notes.keys import Signer

KEEPER: Final = "keeper"
"""The worker's name under which acts are recorded."""
WAIT_S: Final = 10.0
_AGAIN_S: Final = 0.05
_SEGMENT_BYTES: Final = 1 << 17
"""Room for the two largest entries; an act has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Who records acts, and where: below `root`, as the worker `keeper` of the node that `identity` names."""

    root: Path
    identity: LogIdentity
    key: Signer
    delegations: tuple[bytes, ...] = ()
    program: str
    clock: Callable[[], float] = time

    @property
    def name(self) -> LogIdentity:
        """The name under which it records."""
        return replace(self.identity, worker=KEEPER)


class OpenKeeper:
    """The log of one act."""

    def __init__(self, writer: LogWriter, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self._writer.origin

    @property
    def directory(self) -> Path:
        """The folder of the log."""
        return self._writer.directory

    def now_s(self) -> float:
        """Give the time at which entries are made, in Unix seconds."""
        return self._clock()

    def record(self, entry: bytes) -> None:
        """Record an act: durable, signed and published when this returns. Raises OSError."""
        self._writer.append([entry])
        self._writer.publish()


@contextmanager
def open_keeper(keeper: Keeper, *, wait_s: float = WAIT_S) -> Iterator[OpenKeeper]:
    """Begin a log for an act, and close it.

    A CustodyError from within closes it too; anything else leaves it to the next act, which settles it. Raises
    KeeperBusyError when another act goes on for longer than `wait_s`, and OSError.
    """
    writer, lock = _start(keeper, wait_s)
    try:
        try:
            yield OpenKeeper(writer, keeper.clock)
        except CustodyError:
            _close(writer, keeper)
            raise
        _close(writer, keeper)
    finally:
        writer.abandon()
        lock.release()


def _close(writer: LogWriter, keeper: Keeper) -> None:
    writer.append([close_to_entry(at_s=keeper.clock(), reason="shutdown")])
    writer.close()


def _start(keeper: Keeper, wait_s: float) -> tuple[LogWriter, WorkerLock]:
    until = monotonic() + wait_s
    while True:
        try:
            return start_log(
                keeper.root,
                identity=keeper.name,
                key=keeper.key,
                delegations=keeper.delegations,
                durability="fsync",
                program=keeper.program,
                clock=keeper.clock,
                segment_bytes=_SEGMENT_BYTES,
            )
        except LedgerLockedError as error:
            if monotonic() > until:
                raise KeeperBusyError(f"{error}. Mend: wait for that act to end, and run the command again") from None
            sleep(_AGAIN_S)
