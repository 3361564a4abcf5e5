"""Published logs in an archive: which there are, how long each is, and its entries by their index.

Owns reading through :class:`extproc.archive.Archive` for the tools that make something of records. Verifies nothing by
itself: whoever needs proof has :class:`extproc.ledger.proofs.TileTree` over the same files.

SPEC: https://c2sp.org/tlog-tiles
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from extproc.archive import Archive
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.log import LOG, WITNESSED
from extproc.ledger.proofs import TileTree
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path
from extproc.notes.errors import MalformedError
from extproc.notes.note import parse_note

_LENGTH_BYTES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLog:
    """One log as its published checkpoint states it. `name` is its folder in the archive, empty for the archive itself.

    `note` are the bytes of the checkpoint, whose signature nobody has checked here.
    """

    name: str
    origin: str
    size: int
    root: bytes
    note: bytes

    def path(self, *parts: str) -> str:
        """Give the name in the archive of something beside or in the log."""
        return posixpath.join(self.name, *parts)


def find_published(archive: Archive) -> tuple[PublishedLog, ...]:
    """Give every published log of an archive, by their names. Raises ArchiveError and MalformedError."""
    end = f"{LOG}/{CHECKPOINT}"
    found: list[PublishedLog] = []
    for name in archive.names():
        if name != end and not name.endswith(f"/{end}"):
            continue
        note = archive.read(name)
        try:
            stated = parse_checkpoint(parse_note(note).text)
        except MalformedError as error:
            raise MalformedError(f"{name}: {error}") from None
        folder = name.removesuffix(end).rstrip("/")
        found.append(PublishedLog(name=folder, origin=stated.origin, size=stated.size, root=stated.root, note=note))
    return tuple(found)


def tree_of(archive: Archive, log: PublishedLog) -> TileTree:
    """Give the tree of a log, as its hash tiles have it."""
    return TileTree(lambda path: archive.read(log.path(LOG, path)), log.size)


def read_bundle(archive: Archive, log: PublishedLog, number: int) -> list[bytes]:
    """Give the entries of the bundle of this number, as far as the checkpoint covers them.

    Raises FileNotFoundError for one that was pruned, MalformedError and ArchiveError.
    """
    width = min(TILE_WIDTH, log.size - number * TILE_WIDTH)
    tile = Tile(level=None, index=number, width=width)
    path = log.path(LOG, format_tile_path(tile))
    try:
        data = archive.read(path)
    except FileNotFoundError:
        if tile == tile.full:
            raise
        # SPEC: a partial bundle may go once the full one is there, which begins with the same entries.
        path = log.path(LOG, format_tile_path(tile.full))
        data = cut_bundle(archive.read(path), width)
    try:
        return decode_entries(data, width)
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from None


def cut_bundle(data: bytes, width: int) -> bytes:
    """Give the part of a bundle that holds its first `width` entries."""
    end = 0
    for _ in range(width):
        end += _LENGTH_BYTES + int.from_bytes(data[end : end + _LENGTH_BYTES])
    return data[:end]


def read_entry(archive: Archive, log: PublishedLog, index: int) -> bytes:
    """Give the stored bytes of one entry. Raises IndexError beyond the checkpoint, and as :func:`read_bundle`."""
    if not 0 <= index < log.size:
        raise IndexError(f"{log.name or log.origin}: no entry {index}; the checkpoint covers {log.size}")
    return read_bundle(archive, log, index // TILE_WIDTH)[index % TILE_WIDTH]


def read_range(archive: Archive, log: PublishedLog, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give the entries of `[start, end)` with their indices; `start` is a multiple of 256.

    Bundles that were pruned are left out: whoever counts sees it. Raises MalformedError and ArchiveError.
    """
    for number in range(start // TILE_WIDTH, -(-min(end, log.size) // TILE_WIDTH)):
        try:
            entries = read_bundle(archive, log, number)
        except FileNotFoundError:
            continue
        first = number * TILE_WIDTH
        for offset, data in enumerate(entries):
            if first + offset < end:
                yield first + offset, data


def covering_note(archive: Archive, log: PublishedLog, index: int) -> tuple[bytes, Checkpoint]:
    """Give the checkpoint to prove an entry by: the witnessed one where it covers the entry, else the published."""
    path = log.path(WITNESSED)
    if archive.exists(path):
        note = archive.read(path)
        stated = parse_checkpoint(parse_note(note).text)
        if stated.origin == log.origin and index < stated.size <= log.size:
            return note, stated
    return log.note, Checkpoint(origin=log.origin, size=log.size, root=log.root)
