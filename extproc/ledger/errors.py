"""The one error tree of the ledger. Each error says where, what was expected and what was found.

What is wrong with a note or a key file is a NoteError (:mod:`extproc.notes.errors`), and bytes in a wrong form are its
MalformedError: who reads a log catches both roots.
"""

from pathlib import Path


class LedgerError(Exception):
    """Anything that the ledger refuses or cannot do."""


class ProofError(LedgerError):
    """A Merkle proof that does not prove what it claims."""


class CorruptLogError(LedgerError):
    """A write-ahead log with something other than a torn end: evidence that must be kept as it is."""


class LedgerLockedError(LedgerError):
    """Another live process writes this worker's log; `pid` names it where that is known."""

    def __init__(self, lock: Path, pid: int | None) -> None:
        writer = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"{lock}: {writer} holds the lock and writes this log; give each worker a name of its own")
        self.pid = pid


class LedgerStartError(LedgerError):
    """The disk did not take a new log. Start anew when it does."""

    def __init__(self, root: Path, cause: OSError) -> None:
        where = cause.filename if isinstance(cause.filename, str) else str(root)
        super().__init__(
            f"{where}: no log can be begun: {cause.strerror or cause}. Mend: make room there, and check who may write"
        )


class LedgerPoisonedError(LedgerError):
    """The log could not be written. Nothing more is recorded by this process; start a new one.

    `cause` is what the operating system said.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"the log could not be written, so nothing more is recorded until a restart: {cause}")
        self.cause = cause


class LedgerOverflowError(LedgerError):
    """More entries wait than the queue holds. The loss is recorded as a Gap."""


class LedgerFullError(LedgerError):
    """The disk is below its full mark, so only reserved entries are recorded. The loss is recorded as a Gap.

    Nothing is broken: recording goes on by itself when there is room again.
    """

    def __init__(self, log: str, free_bytes: int) -> None:
        super().__init__(f"{log}: its disk has {free_bytes >> 20} MiB left, below the full mark; make room there")
        self.free_bytes = free_bytes


class LedgerClosedError(LedgerError):
    """The ledger was closed."""


class EntryTooLargeError(LedgerError):
    """An entry over 65,535 bytes, which tlog-tiles cannot hold."""
