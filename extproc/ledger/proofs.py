"""Proofs from published tiles: that an entry is in a tree, and that one tree is the beginning of another.

Owns the way from a published log to the hashes of which proofs are made; what a proof is made of is
:mod:`extproc.ledger.merkle`. Touches no place itself: whoever calls hands over how a file is read. What the tiles say
is not verified here, so a proof is worth no more than its check against signed roots.

SPEC: https://c2sp.org/tlog-tiles
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from extproc.ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    consistency_proof,
    inclusion_proof,
    node_hash,
    root_of,
    split,
)
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path, hashes_of
from extproc.notes.errors import MalformedError

ReadFile: TypeAlias = Callable[[str], bytes]
"""Gives a file of the published log by its path (`tile/0/x001/234.p/56`). Raises FileNotFoundError."""

_LEVELS: Final = 8
"""Levels of the tree in one tile: 2**8 is its width."""
_KEPT_TILES: Final = 1024
"""Tiles kept in memory: 8 MiB. One proof in a log of a million entries touches about five."""


class TileTree:
    """The tree of the first `size` entries of a published log; `size` is that of a checkpoint the tiles were made for.

    Older trees of the same log are within it: proofs may be for any size up to this one.
    """

    def __init__(self, read: ReadFile, size: int) -> None:
        """Read tiles through `read` (see :data:`ReadFile`), each once as long as there is room."""
        self.size = size
        self._read = read
        self._kept: dict[Tile, list[bytes]] = {}

    def root(self, size: int | None = None) -> bytes:
        """Give the root of the whole tree, or of its first `size` leaves. Raises as :meth:`subtree`."""
        end = self.size if size is None else size
        return self.subtree(0, end) if end else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Make the proof that leaf `index` is in the tree, or in that of the first `size` leaves.

        Raises ProofError when there is no such leaf, and as :meth:`subtree`.
        """
        return inclusion_proof(index, self.size if size is None else size, self.subtree)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Make the proof that the first `old` leaves are the beginning of the tree, or of that of the first `new`.

        Raises ProofError when `old` is larger, and as :meth:`subtree`.
        """
        return consistency_proof(old, self.size if new is None else new, self.subtree)

    def leaf(self, index: int) -> bytes:
        """Give the hash of one leaf. Raises as :meth:`subtree`."""
        return self.subtree(index, index + 1)

    def subtree(self, start: int, end: int) -> bytes:
        """Give the root over the leaves `[start, end)`, one of those subtrees of which proofs are made.

        Raises FileNotFoundError for a tile that is not published, MalformedError for one of the wrong length, and
        IndexError for leaves beyond the tree.
        """
        if not 0 <= start < end <= self.size:
            raise IndexError(f"no leaves [{start}, {end}) in a tree of {self.size}")
        leaves = end - start
        if leaves & (leaves - 1) == 0 and start % leaves == 0:
            return self._perfect(start, leaves)
        middle = start + split(leaves)
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def _perfect(self, start: int, leaves: int) -> bytes:
        """Give the root over a perfect subtree: a run of hashes within one tile."""
        level, rest = divmod(leaves.bit_length() - 1, _LEVELS)
        index, first = divmod(start >> _LEVELS * level, TILE_WIDTH)
        hashes = self._tile(level, index)
        return root_of(hashes[first : first + (1 << rest)])

    def _tile(self, level: int, index: int) -> list[bytes]:
        width = min(TILE_WIDTH, (self.size >> _LEVELS * level) - index * TILE_WIDTH)
        tile = Tile(level=level, index=index, width=width)
        hashes = self._kept.get(tile)
        if hashes is None:
            hashes = self._read_tile(tile)
            if len(self._kept) >= _KEPT_TILES:
                del self._kept[next(iter(self._kept))]
            self._kept[tile] = hashes
        return hashes

    def _read_tile(self, tile: Tile) -> list[bytes]:
        try:
            return _hashes(self._read(format_tile_path(tile)), tile)
        except FileNotFoundError:
            if tile == tile.full:
                raise
        # SPEC: a partial tile may go once the full one is there, which begins with the same hashes.
        return _hashes(self._read(format_tile_path(tile.full)), tile.full)[: tile.width]


def _hashes(data: bytes, tile: Tile) -> list[bytes]:
    if len(data) != tile.width * HASH_BYTES:
        raise MalformedError(
            f"{format_tile_path(tile)}: expected {tile.width} hashes of {HASH_BYTES} bytes, found {len(data)} bytes"
        )
    return hashes_of(data)
