"""Publishing: the log as tlog-tiles files, which anybody's program can read.

Owns the order in which files appear: a tile before the checkpoint that covers it, each file whole or not at all. What
is published must be durable in the write-ahead log already; from there all of it can be made again, so publishing
itself flushes only when a log ends.

SPEC: https://c2sp.org/tlog-tiles
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from extproc.ledger.disk import sync_file_system, write_all
from extproc.ledger.tiles import Tile, TileBuilder, format_tile_path

CHECKPOINT: Final = "checkpoint"


class Publisher:
    """Writes one log's tiles and checkpoints. Every failure is an OSError."""

    def __init__(self, log: Path, scratch: Path) -> None:
        """Publish below `log`; `scratch` is a file on the same file system, where each file is written first."""
        self._log = log
        self._scratch = scratch
        self._tiles = TileBuilder()
        self._superseded: list[Path] = []

    def resume(self, tiles: TileBuilder) -> None:
        """Go on after entries whose full tiles are all there."""
        self._tiles = tiles

    def append(self, encoded: Sequence[bytes], leaves: Sequence[bytes], roots: Sequence[bytes]) -> None:
        """Take up durable entries, as for :meth:`TileBuilder.append`; full tiles are written at once."""
        for tile, data in self._tiles.append(encoded, leaves, roots):
            self._write(tile, data)
            self._superseded.append(self._log / f"{format_tile_path(tile)}.p")

    def write_partial(self) -> None:
        """Write the tiles of the right edge as far as they are."""
        for tile, data in self._tiles.partial():
            self._write(tile, data)

    def write_checkpoint(self, checkpoint: bytes) -> None:
        """Write the checkpoint of all that was taken up. The partial tiles must be there."""
        self._replace(self._log / CHECKPOINT, checkpoint)
        # SPEC: partial tiles may go once the full tile is there.
        for path in self._superseded:
            shutil.rmtree(path, ignore_errors=True)
        self._superseded.clear()

    def sync(self) -> None:
        """Make everything that was published durable."""
        sync_file_system(self._log)

    def _write(self, tile: Tile, data: bytes) -> None:
        self._replace(self._log / format_tile_path(tile), data)

    def _replace(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(descriptor, data, 0)
        finally:
            os.close(descriptor)
        self._scratch.replace(path)
