"""A log on this disk as it is published, read while its writer goes on publishing.

Owns which files are evidence, and the one race: a partial tile may vanish when the full one comes, whose beginning it
is. So the checkpoint is read first, and what it covers is then found in one tile or the other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.incarnation import SIGNER_VKEY
from extproc.ledger.log import DELEGATIONS, LOG, LOG_VKEY, POLICIES, QUARANTINED, WITNESSED
from extproc.ledger.merkle import HASH_BYTES
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path
from extproc.notes.errors import NoteError
from extproc.notes.note import parse_note
from extproc.ship.errors import LocalLogError, TileMissingError

_POLICY: Final = re.compile(r"[0-9a-f]{64}\.json", re.ASCII)
_ORIGIN_PARTS: Final = 6
_REGION_PART: Final = 2
_REPUBLISH: Final = "Mend: start the worker anew, which publishes its log again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A checkpoint as it was found: its bytes and what they say."""

    note: bytes
    checkpoint: Checkpoint

    @property
    def size(self) -> int:
        """Number of entries that it covers."""
        return self.checkpoint.size


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLog:
    """The log in `root/name`; `name` is its folder as the store will call it."""

    root: Path
    name: str

    @property
    def worker(self) -> str:
        """The folder above: the logs in it follow one another."""
        return self.name.rpartition("/")[0]

    @property
    def checkpoint_name(self) -> str:
        """The name of the checkpoint."""
        return f"{self.name}/{LOG}/{CHECKPOINT}"

    @property
    def witnessed_name(self) -> str:
        """The name of the latest checkpoint with enough cosignatures."""
        return f"{self.name}/{WITNESSED}"

    def tile_name(self, tile: Tile) -> str:
        """Give the name of a tile."""
        return f"{self.name}/{LOG}/{format_tile_path(tile)}"

    def published(self) -> Published:
        """Read the checkpoint. Raises LocalLogError."""
        note = self.read(self.checkpoint_name)
        if note is None:
            raise LocalLogError(
                f"{self.root / self.checkpoint_name}: not there. Mend: start the worker, which recovers"
            )
        return parse_published(note, str(self.root / self.checkpoint_name))

    def witnessed(self) -> Published | None:
        """Read the latest checkpoint with enough cosignatures. Raises LocalLogError."""
        note = self.read(self.witnessed_name)
        return None if note is None else parse_published(note, str(self.root / self.witnessed_name))

    def policies(self) -> Iterator[str]:
        """Give the names of the policies, whose contents never change."""
        folder = self.root / self.name / POLICIES
        if folder.is_dir():
            yield from (
                f"{self.name}/{POLICIES}/{path.name}"
                for path in sorted(folder.iterdir())
                if _POLICY.fullmatch(path.name)
            )

    def beside(self) -> tuple[str, ...]:
        """Give the names of what stands beside the log and may change, whether it is there or not."""
        above = f"{self.worker}/" if self.worker else ""
        return (*(f"{self.name}/{each}" for each in (LOG_VKEY, DELEGATIONS, QUARANTINED)), f"{above}{SIGNER_VKEY}")

    def looks(self) -> object:
        """Tell how the files look that may change: equal while nobody has replaced one."""
        names = (self.checkpoint_name, self.witnessed_name, *self.beside(), f"{self.name}/{POLICIES}")
        return tuple(_look(self.root / name) for name in names)

    def read(self, name: str) -> bytes | None:
        """Give a file's bytes; None where there is none. Raises LocalLogError."""
        path = self.root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalLogError(f"{path}: cannot be read ({error.strerror}). Mend: let this user read it") from None

    def tile(self, tile: Tile, size: int) -> bytes:
        """Read a tile of a tree that `size` entries or more have been published of.

        Raises TileMissingError where neither it nor one that begins with it is there, and LocalLogError.
        """
        level = tile.level or 0
        widest = min(TILE_WIDTH, (size >> 8 * level) - tile.index * TILE_WIDTH)
        for width in dict.fromkeys((tile.width, TILE_WIDTH, widest)):
            data = self.read(self.tile_name(Tile(level=tile.level, index=tile.index, width=width)))
            if data is not None:
                return self._beginning(tile, data, width)
        raise TileMissingError(
            f"{self.root / self.tile_name(tile)}: not there, and the checkpoint covers it. {_REPUBLISH}"
        )

    def is_missing(self, bundle: int) -> bool:
        """Tell whether a full bundle is on this disk no more. Raises LocalLogError."""
        return not (self.root / self.tile_name(Tile(level=None, index=bundle))).is_file()

    def _beginning(self, tile: Tile, data: bytes, width: int) -> bytes:
        """Cut a tile out of the one of `width` that was found."""
        if tile.level is not None:
            if len(data) != width * HASH_BYTES:
                where = self.root / self.tile_name(Tile(level=tile.level, index=tile.index, width=width))
                raise LocalLogError(f"{where}: expected {width} hashes, found {len(data)} bytes. {_REPUBLISH}")
            return data[: tile.width * HASH_BYTES]
        if width == tile.width:
            return data
        at = 0
        for _ in range(tile.width):
            at += 2 + int.from_bytes(data[at : at + 2])
        return data[:at]


def region_of(origin: str) -> str:
    """Give the region in which a log was written: the third part of its origin. Raises LocalLogError."""
    parts = origin.split("/")
    if len(parts) != _ORIGIN_PARTS or not all(parts):
        raise LocalLogError(
            f"{origin}: no region can be read from this origin. Mend: expected "
            "<org>/<env>/<region>/<node>/<worker>/<incarnation>"
        )
    return parts[_REGION_PART]


def parse_published(note: bytes, where: str) -> Published:
    """Read a checkpoint; its signatures are for whoever verifies. Raises LocalLogError."""
    try:
        return Published(note=note, checkpoint=parse_checkpoint(parse_note(note).text))
    except NoteError as error:
        raise LocalLogError(f"{where}: {error}. Mend: start the worker, which recovers") from None


def find_logs(root: Path) -> list[LocalLog]:
    """List the logs at or below a folder, each after the one that it follows. Raises LocalLogError."""
    try:
        return [LocalLog(root=root, name=name) for name in sorted(_find(root, ""))]
    except OSError as error:
        raise LocalLogError(f"{error.filename}: cannot be listed ({error.strerror}). Mend: check the path") from None


def _look(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _find(folder: Path, name: str) -> Iterator[str]:
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    if any(path.name == LOG for path in inside):
        if name:
            yield name
        return
    for path in inside:
        yield from _find(path, f"{name}/{path.name}" if name else path.name)
