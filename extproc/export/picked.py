"""Logs as they go into an export: exactly the files that their checkpoints cover, and what lies beside them.

Owns the choice of files. A log may grow while it is read; what is picked is the state of one checkpoint, whose partial
tiles are cut from fuller ones where those have taken their place.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from extproc.archive import Archive
from extproc.audit.published import PublishedLog, cut_bundle
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.errors import LedgerError
from extproc.ledger.incarnation import SIGNER_VKEY
from extproc.ledger.log import DELEGATIONS, LOG, LOG_VKEY, POLICIES, QUARANTINED, WITNESSED
from extproc.ledger.merkle import HASH_BYTES
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path, tiles_of
from extproc.notes.errors import MalformedError
from extproc.notes.note import parse_note

TIMESTAMPS: Final = "timestamps"
TRUST: Final = "trust"
"""Folder of keys that the exporter claims to be the right ones."""
_FILES: Final = (LOG_VKEY, DELEGATIONS, QUARANTINED)
_FOLDERS: Final = (POLICIES, TIMESTAMPS)


class MissingTileError(LedgerError):
    """A hash tile that a checkpoint covers is not there: the log cannot be exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where a file comes from: another of the archive, of which the first `width` of a tile are taken, or bytes."""

    name: str = ""
    tile: Tile | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedArchive:
    """An archive that holds nothing but what was picked; see :class:`extproc.archive.Archive`."""

    archive: Archive
    files: Mapping[str, _Source]
    pruned: int
    """Entry bundles that are not there any more."""

    @property
    def location(self) -> str:
        """The archive that it was picked from."""
        return self.archive.location

    def names(self, below: str = "") -> Iterator[str]:
        """List what was picked, sorted."""
        prefix = f"{below.rstrip('/')}/" if below else ""
        return iter(sorted(name for name in self.files if name.startswith(prefix)))

    def exists(self, name: str) -> bool:
        """Tell whether a file was picked."""
        return name in self.files

    def size(self, name: str) -> int:
        """Give the length of a file in bytes."""
        return len(self.read(name))

    def read(self, name: str) -> bytes:
        """Give the whole of a file."""
        source = self.files.get(name)
        if source is None:
            raise FileNotFoundError(name)
        if source.data is not None:
            return source.data
        try:
            data = self.archive.read(source.name)
        except FileNotFoundError:
            if source.tile is None or source.tile == source.tile.full:
                raise
            whole = source.name.rpartition(".p/")[0]
            data = self.archive.read(whole)
        return _cut(data, source.tile)


def pick_logs(archive: Archive, logs: Sequence[PublishedLog]) -> PickedArchive:
    """Pick whole logs. Raises MissingTileError, MalformedError and ArchiveError."""
    files: dict[str, _Source] = {}
    pruned = 0
    for log in logs:
        files[log.path(LOG, CHECKPOINT)] = _Source(data=log.note)
        for tile in tiles_of(log.size):
            path = log.path(LOG, format_tile_path(tile))
            if not archive.exists(path) and not archive.exists(log.path(LOG, format_tile_path(tile.full))):
                if tile.level is not None:
                    raise MissingTileError(f"{path}: is missing. Mend: run `situs audit verify`")
                pruned += 1
                continue
            files[path] = _Source(name=path, tile=tile)
        for name in _beside(archive, log):
            files[name] = _Source(name=name)
    files |= {name: _Source(data=data) for name, data in claimed_keys(archive, logs).items()}
    return PickedArchive(archive=archive, files=files, pruned=pruned)


def _beside(archive: Archive, log: PublishedLog) -> Iterator[str]:
    """Name the files beside a log that belong to it, and the key of its worker."""
    for name in _FILES:
        if archive.exists(log.path(name)):
            yield log.path(name)
    for folder in _FOLDERS:
        yield from archive.names(log.path(folder))
    witnessed = log.path(WITNESSED)
    # One that is ahead of the checkpoint was written after that was read, and would only contradict it.
    if archive.exists(witnessed) and _size_of(archive.read(witnessed), witnessed) <= log.size:
        yield witnessed
    if log.name:
        signer = posixpath.join(posixpath.dirname(log.name), SIGNER_VKEY)
        if archive.exists(signer):
            yield signer


def claimed_keys(archive: Archive, logs: Sequence[PublishedLog]) -> dict[str, bytes]:
    """Put the keys together, under names that say what they are: claims, to be compared."""
    claims: dict[str, bytes] = {}
    for log in logs:
        for name in (posixpath.join(posixpath.dirname(log.name), SIGNER_VKEY), log.path(LOG_VKEY)):
            if archive.exists(name):
                data = archive.read(name)
                claims[f"{TRUST}/claimed-{sha256(data).hexdigest()[:12]}.vkey"] = data
                break
    return claims


def _size_of(note: bytes, name: str) -> int:
    try:
        return parse_checkpoint(parse_note(note).text).size
    except MalformedError as error:
        raise MalformedError(f"{name}: {error}") from None


def _cut(data: bytes, tile: Tile | None) -> bytes:
    """Give what a partial tile holds of a fuller one."""
    if tile is None or tile.width == TILE_WIDTH:
        return data
    return cut_bundle(data, tile.width) if tile.level is None else data[: tile.width * HASH_BYTES]
