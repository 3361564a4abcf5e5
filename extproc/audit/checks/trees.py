"""Trees put together from parts, and trees of earlier sizes from the published tiles."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Self

from extproc.archive import Archive
from extproc.audit.checks.tiles import TileCheck
from extproc.ledger.log import LOG
from extproc.ledger.merkle import HASH_BYTES, Frontier
from extproc.ledger.proofs import TileTree
from extproc.ledger.tiles import TILE_WIDTH, Tile

_PAIR: Final = 2 * HASH_BYTES
_PART_LEVEL: Final = 2
"""The roots of parts are the hashes of this level."""


class Tree(Frontier):
    """A frontier that can be begun anywhere."""

    __slots__ = ()

    @classmethod
    def of(cls, size: int, peaks: Sequence[bytes]) -> Self:
        """Give the tree of `size` leaves whose perfect subtrees have these roots, largest first."""
        tree = cls()
        tree.size = size
        tree._peaks[:] = peaks
        return tree

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees that the tree is made of, largest first."""
        return tuple(self._peaks)


def open_tiles(archive: Archive, log: str, size: int) -> TileTree:
    """Give the tree of a published log of `size` entries, read from its tiles as they are needed."""
    folder = f"{log}/{LOG}".lstrip("/")
    return TileTree(lambda name: archive.read(f"{folder}/{name}"), size)


def tree_at(tiles: TileTree, size: int) -> Tree:
    """Give the tree of the first `size` entries. Raises FileNotFoundError and MalformedError where tiles lack."""
    peaks = []
    start = 0
    for height in range(size.bit_length() - 1, -1, -1):
        if size >> height & 1:
            peaks.append(tiles.subtree(start, start + (1 << height)))
            start += 1 << height
    return Tree.of(size, peaks)


def root_of_parts(parts: Sequence[Sequence[bytes]]) -> bytes:
    """Give the root over whole parts, of which each is its root, and a last part, which is its peaks."""
    tree = Tree()
    for peaks in parts[:-1]:
        tree.append(peaks[0])
    last = parts[-1] if parts else ()
    return Tree.of(tree.size, (*tree.peaks, *last)).root()


def check_levels(tiles: TileCheck, roots: Sequence[bytes]) -> None:
    """Hold the tiles that are made of the roots of whole parts against those."""
    level, hashes = _PART_LEVEL, b"".join(roots)
    while hashes:
        above: list[bytes] = []
        for start in range(0, len(hashes), TILE_WIDTH * HASH_BYTES):
            data = hashes[start : start + TILE_WIDTH * HASH_BYTES]
            width = len(data) // HASH_BYTES
            tiles.compare(Tile(level=level, index=start // (TILE_WIDTH * HASH_BYTES), width=width), data)
            if width == TILE_WIDTH:
                above.append(tile_root(data))
        level, hashes = level + 1, b"".join(above)


def tile_root(hashes: bytes) -> bytes:
    """Give the root over a full tile's hashes."""
    nodes = hashes
    while len(nodes) > HASH_BYTES:
        nodes = b"".join([sha256(b"\x01" + nodes[at : at + _PAIR]).digest() for at in range(0, len(nodes), _PAIR)])
    return nodes
