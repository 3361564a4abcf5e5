"""Tiles: the tree cut into files of 256 hashes, and entry bundles of 256 entries.

Owns the paths, the encodings and the building of tiles from leaves as they come. Touches no file.

SPEC: https://c2sp.org/tlog-tiles
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from extproc.ledger.errors import EntryTooLargeError
from extproc.ledger.merkle import HASH_BYTES, node_hash
from extproc.notes.errors import MalformedError

TILE_WIDTH: Final = 256
LARGEST_ENTRY: Final = 65_535
LENGTH_BYTES: Final = 2
"""Before each entry of a bundle stands its length."""
_HIGHEST_LEVEL: Final = 7
"""2**64 leaves would fill level 7, so none is above."""

_PATH: Final = re.compile(
    r"tile/(?P<level>entries|[0-9]+)/(?P<groups>(?:x[0-9]{3}/)*)(?P<last>[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Coordinates of a tile: `level` is None for an entry bundle, `width` below 256 for a partial one."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def full(self) -> "Tile":
        """The tile that this one is or will become."""
        return Tile(level=self.level, index=self.index)


def format_tile_path(tile: Tile) -> str:
    """Write the path of a tile: `tile/0/x001/234.p/56`."""
    level = "entries" if tile.level is None else tile.level
    groups = [f"{tile.index % 1000:03}"]
    rest = tile.index // 1000
    while rest:
        groups.append(f"x{rest % 1000:03}")
        rest //= 1000
    partial = "" if tile.width == TILE_WIDTH else f".p/{tile.width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def parse_tile_path(path: str) -> Tile:
    """Read the path of a tile. Raises MalformedError for anything that :func:`format_tile_path` would not write."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise MalformedError(f"{path}: not the path of a tile")
    tile = Tile(
        level=None if match["level"] == "entries" else int(match["level"]),
        index=int(match["groups"].replace("x", "").replace("/", "") + match["last"]),
        width=TILE_WIDTH if match["width"] is None else int(match["width"]),
    )
    if format_tile_path(tile) != path or tile.width > TILE_WIDTH or (tile.level or 0) > _HIGHEST_LEVEL:
        raise MalformedError(f"{path}: not the path of a tile")
    return tile


def encode_entry(entry: bytes) -> bytes:
    """Write one entry as it stands in a bundle: its length in two bytes, then itself. Raises EntryTooLargeError."""
    return encode_entries((entry,))[0]


def encode_entries(entries: Sequence[bytes]) -> list[bytes]:
    """Write each entry as it stands in a bundle. Raises EntryTooLargeError."""
    if entries and len(longest := max(entries, key=len)) > LARGEST_ENTRY:
        raise EntryTooLargeError(f"an entry holds at most {LARGEST_ENTRY} bytes, this one has {len(longest)}")
    return [len(entry).to_bytes(LENGTH_BYTES) + entry for entry in entries]


def decode_entries(data: bytes, count: int) -> list[bytes]:
    """Read exactly `count` entries. Raises MalformedError, naming the entry by its place in `data`."""
    borders = _borders(data, count)
    return [data[start + LENGTH_BYTES : end] for start, end in pairwise(borders)]


def split_entries(data: bytes, count: int) -> list[bytes]:
    """Read exactly `count` entries as they stand, each with its length before it. Raises MalformedError."""
    return [data[start:end] for start, end in pairwise(_borders(data, count))]


def _borders(data: bytes, count: int) -> list[int]:
    """Give where each of exactly `count` entries begins, and where the last one ends."""
    borders = [0]
    at, size = 0, len(data)
    for i in range(count):
        start = at + LENGTH_BYTES
        at = size + 1 if start > size else start + (data[at] << 8 | data[at + 1])
        if at > size:
            raise MalformedError(f"entry {i} of {count}: the bundle ends inside it")
        borders.append(at)
    if at != size:
        raise MalformedError(f"after entry {count - 1} of {count}: {size - at} bytes too many")
    return borders


class TileBuilder:
    """Builds the tiles of a growing tree, in the order in which they fill.

    Memory is bounded by one partial tile per level.
    """

    def __init__(self) -> None:
        self.size = 0
        self._bundle = bytearray()
        self._levels: list[bytearray] = [bytearray()]

    def append(
        self, encoded: Sequence[bytes], leaves: Sequence[bytes], roots: Sequence[bytes] | None = None
    ) -> Iterator[tuple[Tile, bytes]]:
        """Add entries as bundles hold them, and their leaf hashes; give each tile that became full, with its bytes.

        `roots` are those of the tiles of leaf hashes that become full, where :meth:`Frontier.extend` has given them, so
        that they need not be computed twice.
        """
        known = iter(roots or ())
        start = 0
        while start < len(leaves):
            end = min(len(leaves), start + TILE_WIDTH - self.size % TILE_WIDTH)
            self._bundle += b"".join(encoded[start:end])
            self._levels[0] += b"".join(leaves[start:end])
            self.size += end - start
            start = end
            if self.size % TILE_WIDTH == 0:
                yield Tile(level=None, index=self.size // TILE_WIDTH - 1), bytes(self._bundle)
                self._bundle.clear()
                yield from self._fill(next(known, None))

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """Give the tiles of the right edge that are not full, with their bytes."""
        if self._bundle:
            width = self.size % TILE_WIDTH
            yield Tile(level=None, index=self.size // TILE_WIDTH, width=width), bytes(self._bundle)
        below = self.size
        for level, hashes in enumerate(self._levels):
            if hashes:
                index, width = divmod(below, TILE_WIDTH)
                yield Tile(level=level, index=index, width=width), bytes(hashes)
            below //= TILE_WIDTH

    def _fill(self, root: bytes | None) -> Iterator[tuple[Tile, bytes]]:
        """Give the hash tiles that the last leaf filled, lowest first, and carry their roots up, the first if known."""
        count, level = self.size, 0
        while count % TILE_WIDTH == 0:
            count //= TILE_WIDTH
            hashes = bytes(self._levels[level])
            yield Tile(level=level, index=count - 1), hashes
            self._levels[level].clear()
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level + 1] += root or tile_root(hashes)
            root = None
            level += 1


def tile_root(hashes: bytes) -> bytes:
    """Give the root over a full tile's hashes: one hash of the level above."""
    nodes = hashes_of(hashes)
    while len(nodes) > 1:
        nodes = [node_hash(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
    return nodes[0]


def hashes_of(data: bytes) -> list[bytes]:
    """Cut a hash tile into its hashes."""
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def tiles_of(size: int) -> Iterable[Tile]:
    """List every tile that a tree of `size` leaves has, bundles first, then level by level."""
    for level in (None, *range(_HIGHEST_LEVEL + 1)):
        count = size >> 8 * (level or 0)
        full, width = divmod(count, TILE_WIDTH)
        for index in range(full):
            yield Tile(level=level, index=index)
        if width:
            yield Tile(level=level, index=full, width=width)
