"""What of a log is shipped next, and the proof that it belongs under the signed root.

Every tile is hashed into the one above it, and the right edge into the root, before it leaves: in a store that keeps
everything for a year, a wrong tile cannot be taken back.

SPEC: https://c2sp.org/tlog-tiles; RFC 6962 section 2.1 for the root.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extproc.ledger.merkle import EMPTY_ROOT, leaf_hash, node_hash, root_of
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, hashes_of, tile_root
from extproc.notes.errors import MalformedError
from extproc.ship.errors import LocalLogError, TileMissingError
from extproc.ship.local_log import LocalLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A tile that is to be shipped; `data` is None for a bundle that is on this disk no more."""

    tile: Tile
    data: bytes | None


class CheckedTree:
    """The published tree of one log at one size, read with every hash checked."""

    def __init__(self, log: LocalLog, size: int) -> None:
        self._log = log
        self.size = size
        self._parents: dict[int, tuple[int, Sequence[bytes]]] = {}
        """The tile above by level, since 256 neighbours share it."""

    def full(self, start: int) -> Iterator[tuple[int, list[Piece]]]:
        """Give the full tiles from bundle `start` on, bundle by bundle with those that it completes.

        A bundle that is missing here has pruned ones below it, or is an error. Raises LocalLogError.
        """
        for index in range(start, self.size // TILE_WIDTH):
            hashes = self._checked(0, index)
            group = [
                self._bundle(index, TILE_WIDTH, hashes_of(hashes)),
                Piece(tile=Tile(level=0, index=index), data=hashes),
            ]
            level, count = 1, index + 1
            while count % TILE_WIDTH == 0:
                count //= TILE_WIDTH
                tile = Tile(level=level, index=count - 1)
                group.append(Piece(tile=tile, data=self._checked(level, tile.index)))
                level += 1
            yield index, group

    def edge(self) -> list[Piece]:
        """Give the partial tiles of the right edge. Raises LocalLogError."""
        pieces: list[Piece] = []
        level, count = 0, self.size
        while count:
            index, width = divmod(count, TILE_WIDTH)
            if width:
                tile = Tile(level=level, index=index, width=width)
                data = self._log.tile(tile, self.size)
                if level == 0:
                    pieces.append(self._bundle(index, width, hashes_of(data)))
                pieces.append(Piece(tile=tile, data=data))
            level, count = level + 1, index
        return pieces

    def last_entry(self) -> bytes | None:
        """Give the last entry, unchecked; None of an empty log. Raises LocalLogError."""
        if not self.size:
            return None
        index, last = divmod(self.size - 1, TILE_WIDTH)
        return self._decode(Tile(level=None, index=index, width=last + 1))[last]

    def entries(self, index: int) -> list[bytes]:
        """Give the checked entries of bundle `index`, all that the size covers. Raises LocalLogError."""
        width = min(TILE_WIDTH, self.size - index * TILE_WIDTH)
        hashes = self._log.tile(Tile(level=0, index=index, width=width), self.size)
        return self._matching(Tile(level=None, index=index, width=width), hashes_of(hashes))[1]

    def root(self, size: int) -> bytes:
        """Give the root over the first `size` entries, from hash tiles. Raises LocalLogError."""
        peaks: list[bytes] = []
        level, count = 0, size
        while count:
            index, width = divmod(count, TILE_WIDTH)
            if width:
                hashes = hashes_of(self._log.tile(Tile(level=level, index=index, width=width), self.size))
                # Lowest level first, and within a level its smallest perfect subtree first.
                start = width
                while start:
                    step = start & -start
                    peaks.append(root_of(hashes[start - step : start]))
                    start -= step
            level, count = level + 1, index
        if not peaks:
            return EMPTY_ROOT
        root = peaks[0]
        for peak in peaks[1:]:
            root = node_hash(peak, root)
        return root

    def _bundle(self, index: int, width: int, leaves: Sequence[bytes]) -> Piece:
        tile = Tile(level=None, index=index, width=width)
        try:
            return Piece(tile=tile, data=self._matching(tile, leaves)[0])
        except TileMissingError:
            if index and not self._log.is_missing(index - 1):
                raise
            # Retention prunes from the front, so nothing is below it either.
            return Piece(tile=tile, data=None)

    def _matching(self, tile: Tile, leaves: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
        data = self._log.tile(tile, self.size)
        entries = self._decode(tile, data)
        for i, (entry, leaf) in enumerate(zip(entries, leaves, strict=True)):
            if leaf_hash(entry) != leaf:
                raise self._wrong(tile, f"entry {tile.index * TILE_WIDTH + i} is not the one that was hashed")
        return data, entries

    def _decode(self, tile: Tile, data: bytes | None = None) -> list[bytes]:
        try:
            return decode_entries(self._log.tile(tile, self.size) if data is None else data, tile.width)
        except MalformedError as error:
            raise self._wrong(tile, str(error)) from None

    def _checked(self, level: int, index: int) -> bytes:
        """Read a full hash tile, and hold it against the tile above."""
        tile = Tile(level=level, index=index)
        data = self._log.tile(tile, self.size)
        above, at = divmod(index, TILE_WIDTH)
        kept = self._parents.get(level)
        if kept is None or kept[0] != above:
            width = min(TILE_WIDTH, (self.size >> 8 * (level + 1)) - above * TILE_WIDTH)
            parent = self._log.tile(Tile(level=level + 1, index=above, width=width), self.size)
            kept = self._parents[level] = (above, hashes_of(parent))
        hashes = hashes_of(data)
        if len(hashes) != TILE_WIDTH or tile_root(data) != kept[1][at]:
            raise self._wrong(tile, "its root is not in the tile above it")
        return data

    def _wrong(self, tile: Tile, message: str) -> LocalLogError:
        where = self._log.root / self._log.tile_name(tile)
        return LocalLogError(f"{where}: {message}. Mend: start the worker anew, which publishes its log again")
