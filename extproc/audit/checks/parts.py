"""One part of a published log: its entry bundles and hash tiles held against each other, and its entries read.

Each entry is hashed once. The 256 hashes of a bundle make a tile of level 0, byte for byte, and the root of that tile
is one hash of the part's tile of level 1. Tiles above are made of whole parts: those are for :mod:`.trees`.
"""

from collections import defaultdict

from extproc.audit.checks.jobs import PartJob, PartResult
from extproc.audit.checks.reading import PartReader
from extproc.audit.checks.tiles import TileCheck
from extproc.audit.checks.trees import Tree, tile_root
from extproc.audit.findings import Category, Findings
from extproc.ledger.merkle import leaf_hashes
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, hashes_of
from extproc.notes.errors import MalformedError


def check_part(job: PartJob) -> PartResult:
    """Check one part. Raises ArchiveError when the archive cannot be read at all."""
    return _Part(job).check()


class _Part:
    def __init__(self, job: PartJob) -> None:
        self._job = job
        self._findings = Findings(job.log or ".")
        self._reader = (
            PartReader(job.archive, job.log, first=job.start, before=job.before, buckets=job.buckets)
            if job.meaning
            else None
        )
        partial: dict[Tile, list[Tile]] = defaultdict(list)
        for tile in job.partial:
            partial[tile.full].append(tile)
        self._tiles = TileCheck(job.archive, job.log, self._findings, partial)
        self._missing: list[int] = []
        self._hashed = 0

    def check(self) -> PartResult:
        job = self._job
        roots: list[bytes] | None = []
        leaves = b""
        for start in range(job.start, job.end, TILE_WIDTH):
            width = min(TILE_WIDTH, job.end - start)
            hashes = self._check_tile(start, width)
            if hashes is None:
                roots = None
            elif roots is not None:
                if width == TILE_WIDTH:
                    roots.append(tile_root(hashes))
                else:
                    leaves = hashes
        peaks = None
        if roots is not None:
            if roots:
                above = Tile(level=1, index=job.start // TILE_WIDTH**2, width=len(roots))
                self._tiles.compare(above, b"".join(roots))
            # Full tiles are the leaves of a tree of their own, and what is left of the last one lies below it.
            high, low = Tree(), Tree()
            high.extend(roots)
            low.extend(hashes_of(leaves))
            peaks = (*high.peaks, *low.peaks)
        return PartResult(
            findings=tuple(self._findings.all()),
            tiles=self._tiles.compared,
            hashed=self._hashed,
            peaks=peaks,
            missing=tuple(self._missing),
            meaning=None if self._reader is None else self._reader.meaning(),
        )

    def _check_tile(self, start: int, width: int) -> bytes | None:
        """Check the bundle and the tile of level 0 that begin with entry `start`, and give their leaf hashes."""
        bundle = Tile(level=None, index=start // TILE_WIDTH, width=width)
        tile = Tile(level=0, index=bundle.index, width=width)
        data, entries = self._read_bundle(bundle)
        if entries is None:
            if self._reader is not None:
                self._reader.skip()
            # The hashes stand in: they prove all else, and the entries themselves may have been pruned.
            return self._tiles.read(tile)
        hashes = b"".join(leaf_hashes(entries))
        self._hashed += width
        self._tiles.compare(bundle, data)
        self._tiles.compare(tile, hashes)
        if self._reader is not None:
            self._reader.take(start, entries)
        return hashes

    def _read_bundle(self, bundle: Tile) -> tuple[bytes, list[bytes] | None]:
        first = bundle.index * TILE_WIDTH
        path = self._tiles.path(bundle)
        try:
            data = self._tiles.fetch(bundle)
            return data, decode_entries(data, bundle.width)
        except FileNotFoundError:
            self._missing.append(bundle.index)
        except MalformedError as error:
            message = f"entries {first} to {first + bundle.width - 1}: {error}"
            self._findings.add(Category.INTEGRITY, message, file=path, entry=first)
        return b"", None
