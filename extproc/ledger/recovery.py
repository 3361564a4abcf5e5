"""Recovery: how the log of a process that is gone gets its end.

Owns the reading back of a write-ahead log and the judgement over it. A log that ends with its own Close is left as it
is. One that just stops is checked frame by frame, cut behind its last good frame when the rest is a torn write, and
closed. Anything else is corruption, which is evidence: nothing of that log is written or removed, and a mark beside it
says why.
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.entries import Previous, close_to_entry, kind_of, parse_entry, recovered_to_entry
from extproc.ledger.errors import CorruptLogError, LedgerError
from extproc.ledger.log import LOG, LOG_VKEY, QUARANTINED, WAL, Clock, LogWriter
from extproc.ledger.merkle import Frontier, leaf_hash
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, encode_entry, format_tile_path
from extproc.ledger.wal import BadFrameError, Frame, format_segment_name, list_segments, next_good_frame, read_frames
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.keys import SigningKey, add_vkey, load_vkeys
from extproc.notes.note import VerifierKey, open_note, parse_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a write-ahead log holds: `size` good entries, to be continued in `segment` from byte `offset`.

    `cut` is the length of a torn write after that; `last_kind` is the kind of the last good entry.
    """

    size: int
    segment: Path
    offset: int
    cut: int
    last_kind: str


def settle(directory: Path, *, origin: str, key: SigningKey, clock: Clock, segment_bytes: int) -> Previous:
    """See to it that the log in `directory` has an end, and describe that end. Raises OSError."""
    ended = _ended(directory, origin)
    if ended is not None:
        return ended
    reader = LogReader(directory, origin, (*_listed_keys(directory), key.verifier(origin)))
    try:
        found = reader.scan()
    except (LedgerError, NoteError) as error:
        (directory / QUARANTINED).write_text(f"{error}\n", encoding="utf-8")
        good = reader.good
        return Previous(origin=origin, size=good.size, root=good.root(), state="quarantined", reason=str(error))
    writer = LogWriter(directory, origin=origin, key=key, segment_bytes=segment_bytes)
    try:
        resume(writer, found)
        if found.last_kind != "close":
            add_vkey(directory / LOG_VKEY, key.verifier(origin))
            recovered = recovered_to_entry(
                at_s=clock(), size=found.size, segment=found.segment.name, offset=found.offset, cut=found.cut
            )
            writer.append([recovered, close_to_entry(at_s=clock(), reason="recovery")])
        # Full tiles were made anew; of partial ones only the last are, so older ones that a crash damaged go.
        for path in (directory / LOG).rglob("*.p"):
            shutil.rmtree(path)
        writer.close()
    finally:
        writer.abandon()
    state = "closed" if found.last_kind == "close" else "recovered"
    return Previous(origin=origin, size=writer.size, root=writer.root(), state=state)


