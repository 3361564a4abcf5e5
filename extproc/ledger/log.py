"""One log and its single writer, synchronous: append, flush, publish, close.

Owns the order of things on the disk. A batch is written with its signed note in one write; it is durable after one
flush; only then does it reach the tiles. Knows nothing of waiting callers: that is :mod:`extproc.ledger.commit`.

A failure leaves the writer unusable: whoever holds it lets it go with :meth:`LogWriter.abandon`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.merkle import Frontier, leaf_hash
from extproc.ledger.publish import Publisher
from extproc.ledger.tiles import encode_entry
from extproc.ledger.wal import SEGMENT_BYTES, SegmentWriter, encode_frame
from extproc.notes.keys import SigningKey
from extproc.notes.note import sign_note

WAL: Final = "wal"
LOG: Final = "log"
SCRATCH: Final = "scratch"
LOG_VKEY: Final = "log.vkey"
POLICIES: Final = "policies"
QUARANTINED: Final = "QUARANTINED"
DELEGATIONS: Final = "delegations"
"""Beside a log: the notes by which the organisation's key delegates to the keys that sign here. Absent for a log whose
keys are trusted directly."""
WITNESSED: Final = "witnessed"
"""Beside a log: its latest checkpoint that enough witnesses have cosigned. Absent where none has."""

Clock: TypeAlias = Callable[[], float]
"""Gives Unix time in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """A batch that is written but not yet taken up by the publisher."""

    encoded: Sequence[bytes]
    leaves: Sequence[bytes]


class LogWriter:
    """Appends to the log in `directory`; at most one per log, which the caller's lock sees to."""

    def __init__(self, directory: Path, *, origin: str, key: SigningKey, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self.origin = origin
        self._key = key
        self._name = key.verifier(origin)
        self._frontier = Frontier()
        self._segments = SegmentWriter(directory / WAL, segment_bytes)
        self._publisher = Publisher(directory / LOG, directory / SCRATCH)
        self._unsynced: list[_Batch] = []
        self._note = b""
        self._published = 0

    @property
    def size(self) -> int:
        """Number of entries written."""
        return self._frontier.size

    @property
    def published(self) -> int:
        """Number of entries that the published checkpoint covers."""
        return self._published

    def root(self) -> bytes:
        """Give the root of the tree over all entries written."""
        return self._frontier.root()

    def replay(self, encoded: Sequence[bytes], leaves: Sequence[bytes], note: bytes) -> None:
        """Take up a batch that is durable already, with its note; used while a log is read back."""
        for leaf in leaves:
            self._frontier.append(leaf)
        self._publisher.append(encoded, leaves)
        self._note = note

    def resume(self, segment: Path, offset: int) -> None:
        """Go on after what was replayed: in `segment` from `offset`, cutting what follows there."""
        self._segments.resume(segment, offset)

    def append(self, entries: Sequence[bytes]) -> int:
        """Write one batch with its signed note, and give the index of its first entry. Not durable yet.

        Raises EntryTooLargeError before anything is written, and OSError.
        """
        encoded = [encode_entry(entry) for entry in entries]
        leaves = [leaf_hash(entry) for entry in entries]
        first = self._frontier.size
        for leaf in leaves:
            self._frontier.append(leaf)
        self._note = sign_note(
            format_checkpoint(Checkpoint(origin=self.origin, size=self.size, root=self.root())),
            self._name,
            self._key.sign,
        )
        self._segments.write(first, encode_frame(first, encoded, self._note))
        self._unsynced.append(_Batch(encoded=encoded, leaves=leaves))
        return first

    def sync(self) -> None:
        """Make every batch durable, and let the publisher take them up. Raises OSError."""
        if self._unsynced:
            self._segments.sync()
            for batch in self._unsynced:
                self._publisher.append(batch.encoded, batch.leaves)
            self._unsynced.clear()

    def publish(self) -> None:
        """Flush, then publish the tiles and the checkpoint of all entries. Raises OSError."""
        self.sync()
        if self._published < self.size:
            self._publisher.write_partial()
            self._publisher.write_checkpoint(self._note)
            self._published = self.size

    def close(self) -> None:
        """Publish everything, durably, and end. The last entry should be a Close. Raises OSError."""
        self.sync()
        self._segments.close()
        # The last checkpoint tells a later start that all is in order, so it comes when all is.
        self._publisher.write_partial()
        self._publisher.sync()
        self._publisher.write_checkpoint(self._note)
        self._publisher.sync()
        self._published = self.size
        (self.directory / SCRATCH).unlink(missing_ok=True)

    def abandon(self) -> None:
        """Let go of the files as they are."""
        self._segments.abandon()
