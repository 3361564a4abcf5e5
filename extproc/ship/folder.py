"""A folder as a store: another disk, or a share that is mounted.

A file gets its name only when it is whole and durable, so a reader never sees half of one. Nothing here keeps the
folder's owner from changing files later: for that, take a store with object lock.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from extproc.ship.destination import Stored
from extproc.ship.errors import DestinationRefusedError, ForeignObjectError, StoreAwayError, StoreChangedError

_INCOMING: Final = ".incoming"
"""Where files are written before they get their names; readers leave out what begins with a dot."""
_FORGOTTEN_S: Final = 86_400.0
"""Age at which a file there is what a killed shipper left behind."""


class FolderDestination:
    """The folder `root`, which must exist: a mount that is missing must not be filled in its place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.location = str(root)

    def check(self) -> None:
        """Look whether the folder is there and takes files."""
        if not self._root.is_dir():
            raise DestinationRefusedError(f"{self._root}: no folder is there. Mend: mount it, or make it")
        try:
            (self._root / _INCOMING).mkdir(exist_ok=True)
            for left in (self._root / _INCOMING).iterdir():
                if time.time() - left.stat().st_mtime > _FORGOTTEN_S:
                    left.unlink(missing_ok=True)
        except OSError as error:
            raise DestinationRefusedError(
                f"{self._root}: cannot be written ({error.strerror}). Mend: let this user write there"
            ) from None

    def read(self, name: str) -> Stored | None:
        """Give a file; see :class:`extproc.ship.destination.Destination`."""
        try:
            data = (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._away(name, error) from None
        return Stored(data=data, tag=_tag(data))

    def put_immutable(self, name: str, data: bytes) -> bool:
        """Write a file once."""
        path = self._root / name
        try:
            found = path.read_bytes() if path.exists() else None
            if found is None:
                with self._written(data) as scratch:
                    _make(path.parent)
                    found = _name_once(scratch, path)
        except OSError as error:
            raise self._away(name, error) from None
        if found is None:
            return True
        if found != data:
            raise ForeignObjectError(
                f"{path}: holds other bytes (SHA-256 {_tag(found)}, ours {_tag(data)}). "
                "Mend: find out who else writes there; nothing was overwritten"
            )
        return False

    def put_mutable(self, name: str, data: bytes, *, over: str | None) -> str:
        """Write a file over a known version of it."""
        path = self._root / name
        try:
            with self._locked(), self._written(data) as scratch:
                found = path.read_bytes() if path.exists() else None
                if (None if found is None else _tag(found)) != over:
                    raise StoreChangedError(f"{path}: was changed meanwhile")
                _make(path.parent)
                scratch.replace(path)
                _sync(path.parent)
        except OSError as error:
            raise self._away(name, error) from None
        return _tag(data)

    @contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        """Write a durable file that has no name yet, and remove what is left of it."""
        scratch = self._root / _INCOMING / secrets.token_hex(8)
        try:
            with scratch.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield scratch
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other shippers of this machine from changing a file between looking and writing."""
        descriptor = os.open(self._root / _INCOMING / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _away(self, name: str, error: OSError) -> StoreAwayError:
        return StoreAwayError(f"{self._root / name}: {error.strerror}. Mend: look at the disk or the mount")


def _name_once(scratch: Path, path: Path) -> bytes | None:
    """Give a written file its name, unless something bears it: then give what that holds."""
    try:
        os.link(scratch, path)
    except FileExistsError:
        return path.read_bytes()
    except OSError:
        # A share without hard links. Another shipper may come between looking and renaming, with the same bytes.
        if path.exists():
            return path.read_bytes()
        scratch.replace(path)
    _sync(path.parent)
    return None


def _make(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tag(data: bytes) -> str:
    return sha256(data).hexdigest()
