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
from extproc.ledger.housekeeping import rotation_to_entry
from extproc.ledger.merkle import Frontier, leaf_hashes
from extproc.ledger.publish import Publisher
from extproc.ledger.segments import SegmentWriter
from extproc.ledger.signing import DELEGATIONS, LOG_VKEY, SIGNER_VKEY, admit, admit_signer, hand_over
from extproc.ledger.tiles import TileBuilder, encode_entries
from extproc.ledger.wal import SEGMENT_BYTES, encode_frame
from extproc.notes.keys import Signer
from extproc.notes.note import VerifierKey, sign_note

__all__ = [
    "DELEGATIONS",
    "LOG",
    "LOG_VKEY",
    "POLICIES",
    "QUARANTINED",
    "SCRATCH",
    "SIGNER_VKEY",
    "WAL",
    "WITNESSED",
    "Clock",
    "LogWriter",
]

WAL: Final = "wal"
LOG: Final = "log"
SCRATCH: Final = "scratch"
POLICIES: Final = "policies"
QUARANTINED: Final = "QUARANTINED"
WITNESSED: Final = "witnessed"
"""Beside a log: its latest checkpoint that enough witnesses have cosigned. Absent where none has."""

Clock: TypeAlias = Callable[[], float]
"""Gives Unix time in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """A batch that is written but not yet taken up by the publisher."""

    encoded: Sequence[bytes]
    leaves: Sequence[bytes]
    roots: Sequence[bytes]
    """Of the subtrees of 256 entries that it completes."""


class LogWriter:
    """Appends to the log in `directory`; at most one per log, which the caller's lock sees to."""

    def __init__(self, directory: Path, *, origin: str, key: Signer, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self.origin = origin
        self._key = key
        self._name = VerifierKey(name=origin, public=key.public)
        self._frontier = Frontier()
        self._segments = SegmentWriter(directory / WAL, segment_bytes)
        self._publisher = Publisher(directory / LOG, directory / SCRATCH)
        self._unsynced: list[_Batch] = []
        self._untaken: list[_Batch] = []
        self._note = b""
        self._published = 0

    @property
    def size(self) -> int:
        """Number of entries written."""
        return self._frontier.size

    @property
    def segments(self) -> int:
        """Number of segments of the write-ahead log that this writer has begun."""
        return self._segments.begun

    @property
    def published(self) -> int:
        """Number of entries that the published checkpoint covers."""
        return self._published

    def root(self) -> bytes:
        """Give the root of the tree over all entries written."""
        return self._frontier.root()

    def resume(  # noqa: PLR0913 - where to go on, and with what
        self, segment: Path, offset: int, flushed: int, *, tree: Frontier, tiles: TileBuilder, note: bytes
    ) -> None:
        """Go on after what was read back: in `segment` from `offset`, cutting what follows there.

        Before `flushed` the disk is known to have the segment. `tree` and `tiles` are those of all entries before, and
        `note` is the last one.
        """
        self._frontier, self._note = tree, note
        self._publisher.resume(tiles)
        self._segments.resume(segment, offset, flushed)

    def append(self, entries: Sequence[bytes]) -> int:
        """Write one batch with its signed note, and give the index of its first entry. Not durable yet.

        Raises EntryTooLargeError before anything is written, and OSError.
        """
        encoded, leaves = encode_entries(entries), leaf_hashes(entries)
        first = self._frontier.size
        roots = self._frontier.extend(leaves)
        self._note = sign_note(
            format_checkpoint(Checkpoint(origin=self.origin, size=self.size, root=self.root())),
            self._name,
            self._key.sign,
        )
        self._segments.write(first, encode_frame(first, encoded, self._note))
        self._unsynced.append(_Batch(encoded=encoded, leaves=leaves, roots=roots))
        return first

    def rotate(self, new: Signer, delegation: bytes, *, at_s: float) -> int:
        """Let `new` sign from here on: write the KeyRotation as a batch of its own and give its index. Not durable yet.

        `delegation` is the old key's to the new one. Everything that somebody needs to believe the new key lies beside
        the log, durably, before the first note of that key is written. Raises NoteError, before anything is written,
        when `delegation` is not that, and OSError.
        """
        self.sync()
        before = Checkpoint(origin=self.origin, size=self.size, root=self.root())
        rotation = hand_over(before, old=self._key, new=new, delegation=delegation)
        admit(self.directory, origin=self.origin, key=new, delegations=(delegation,))
        admit_signer(self.directory.parent, signer=self.origin.rpartition("/")[0], key=new)
        self._key, self._name = new, VerifierKey(name=self.origin, public=new.public)
        return self.append([rotation_to_entry(rotation, at_s=at_s)])

    def flush(self) -> None:
        """Make every batch durable. Raises OSError."""
        if self._unsynced:
            self._segments.sync()
            self._untaken += self._unsynced
            self._unsynced.clear()

    def take_up(self) -> None:
        """Let the publisher take up every batch that is durable: nobody needs to wait for that. Raises OSError."""
        for batch in self._untaken:
            self._publisher.append(batch.encoded, batch.leaves, batch.roots)
        self._untaken.clear()

    def sync(self) -> None:
        """Make every batch durable, and let the publisher take them up. Raises OSError."""
        self.flush()
        self.take_up()

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
