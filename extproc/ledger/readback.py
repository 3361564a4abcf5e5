"""Reading a write-ahead log back, strictly, in one pass: what it holds, and whether all of it is sound.

Owns the judgement over frames. What is done about it is for :mod:`extproc.ledger.recovery`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.errors import CorruptLogError, LedgerError
from extproc.ledger.log import LOG, WAL
from extproc.ledger.merkle import Frontier, leaf_hashes
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import LENGTH_BYTES, Tile, TileBuilder, split_entries
from extproc.ledger.wal import (
    BadFrameError,
    Frame,
    format_segment_name,
    list_segments,
    next_good_frame,
    read_frames,
    used_bytes,
)
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.note import VerifierKey, open_note, parse_note

TakeTile: TypeAlias = Callable[[Tile, bytes], None]
"""Is given each full tile of the log, with its bytes, and the partial ones that the published checkpoint needs."""

_TOGETHER: Final = 1024
"""Entries that are hashed at once; one frame may hold a single one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a write-ahead log holds: `size` good entries, to be continued in `segment` from byte `offset`.

    `flushed` is the offset up to which the disk is known to have it, because a checkpoint was published over it.
    `cut` is the length of a torn write after that; `last_kind` is the kind of the last good entry, and `note` the
    signed note after it. `tree` and `tiles` are those of the good entries.
    """

    size: int
    segment: Path
    offset: int
    flushed: int
    cut: int
    last_kind: str
    note: bytes
    tree: Frontier
    tiles: TileBuilder


class LogReader:
    """Reads one write-ahead log back. `good` is the tree of what was found good, also when `scan` raises."""

    def __init__(self, directory: Path, origin: str, keys: Sequence[VerifierKey], take: TakeTile | None = None) -> None:
        self.good = Frontier()
        self._directory = directory
        self._origin = origin
        self._keys = keys
        self._take_tile = take
        self._tiles = TileBuilder()
        self._size = 0
        self._pending: list[bytes] = []
        self._published = published_checkpoint(directory, origin, keys)
        self._met_published = False

    def scan(self) -> Scan:
        """Check every frame: its bytes and its place; and that the notes state the tree that the entries give.

        A note commits to everything before it. So the last one of each segment is held against the tree, and the
        signature of the last of all is verified; only where something is wrong is every note looked at, to say where.
        Raises CorruptLogError, or what else is wrong with a note, and OSError.
        """
        try:
            return self._read(every_note=False)
        except CorruptLogError:
            self.good, self._tiles = Frontier(), TileBuilder()
            self._size, self._pending, self._met_published = 0, [], False
            return self._read(every_note=True)

    def _read(self, *, every_note: bool) -> Scan:
        last: Frame | None = None
        segment, offset, flushed, cut = self._directory / WAL, 0, 0, 0
        for segment, data in _segments(self._directory):
            expected = format_segment_name(self._size)
            if segment.name != expected:
                raise CorruptLogError(f"{segment}: expected {expected}")
            torn: BadFrameError | None = None
            offset = flushed = 0
            try:
                for frame in read_frames(data):
                    self._take(frame, segment, check=every_note)
                    last, offset = frame, frame.end
                    if self._at_published():
                        flushed = offset
            except BadFrameError as error:
                torn = error
            if last is not None:
                self._grow(last, segment)
            if torn is not None:
                if next_good_frame(data, torn.offset) is not None or self._anything_after(segment):
                    raise CorruptLogError(f"{segment}: {torn}, and good frames follow")
                cut = used_bytes(data) - offset
                break
        if last is None:
            raise CorruptLogError(f"{segment}: no good frame")
        self._check_published(segment)
        open_note(last.note, self._keys)
        return Scan(
            size=self.good.size,
            segment=segment,
            offset=offset,
            flushed=flushed,
            cut=cut,
            last_kind=kind_of(parse_entry(split_entries(last.payload, last.count)[-1][LENGTH_BYTES:])),
            note=last.note,
            tree=self.good,
            tiles=self._tiles,
        )

    def _take(self, frame: Frame, segment: Path, *, check: bool) -> None:
        """Take up the entries of one frame. Refuses one that is not the next, and with `check` a wrong note."""
        if frame.first != self._size or not frame.count:
            raise CorruptLogError(
                f"{segment}: byte {frame.offset}: expected entry {self._size}, found {frame.count} from {frame.first}"
            )
        try:
            self._pending += split_entries(frame.payload, frame.count)
        except MalformedError as error:
            raise CorruptLogError(f"{segment}: byte {frame.offset}: {error}") from None
        self._size += frame.count
        if check or self._at_published():
            self._grow(frame, segment)
        elif len(self._pending) >= _TOGETHER:
            self._grow(None, segment)

    def _grow(self, checked: Frame | None, segment: Path) -> None:
        """Add what was taken up to the tree, and hold the note of `checked`, the last frame, against that."""
        encoded, self._pending = self._pending, []
        leaves = leaf_hashes(entry[LENGTH_BYTES:] for entry in encoded)
        tree = self.good.copy()
        roots = tree.extend(leaves)
        if checked is not None:
            self._check(checked, tree, segment)
        self.good = tree
        self._give(self._tiles.append(encoded, leaves, roots))
        if self._at_published():
            self._give(self._tiles.partial())

    def _at_published(self) -> bool:
        return self._published is not None and self._published.size == self._size

    def _give(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        for tile, data in tiles:
            if self._take_tile is not None:
                self._take_tile(tile, data)

    def _check(self, frame: Frame, tree: Frontier, segment: Path) -> None:
        """Hold a frame's note, and the published checkpoint where it is of this size, against the tree."""
        where = f"{segment}: byte {frame.offset}"
        found = Checkpoint(origin=self._origin, size=tree.size, root=tree.root())
        # A note is its text, an empty line and signatures.
        if not frame.note.startswith(f"{format_checkpoint(found)}\n".encode()):
            try:
                stated = parse_checkpoint(parse_note(frame.note).text)
            except MalformedError as error:
                raise CorruptLogError(f"{where}: {error}") from None
            raise CorruptLogError(f"{where}: expected {_say(stated)} as its note states, found {_say(found)}")
        if self._published is not None and self._published.size == found.size:
            self._met_published = True
            if self._published != found:
                raise CorruptLogError(f"{where}: expected {_say(self._published)} as published, found {_say(found)}")

    def _check_published(self, segment: Path) -> None:
        """Refuse a log that is not the one whose checkpoint was published."""
        if self._published is None or self._met_published:
            return
        if self._published.size > self.good.size:
            raise CorruptLogError(
                f"{segment}: expected the {self._published.size} entries that {LOG}/{CHECKPOINT} covers, "
                f"found {self.good.size}"
            )
        raise CorruptLogError(
            f"{segment}: expected a frame that ends at entry {self._published.size}, which {LOG}/{CHECKPOINT} covers"
        )

    def _anything_after(self, segment: Path) -> bool:
        """Tell whether a segment after this one holds anything but zeros."""
        return any(used_bytes(data) for path, data in _segments(self._directory) if path > segment)


def published_checkpoint(directory: Path, origin: str, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """Give the published checkpoint; None where there is none that is whole, since a crash may have damaged it."""
    try:
        checkpoint = parse_checkpoint(open_note((directory / LOG / CHECKPOINT).read_bytes(), keys).text)
    except (LedgerError, NoteError, OSError):
        return None
    return checkpoint if checkpoint.origin == origin else None


def _segments(directory: Path) -> Iterator[tuple[Path, bytes]]:
    for segment in list_segments(directory / WAL):
        yield segment, segment.read_bytes()


def _say(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin} {checkpoint.size} {checkpoint.root.hex()}"