class LogReader:
    """Reads one write-ahead log back, strictly. `good` is the tree of what was found good, also when `scan` raises."""

    def __init__(self, directory: Path, origin: str, keys: Sequence[VerifierKey]) -> None:
        self.good = Frontier()
        self._directory = directory
        self._origin = origin
        self._keys = keys
        self._published = _published(directory, origin, keys)

    def scan(self) -> Scan:
        """Check every frame: its bytes, its place, and that its note states the tree so far.

        The last note commits to everything before it, so its signature alone is verified. Raises CorruptLogError, or
        what else is wrong with a note, and OSError.
        """
        last: Frame | None = None
        segment, offset, cut = self._directory / WAL, 0, 0
        for segment, data in _segments(self._directory):
            expected = format_segment_name(self.good.size)
            if segment.name != expected:
                raise CorruptLogError(f"{segment}: expected {expected}")
            offset = 0
            try:
                for frame in read_frames(data):
                    self._take(frame, segment)
                    last, offset = frame, frame.end
            except BadFrameError as error:
                if next_good_frame(data, error.offset) is not None or self._anything_after(segment):
                    raise CorruptLogError(f"{segment}: {error}, and good frames follow") from None
                cut = len(data.rstrip(b"\x00")) - offset
                break
        if last is None:
            raise CorruptLogError(f"{segment}: no good frame")
        if self._published is not None and self._published.size > self.good.size:
            raise CorruptLogError(
                f"{segment}: expected the {self._published.size} entries that {LOG}/{CHECKPOINT} covers, "
                f"found {self.good.size}"
            )
        open_note(last.note, self._keys)
        return Scan(
            size=self.good.size,
            segment=segment,
            offset=offset,
            cut=cut,
            last_kind=kind_of(parse_entry(decode_entries(last.payload, last.count)[-1])),
        )

    def _take(self, frame: Frame, segment: Path) -> None:
        """Check one frame against the tree so far, and add its entries to it."""
        where = f"{segment}: byte {frame.offset}"
        if frame.first != self.good.size or not frame.count:
            raise CorruptLogError(f"{where}: expected entry {self.good.size}, found {frame.count} from {frame.first}")
        try:
            entries = decode_entries(frame.payload, frame.count)
            stated = parse_checkpoint(parse_note(frame.note).text)
        except MalformedError as error:
            raise CorruptLogError(f"{where}: {error}") from None
        tree = self.good.extended(map(leaf_hash, entries))
        found = Checkpoint(origin=self._origin, size=tree.size, root=tree.root())
        if stated != found:
            raise CorruptLogError(f"{where}: expected {_say(stated)} as its note states, found {_say(found)}")
        if self._published is not None and self._published.size == found.size and self._published != found:
            raise CorruptLogError(f"{where}: expected {_say(self._published)} as published, found {_say(found)}")
        self.good = tree

    def _anything_after(self, segment: Path) -> bool:
        """Tell whether a segment after this one holds anything but zeros."""
        return any(data.strip(b"\x00") for path, data in _segments(self._directory) if path > segment)


def resume(writer: LogWriter, found: Scan) -> None:
    """Bring a writer to the end of what was found good, so that it goes on from there; a torn write is cut."""
    for _, data in _segments(writer.directory):
        with contextlib.suppress(BadFrameError):  # the torn write that the scan has found
            for frame in read_frames(data):
                entries = decode_entries(frame.payload, frame.count)
                writer.replay(
                    [encode_entry(entry) for entry in entries], [leaf_hash(entry) for entry in entries], frame.note
                )
    writer.resume(found.segment, found.offset)


def _segments(directory: Path) -> Iterator[tuple[Path, bytes]]:
    for segment in list_segments(directory / WAL):
        yield segment, segment.read_bytes()


def _say(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin} {checkpoint.size} {checkpoint.root.hex()}"


def _listed_keys(directory: Path) -> tuple[VerifierKey, ...]:
    try:
        return load_vkeys(directory / LOG_VKEY)
    except FileNotFoundError:
        return ()


def _published(directory: Path, origin: str, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """Give the published checkpoint; None where there is none that is whole, since a crash may have damaged it."""
    try:
        checkpoint = parse_checkpoint(open_note((directory / LOG / CHECKPOINT).read_bytes(), keys).text)
    except (LedgerError, NoteError, OSError):
        return None
    return checkpoint if checkpoint.origin == origin else None


def _ended(directory: Path, origin: str) -> Previous | None:
    """Describe the end of a log whose published form is complete; None where it has to be read back first.

    The last checkpoint is published when everything else is durable, so one that covers a Close is proof enough here;
    an auditor checks it all.
    """
    try:
        checkpoint = _published(directory, origin, load_vkeys(directory / LOG_VKEY))
        if checkpoint is None or checkpoint.size == 0:
            return None
        index, last = divmod(checkpoint.size - 1, TILE_WIDTH)
        bundle = directory / LOG / format_tile_path(Tile(level=None, index=index, width=last + 1))
        entry = decode_entries(bundle.read_bytes(), last + 1)[last]
        if kind_of(parse_entry(entry)) != "close":
            return None
    except (LedgerError, NoteError, OSError):
        return None
    return Previous(origin=origin, size=checkpoint.size, root=checkpoint.root, state="closed")
