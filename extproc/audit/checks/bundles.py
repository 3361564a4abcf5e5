"""The published entries of a log from some index on, as their bytes and as their hashes."""

from extproc.archive import Archive
from extproc.ledger.log import LOG
from extproc.ledger.merkle import HASH_BYTES
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path, hashes_of, split_entries
from extproc.notes.errors import MalformedError


class Bundles:
    """Reads the bundles and the tiles of level 0 of a log of `size` entries, each once when read in order."""

    def __init__(self, archive: Archive, log: str, size: int) -> None:
        self._archive = archive
        self._folder = f"{log}/{LOG}".lstrip("/")
        self._size = size
        self._index = -1
        self._data: bytes | None = None
        self._borders: list[int] = []
        self._leaves: list[bytes] | None = None

    def take(self, start: int, end: int) -> tuple[bytes, list[bytes]] | None:
        """Give the entries [start, end) as a bundle holds them, and their hashes; None where files of them lack."""
        data: list[bytes] = []
        leaves: list[bytes] = []
        while start < end:
            self._load(start // TILE_WIDTH)
            if self._data is None or self._leaves is None:
                return None
            first = self._index * TILE_WIDTH
            stop = min(end - first, TILE_WIDTH)
            data.append(self._data[self._borders[start - first] : self._borders[stop]])
            leaves += self._leaves[start - first : stop]
            start = first + stop
        return b"".join(data), leaves

    def leaf(self, index: int) -> bytes | None:
        """Give the hash of one entry; None where it is not published or its tile lacks."""
        if index >= self._size:
            return None
        self._load(index // TILE_WIDTH)
        return None if self._leaves is None else self._leaves[index % TILE_WIDTH]

    def _load(self, index: int) -> None:
        if index == self._index:
            return
        self._index = index
        width = min(TILE_WIDTH, self._size - index * TILE_WIDTH)
        tile = Tile(level=0, index=index, width=width)
        data = self._read(Tile(level=None, index=index, width=width))
        hashes = self._read(tile)
        self._leaves = hashes_of(hashes) if hashes is not None and len(hashes) == width * HASH_BYTES else None
        self._data = None
        if data is not None:
            try:
                lengths = [len(each) for each in split_entries(data, width)]
            except MalformedError:
                return
            self._data, self._borders = data, [0]
            for length in lengths:
                self._borders.append(self._borders[-1] + length)

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self._archive.read(f"{self._folder}/{format_tile_path(tile)}")
        except FileNotFoundError:
            return None
