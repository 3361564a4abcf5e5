"""Zip files that are the same bytes whenever they hold the same files.

Owns order, times and modes. SPEC: PKWARE APPNOTE 6.3.10; the earliest date that it knows is 1980-01-01.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

SUMS: Final = "SHA256SUMS"
"""The list of all files before it, which `sha256sum -c` reads."""
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3
_LEVEL: Final = 6


class Container:
    """Writes a zip file beside its place, and moves it there when it is whole."""

    def __init__(self, path: Path) -> None:
        """Begin. Raises OSError."""
        self._path = path
        self._scratch = path.with_name(f".{path.name}.part")
        self._zip = ZipFile(self._scratch, "w", ZIP_DEFLATED, compresslevel=_LEVEL)
        self._sums: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()
        if kind is None:
            self._scratch.replace(self._path)
        else:
            self._scratch.unlink(missing_ok=True)

    def add(self, name: str, data: bytes) -> None:
        """Add a file."""
        self._zip.writestr(_info(name), data)
        self._sums.append(f"{sha256(data).hexdigest()}  {name}\n")

    def add_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Add a file that is made piece by piece."""
        digest = sha256()
        with self._zip.open(_info(name), "w", force_zip64=True) as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        self._sums.append(f"{digest.hexdigest()}  {name}\n")

    def add_sums(self) -> str:
        """Add the list of all files so far, and give its SHA-256 in hex."""
        data = "".join(self._sums).encode()
        self._zip.writestr(_info(SUMS), data)
        return sha256(data).hexdigest()

    def add_unlisted(self, name: str, data: bytes) -> None:
        """Add a file that says something about the list, and so cannot be in it."""
        self._zip.writestr(_info(name), data)


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, _EARLIEST)
    info.compress_type = ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = _MODE
    return info
