"""Tiles made again when a log is recovered: a crash may have damaged those that were published.

Owns the holding apart of what is made from what is there. While it is not yet known whether the log is sound, nothing
of it may be written, because a corrupt one is evidence. So a tile that is missing or differs waits in a folder of its
own beside the log; the others, after the end of a process all of them, are only compared.
"""

import shutil
from pathlib import Path
from typing import Final

from extproc.ledger.tiles import Tile, format_tile_path

RESTORED: Final = ".restored"


class Restoration:
    """The tiles of one recovery. Take them as they come, then adopt or drop them. Every failure is an OSError."""

    def __init__(self, log: Path, folder: Path) -> None:
        """Restore `log` by way of `folder`, on the same file system; what an earlier recovery left there goes."""
        self._log = log
        self._folder = folder
        self._partial: set[Path] = set()
        self.drop()

    def take(self, tile: Tile, data: bytes) -> None:
        """Hold a tile as it must be against the file, and keep it where they differ.

        Of partial tiles only those that the published checkpoint needs: the others go, damaged or not.
        """
        name = format_tile_path(tile)
        if tile != tile.full:
            self._partial.add(self._log / name)
        try:
            if (self._log / name).read_bytes() == data:
                return
        except FileNotFoundError:
            pass
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def adopt(self) -> None:
        """Put what was kept in its place. Not durable yet.

        The published checkpoint is good at every moment of this, since the process may end in any.
        """
        for path in [each for each in self._folder.rglob("*") if each.is_file()]:
            place = self._log / path.relative_to(self._folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
        for path in set(self._log.rglob("*.p/*")) - self._partial:
            path.unlink()
        self.drop()

    def drop(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self._folder, ignore_errors=True)
