"""Which logs an archive holds, and which files each of them has, by one listing and in little memory."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from extproc.archive import Archive
from extproc.ledger.log import LOG, LOG_VKEY, WAL
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path, parse_tile_path
from extproc.ledger.wal import format_segment_name
from extproc.notes.errors import MalformedError

_MARK: Final = re.compile(
    rf"(?P<log>(?:[^/]+/)*?)(?:{LOG}/(?:{CHECKPOINT}$|tile/)|{WAL}/[0-9]{{16}}\.wal$|{re.escape(LOG_VKEY)}$)"
)
"""What makes a folder that of a log. A folder that is itself called `log` and holds logs is none."""
_WITHIN: Final = re.compile(rf"(?:^|/)({LOG}|{WAL})/")
_HEIGHT: Final = 8
"""Levels of the tree in one tile."""
_MOST_MISSING: Final = 256
"""So many tiles may be missing for each that is there; all their names are told."""
_SEGMENT: Final = re.compile(r"(?P<first>[0-9]{16})\.wal", re.ASCII)


@dataclass(slots=True)
class Runs:
    """Numbers that come mostly one after the other, as the runs that they form."""

    runs: list[range] = field(default_factory=list)

    def add(self, number: int) -> None:
        """Take up a number."""
        if self.runs and self.runs[-1].stop == number:
            self.runs[-1] = range(self.runs[-1].start, number + 1)
        else:
            self.runs.append(range(number, number + 1))


@dataclass(slots=True, kw_only=True)
class LogFiles:
    """The files of one log. `name` is its folder in the archive, empty for the archive itself."""

    name: str
    full: dict[int | None, Runs] = field(default_factory=dict)
    """Full tiles, by level."""
    partial: dict[Tile, list[Tile]] = field(default_factory=dict)
    """Partial tiles, by the full tile that each will be."""
    strays: list[str] = field(default_factory=list)
    """Files in `log/` or `wal/` that are no part of a log."""
    segments: list[int] = field(default_factory=list)
    """First entries of the segments of the write-ahead log, by their names, in order."""
    has_wal: bool = False
    has_checkpoint: bool = False

    def path(self, *parts: str) -> str:
        """Give the name in the archive of something in or beside the log."""
        return posixpath.join(self.name, *parts)

    def segment_path(self, first: int) -> str:
        """Give the name of a segment."""
        return self.path(WAL, format_segment_name(first))

    @property
    def shown(self) -> str:
        """What the log is called in findings."""
        return self.name or "."

    def tile_path(self, tile: Tile) -> str:
        """Give the name of a tile."""
        return self.path(LOG, format_tile_path(tile))

    def end(self) -> int:
        """Give where the entries end of which bundles or hashes are there, at most.

        Where far more is missing before that than is there, somebody has made up a tile far out, and a checkpoint to
        go with it, so that whoever looks for what is missing never ends: then it is where the first of them ends.
        """
        runs = [run for level, each in self.full.items() if level in (None, 0) for run in each.runs]
        last = max((run.stop for run in runs), default=0)
        if last > _MOST_MISSING * (1 + sum(map(len, runs))):
            return max((run.stop for run in runs if run.start == 0), default=0) * TILE_WIDTH
        full = [run.stop for run in runs]
        partial = [
            tile.index * TILE_WIDTH + tile.width
            for tiles in self.partial.values()
            for tile in tiles
            if tile.level in (None, 0)
        ]
        return max(*(last * TILE_WIDTH for last in full), *partial, 0, 0)

    def ahead(self, size: int) -> Iterator[Tile]:
        """Give the tiles that a log of `size` entries does not have."""
        for level, runs in self.full.items():
            most = size >> _HEIGHT * ((level or 0) + 1)
            for run in runs.runs:
                yield from (Tile(level=level, index=index) for index in run[max(0, most - run.start) :])
        for tiles in self.partial.values():
            for tile in tiles:
                if (tile.index * TILE_WIDTH + tile.width) << _HEIGHT * (tile.level or 0) > size:
                    yield tile

    def take(self, what: str, rest: str, name: str) -> None:
        """Take up the file `name`, which is `rest` in the folder `what` of the log."""
        if what == WAL:
            self.has_wal = True
            match = _SEGMENT.fullmatch(rest)
            if match is None:
                self.strays.append(name)
            else:
                self.segments.append(int(match["first"]))
        elif rest == CHECKPOINT:
            self.has_checkpoint = True
        else:
            try:
                tile = parse_tile_path(rest)
            except (MalformedError, ValueError):  # the latter for a number of thousands of digits
                self.strays.append(name)
                return
            if tile == tile.full:
                self.full.setdefault(tile.level, Runs()).add(tile.index)
            else:
                self.partial.setdefault(tile.full, []).append(tile)


def find_logs(archive: Archive) -> Sequence[LogFiles]:
    """Give every log at or below the archive's root, by their names. Raises ArchiveError."""
    names = list(archive.names())
    folders = {match["log"].rstrip("/") for match in map(_MARK.match, names) if match is not None}
    logs = {folder: LogFiles(name=folder) for folder in sorted(folders)}
    for name in names:
        for match in _WITHIN.finditer(name):
            files = logs.get(name[: match.start()])
            if files is not None:
                files.take(match[1], name[match.end() :], name)
                break
    for files in logs.values():
        files.segments.sort()
    return list(logs.values())
