"""A log of this disk as it is published, read by its keeper: checked before anything is believed or taken from it.

Nobody's trust is decided here: the signature is checked against the keys beside the log, which shows that the files are
as they were written. Whether those keys are the right ones is for :mod:`extproc.audit`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.custody.errors import UnsoundLogError
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.errors import LedgerError
from extproc.ledger.log import LOG, LOG_VKEY, QUARANTINED
from extproc.ledger.merkle import leaf_hash
from extproc.ledger.proofs import TileTree
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path, hashes_of
from extproc.notes.errors import NoteError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import open_note

_INCARNATION: Final = re.compile(r"[0-9]{6}-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLog:
    """A log whose checkpoint is signed."""

    directory: Path
    checkpoint: Checkpoint

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.checkpoint.size

    def bundle(self, index: int) -> Path:
        """Give the file of the entries from 256 times `index`."""
        width = min(TILE_WIDTH, self.size - index * TILE_WIDTH)
        return self.directory / LOG / format_tile_path(Tile(level=None, index=index, width=width))

    @property
    def bundles(self) -> int:
        """Number of bundles, pruned ones among them."""
        return -(-self.size // TILE_WIDTH)

    def first(self) -> int:
        """Give the index of the first entry that is there; the size where none is."""
        for index in range(self.bundles):
            if self.bundle(index).exists():
                return index * TILE_WIDTH
        return self.size

    def entries(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Give the entries from `start`, a multiple of 256, each held against its hash. Raises UnsoundLogError."""
        for index in range(-(-start // TILE_WIDTH), self.bundles):
            path = self.bundle(index)
            width = min(TILE_WIDTH, self.size - index * TILE_WIDTH)
            tile = self.directory / LOG / format_tile_path(Tile(level=0, index=index, width=width))
            try:
                entries = decode_entries(path.read_bytes(), width)
                hashes = hashes_of(tile.read_bytes())
            except (NoteError, OSError) as error:
                raise UnsoundLogError(f"{path}: {error}. {_MEND}") from None
            for offset, (entry, expected) in enumerate(zip(entries, hashes, strict=True)):
                if leaf_hash(entry) != expected:
                    raise UnsoundLogError(f"{path}: entry {offset} is not the one that {tile.name} has. {_MEND}")
                yield index * TILE_WIDTH + offset, entry

    def check_tree(self) -> None:
        """Raise UnsoundLogError where the hash tiles do not give the root that was signed."""
        log = self.directory / LOG
        try:
            root = TileTree(lambda path: (log / path).read_bytes(), self.size).root()
        except (LedgerError, NoteError, OSError) as error:
            raise UnsoundLogError(f"{log}: {error}. {_MEND}") from None
        if root != self.checkpoint.root:
            raise UnsoundLogError(f"{log}: expected root {self.checkpoint.root.hex()}, found {root.hex()}. {_MEND}")

    def is_closed(self) -> bool:
        """Tell whether it ended with its Close; False where its last entries are not there."""
        last = self.bundles - 1
        try:
            entries = decode_entries(self.bundle(last).read_bytes(), self.size - last * TILE_WIDTH)
        except (NoteError, OSError):
            return False
        return kind_of(parse_entry(entries[-1])) == "close"


_MEND: Final = "Mend: keep this log as it is, and run `situs audit verify` on it"


def incarnations(root: Path, worker: str = "*") -> list[Path]:
    """List the folders of logs below a place, those of one worker or of all, in order."""
    found = root.glob(f"*/{worker}/*")
    return sorted(path for path in found if _INCARNATION.fullmatch(path.name) and path.is_dir())


def is_quarantined(directory: Path) -> bool:
    """Tell whether a log was found corrupt."""
    return (directory / QUARANTINED).exists()


def open_published(directory: Path) -> PublishedLog | None:
    """Read the signed checkpoint of a log; None where nothing is published yet. Raises UnsoundLogError."""
    log = directory / LOG
    try:
        note = (log / CHECKPOINT).read_bytes()
    except FileNotFoundError:
        return None
    try:
        checkpoint = parse_checkpoint(open_note(note, load_vkeys(directory / LOG_VKEY)).text)
    except (LedgerError, NoteError, OSError) as error:
        raise UnsoundLogError(f"{log}: {error}. {_MEND}") from None
    return PublishedLog(directory=directory, checkpoint=checkpoint)


def parse(entry: bytes, where: Path) -> pb.Entry:
    """Read an entry. Raises UnsoundLogError."""
    try:
        return parse_entry(entry)
    except NoteError as error:
        raise UnsoundLogError(f"{where}: {error}. {_MEND}") from None
