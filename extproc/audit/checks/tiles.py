"""One tile as it must be, held against the file, and against every shorter partial tile that was left there."""

import posixpath
from collections.abc import Mapping, Sequence

from extproc.archive import Archive
from extproc.audit.findings import Category, Findings
from extproc.ledger.log import LOG
from extproc.ledger.merkle import HASH_BYTES
from extproc.ledger.tiles import LENGTH_BYTES, TILE_WIDTH, Tile, format_tile_path, hashes_of


class TileCheck:
    """Compares tiles of one log; `compared` counts them."""

    def __init__(self, archive: Archive, log: str, findings: Findings, partial: Mapping[Tile, Sequence[Tile]]) -> None:
        """`partial` are the partial tiles that are there, by the full tile that each will be."""
        self.compared = 0
        self._archive = archive
        self._log = log
        self._findings = findings
        self._partial = partial

    def path(self, tile: Tile) -> str:
        """Give the name of a tile in the archive."""
        return posixpath.join(self._log, LOG, format_tile_path(tile))

    def fetch(self, tile: Tile) -> bytes:
        """Give a tile's bytes. Raises FileNotFoundError, and ArchiveError."""
        try:
            return self._archive.read(self.path(tile))
        except FileNotFoundError:
            if tile == tile.full:
                raise
        # SPEC: a partial tile may go once the full one is there, which begins with the same bytes. So it does while a
        # process publishes.
        return cut_tile(self._archive.read(self.path(tile.full)), tile)

    def read(self, tile: Tile) -> bytes | None:
        """Give the hashes of a tile whose entries are not there; None where the tile is not, or has another length."""
        try:
            data = self.fetch(tile)
        except FileNotFoundError:
            self._findings.add(Category.INTEGRITY, "is missing", file=self.path(tile))
            return None
        if len(data) != tile.width * HASH_BYTES:
            self._differs(tile, data, bytes(tile.width * HASH_BYTES))
            return None
        self.compared += 1
        return data

    def compare(self, tile: Tile, data: bytes) -> None:
        """Hold a tile, as its entries or the tiles below give it, against the files. A bundle was read from its own."""
        if tile.level is None:
            self.compared += 1
        else:
            self._compare(tile, data, missing="is missing")
        for each in self._partial.get(tile.full, ()):
            if each.width < tile.width:
                self._compare(each, cut_tile(data, each), missing="")

    def _compare(self, tile: Tile, data: bytes, *, missing: str) -> None:
        try:
            content = self.fetch(tile)
        except FileNotFoundError:
            if missing:
                self._findings.add(Category.INTEGRITY, missing, file=self.path(tile))
            return
        self.compared += 1
        if content != data:
            self._differs(tile, content, data)

    def _differs(self, tile: Tile, content: bytes, computed: bytes) -> None:
        """Name the first hash of a tile that differs, or the first entry of a left-over bundle."""
        if tile.level is None or len(content) != len(computed):
            self._findings.add(
                Category.INTEGRITY,
                "is not what its entries give",
                file=self.path(tile),
                entry=tile.index * TILE_WIDTH if tile.level in (None, 0) else None,
                expected=f"{len(computed)} bytes",
                found=f"{len(content)} bytes" if len(content) != len(computed) else "other bytes",
            )
            return
        pairs = zip(hashes_of(content), hashes_of(computed), strict=True)
        at, (stored, again) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        index = tile.index * TILE_WIDTH + at
        bundle = format_tile_path(Tile(level=None, index=tile.index, width=tile.width))
        self._findings.add(
            Category.INTEGRITY,
            f"the hash of the entry in {LOG}/{bundle} is not the stored one"
            if tile.level == 0
            else f"hash {index} of level {tile.level} is not what the level below gives",
            file=self.path(tile),
            entry=index if tile.level == 0 else None,
            expected=stored.hex(),
            found=again.hex(),
        )


def cut_tile(data: bytes, tile: Tile) -> bytes:
    """Give the bytes of a partial tile that was cut from `data`, which is the same tile grown further."""
    if tile.level is not None:
        return data[: tile.width * HASH_BYTES]
    end = 0
    for _ in range(tile.width):
        end += LENGTH_BYTES + int.from_bytes(data[end : end + LENGTH_BYTES])
    return data[:end]
