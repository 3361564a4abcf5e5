"""One log's files held against each other: tiles, checkpoint, write-ahead log, signatures.

Owns bytes and hashes; what the entries mean is for :mod:`extproc.audit.meaning`, which gets each entry once, in order.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from extproc.audit.findings import Category, Finding
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.log import LOG, WAL
from extproc.ledger.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, leaf_hash
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import (
    TILE_WIDTH,
    Tile,
    TileBuilder,
    decode_entries,
    encode_entry,
    format_tile_path,
    hashes_of,
    parse_tile_path,
)
from extproc.ledger.wal import (
    BadFrameError,
    Frame,
    format_segment_name,
    list_segments,
    next_good_frame,
    read_frames,
)
from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.note import VerifierKey, open_note, parse_note

Take: TypeAlias = Callable[[int, bytes], None]
"""Is given each entry with its index, once, in order."""
Closed: TypeAlias = Callable[[], bool]
"""Tells whether the entries given so far end in a Close."""
KeysFor: TypeAlias = Callable[[str], Sequence[VerifierKey]]


@dataclass(slots=True, kw_only=True)
class Tree:
    """What the files of one log amount to."""

    checkpoint: Checkpoint | None = None
    """The published one."""
    size: int = 0
    root: bytes = EMPTY_ROOT
    origin: str = ""
    tiles: int = 0
    frames: int = 0
    signed_by: tuple[str, ...] = ()


class TreeCheck:
    """Checks one log. `findings` grow as it goes; files are named relative to `base`."""

    def __init__(self, directory: Path, base: Path, keys_for: KeysFor, take: Take, closed: Closed) -> None:
        self.tree = Tree()
        self.findings: list[Finding] = []
        self._directory = directory
        self._base = base
        self._keys_for = keys_for
        self._take = take
        self._closed = closed
        self._taken = 0
        self._checkpoint_note = b""
        self._ahead: list[Tile] = []
        self._untrusted = False
        self._signers: dict[str, None] = {}

    def run(self) -> Tree:
        """Check everything, and give the tree."""
        # 1. The published log: checkpoint, then every tile against the entries that it is made of.
        log = self._directory / LOG
        if (log / CHECKPOINT).exists():
            self._check_log(log)
        # 2. The write-ahead log: every frame, and that it states the same tree.
        if (self._directory / WAL).is_dir():
            self._check_wal(self._directory / WAL)
        else:
            self._find(Category.NOTE, self._directory, "no write-ahead log here; the published log alone was checked")
        self._check_tiles_ahead(log)
        if self.tree.checkpoint is None:
            # A log is born with a checkpoint over its Genesis, so there is always one.
            self._find(Category.INTEGRITY, log / CHECKPOINT, "no checkpoint that can be read")
        elif self.tree.checkpoint.size < self.tree.size:
            category = Category.INCOMPLETE if self._closed() else Category.NOTE
            message = f"covers {self.tree.checkpoint.size} of the {self.tree.size} entries of the write-ahead log"
            self._find(category, log / CHECKPOINT, message)
        self.tree.signed_by = tuple(self._signers)
        return self.tree

    def _check_log(self, log: Path) -> None:
        path = log / CHECKPOINT
        self._checkpoint_note = path.read_bytes()
        checkpoint = self._open(self._checkpoint_note, path)
        if checkpoint is None:
            return
        tree = self.tree
        tree.checkpoint, tree.origin, tree.size = checkpoint, checkpoint.origin, checkpoint.size
        root = self._check_tiles(log, checkpoint.size)
        if root is None:
            return
        tree.root = root
        if root != checkpoint.root:
            self._find(
                Category.INTEGRITY,
                path,
                f"the root over the {checkpoint.size} entries is not the signed one",
                expected=checkpoint.root.hex(),
                found=root.hex(),
            )

    def _check_tiles(self, log: Path, size: int) -> bytes | None:
        """Hold every tile of `size` entries against those entries, and give their root; None where some are missing."""
        found = self._list_tiles(log)
        builder, frontier = TileBuilder(), Frontier()
        while builder.size < size:
            width = min(TILE_WIDTH, size - builder.size)
            entries = self._read_bundle(log, Tile(level=None, index=builder.size // TILE_WIDTH, width=width))
            if entries is None:
                return None
            leaves = [leaf_hash(entry) for entry in entries]
            for leaf in leaves:
                frontier.append(leaf)
            for tile, data in builder.append([encode_entry(entry) for entry in entries], leaves):
                self._compare(log, tile, data, found)
            for entry in entries:
                self._give(entry)
        for tile, data in builder.partial():
            self._compare(log, tile, data, found)
        self._ahead += [tile for tiles in found.values() for tile in tiles]
        return frontier.root()

    def _check_tiles_ahead(self, log: Path) -> None:
        """Allow tiles that the checkpoint does not cover only where a running process was about to publish them."""
        for tile in self._ahead:
            end = (tile.index * TILE_WIDTH + tile.width) << 8 * (tile.level or 0)
            if end > self.tree.size:
                message = "a tile that the checkpoint does not cover"
                self._find(Category.INTEGRITY, log / format_tile_path(tile), message)

    def _list_tiles(self, log: Path) -> dict[Tile, list[Tile]]:
        """List the tiles that are there, by the full tile that each is or will be."""
        found: dict[Tile, list[Tile]] = defaultdict(list)
        for path in sorted(log.rglob("*")):
            name = path.relative_to(log).as_posix()
            if path.is_dir() or name == CHECKPOINT:
                continue
            try:
                tile = parse_tile_path(name)
            except MalformedError:
                self._find(Category.INTEGRITY, path, "a file that is no part of a log")
                continue
            found[tile.full].append(tile)
        return found

    def _read_bundle(self, log: Path, bundle: Tile) -> list[bytes] | None:
        path = log / format_tile_path(bundle)
        first = bundle.index * TILE_WIDTH
        try:
            return decode_entries(path.read_bytes(), bundle.width)
        except FileNotFoundError:
            message = "is missing"
        except MalformedError as error:
            message = str(error)
        self._find(Category.INTEGRITY, path, f"entries {first} to {first + bundle.width - 1}: {message}", entry=first)
        return None

    def _compare(self, log: Path, tile: Tile, data: bytes, found: dict[Tile, list[Tile]]) -> None:
        """Hold a tile as it must be against the file, and against every shorter partial tile that is left."""
        there = found.pop(tile.full, [])
        if tile not in there:
            self._find(Category.INTEGRITY, log / format_tile_path(tile), "is missing")
        for each in there:
            path = log / format_tile_path(each)
            self.tree.tiles += 1
            if each.width > tile.width:
                self._ahead.append(each)
                continue
            content = path.read_bytes()
            if content != _prefix(data, each):
                self._find_difference(path, each, content, _prefix(data, each))

    def _find_difference(self, path: Path, tile: Tile, content: bytes, computed: bytes) -> None:
        """Name the first hash of a tile that differs, or the first entry of a left-over bundle."""
        if tile.level is None or len(content) != len(computed):
            self._find(
                Category.INTEGRITY,
                path,
                "is not what its entries give",
                entry=tile.index * TILE_WIDTH if tile.level is None else None,
                expected=f"{len(computed)} bytes",
                found=f"{len(content)} bytes" if len(content) != len(computed) else "other bytes",
            )
            return
        pairs = zip(hashes_of(content), hashes_of(computed), strict=True)
        at, (stored, again) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        index = tile.index * TILE_WIDTH + at
        bundle = format_tile_path(Tile(level=None, index=tile.index, width=tile.width))
        self._find(
            Category.INTEGRITY,
            path,
            f"the hash of the entry in {LOG}/{bundle} is not the stored one"
            if tile.level == 0
            else f"hash {index} of level {tile.level} is not what the level below gives",
            entry=index if tile.level == 0 else None,
            expected=stored.hex(),
            found=again.hex(),
        )

    def _check_wal(self, wal: Path) -> None:
        frontier = Frontier()
        segments = list_segments(wal)
        for path in sorted(set(wal.iterdir()) - set(segments)):
            self._find(Category.INTEGRITY, path, "a file that is no part of a write-ahead log")
        for number, path in enumerate(segments):
            data = path.read_bytes()
            expected = format_segment_name(frontier.size)
            if path.name != expected:
                self._find(
                    Category.INTEGRITY,
                    path,
                    "segments are missing or out of order",
                    entry=frontier.size,
                    expected=expected,
                    found=path.name,
                )
                return
            try:
                for frame in read_frames(data):
                    if not self._check_frame(frame, path, frontier):
                        return
            except BadFrameError as error:
                self._find_bad_frame(error, path, data, frontier, segments[number + 1 :])
                return
        tree = self.tree
        if tree.checkpoint is not None and frontier.size < tree.checkpoint.size:
            self._find(
                Category.INTEGRITY,
                wal,
                "ends before the published log",
                entry=frontier.size,
                expected=f"{tree.checkpoint.size} entries",
                found=str(frontier.size),
            )

    def _check_frame(self, frame: Frame, path: Path, frontier: Frontier) -> bool:
        """Check one frame and take it up; False where going on makes no sense."""
        if frame.first != frontier.size or not frame.count:
            self._find(
                Category.INTEGRITY,
                path,
                f"the frame at byte {frame.offset} is out of order",
                entry=frontier.size,
                expected=f"entry {frontier.size} first",
                found=f"{frame.count} entries from {frame.first}",
            )
            return False
        try:
            entries = decode_entries(frame.payload, frame.count)
        except MalformedError as error:
            self._find(Category.INTEGRITY, path, f"the frame at byte {frame.offset}: {error}", entry=frame.first)
            return False
        for entry in entries:
            frontier.append(leaf_hash(entry))
            if frontier.size > self._taken:
                self._give(entry)
        self.tree.frames += 1
        stated = self._open(frame.note, path, entry=frame.first)
        if stated is None:
            return False
        tree = self.tree
        tree.origin = tree.origin or stated.origin
        now = Checkpoint(origin=tree.origin, size=frontier.size, root=frontier.root())
        if stated != now:
            self._find_other_tree(path, frame, stated, now)
            return False
        if tree.checkpoint is None or now.size > tree.checkpoint.size:
            tree.size, tree.root = now.size, now.root
        elif now.size == tree.checkpoint.size and frame.note != self._checkpoint_note:
            self._find(
                Category.INTEGRITY,
                self._directory / LOG / CHECKPOINT,
                f"is not the note that {self._name(path)} holds for this size",
                entry=frame.first,
                expected=repr(frame.note.decode(errors="replace")),
                found=repr(self._checkpoint_note.decode(errors="replace")),
            )
        return True

    def _find_other_tree(self, path: Path, frame: Frame, stated: Checkpoint, now: Checkpoint) -> None:
        self._find(
            Category.INTEGRITY,
            path,
            f"the note of the frame at byte {frame.offset} states another tree than its entries give",
            entry=frame.first,
            expected=f"{stated.origin} {stated.size} {stated.root.hex()}",
            found=f"{now.origin} {now.size} {now.root.hex()}",
        )

    def _find_bad_frame(
        self, error: BadFrameError, path: Path, data: bytes, frontier: Frontier, later: Sequence[Path]
    ) -> None:
        """Tell a torn write at the end of a log that nobody closed from damage."""
        published = self.tree.checkpoint.size if self.tree.checkpoint is not None else 0
        torn = (
            published <= frontier.size
            and next_good_frame(data, error.offset) is None
            and not any(each.read_bytes().strip(b"\x00") for each in later)
            and not self._closed()
        )
        if torn:
            message = f"ends in a torn write at byte {error.offset}, which the next start will cut"
            self._find(Category.INCOMPLETE, path, message, entry=frontier.size)
        else:
            self._find(Category.INTEGRITY, path, f"bad frame: {error}", entry=frontier.size)

    def _open(self, note: bytes, path: Path, entry: int | None = None) -> Checkpoint | None:
        """Read a signed checkpoint, checking its signature."""
        try:
            checkpoint = parse_checkpoint(parse_note(note).text)
            try:
                opened = open_note(note, self._keys_for(checkpoint.origin))
            except UnknownSignerError as error:
                if not self._untrusted:
                    self._find(Category.TRUST, path, str(error), entry=entry)
                    self._untrusted = True
            else:
                self._signers.update(dict.fromkeys(f"{each.key_id.hex()}" for each in opened.signatures))
        except (MalformedError, SignatureError) as error:
            self._find(Category.INTEGRITY, path, str(error), entry=entry)
            return None
        return checkpoint

    def _give(self, entry: bytes) -> None:
        self._take(self._taken, entry)
        self._taken += 1

    def _find(  # noqa: PLR0913 - the parts of a finding, each by name
        self,
        category: Category,
        path: Path,
        message: str,
        *,
        entry: int | None = None,
        expected: str = "",
        found: str = "",
    ) -> None:
        self.findings.append(
            Finding(
                category=category,
                message=message,
                file=self._name(path),
                entry=entry,
                expected=expected,
                found=found,
            )
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self._base).as_posix()


def _prefix(data: bytes, tile: Tile) -> bytes:
    """Give the bytes of a partial tile that was cut from `data`, which is the same tile grown further."""
    if tile.level is not None:
        return data[: tile.width * HASH_BYTES]
    end = 0
    for _ in range(tile.width):
        end += 2 + int.from_bytes(data[end : end + 2])
    return data[:end]
