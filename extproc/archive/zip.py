"""Evidence in a zip file, as `situs audit export` hands it over.

Nothing is unpacked onto the disk. A zip file comes from somebody else, so it is judged before anything in it is read:
names that would leave a folder, names that come twice, encrypted files, links, and files that would unpack to far more
than evidence ever does are refused.
"""

import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from extproc.archive.archive import LARGEST_FILE, ArchiveError

MOST_TIMES: Final = 250
"""How often the size of the zip file all its files together may have. The hashes of a log cannot be compressed, so
real evidence stays near twenty times."""
_FREE_BYTES: Final = 64 << 20
"""So much in all is no harm, whatever the zip file's size."""
_ENCRYPTED: Final = 0x1
_UNICODE_PATH: Final = b"\x75\x70"
_ASK_AGAIN: Final = "ask for it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipArchive:
    """The files in the zip file at `path`. It is opened once in each process."""

    path: Path

    @property
    def location(self) -> str:
        """The zip file."""
        return str(self.path)

    def names(self, below: str = "") -> Iterator[str]:
        """List what is there, sorted; see :class:`extproc.archive.archive.Archive`."""
        prefix = f"{below.rstrip('/')}/" if below else ""
        return iter(sorted(name for name in self._opened().files if name.startswith(prefix)))

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return name in self._opened().files

    def size(self, name: str) -> int:
        """Give the length of a file."""
        return self._find(name).file_size

    def read(self, name: str) -> bytes:
        """Give the whole of a file."""
        info = self._find(name)
        try:
            # Gives no more than the size that was judged, and checks the CRC-32 over it.
            return self._opened().file.read(info)
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise ArchiveError(f"{self.path}: {name} cannot be read: {error}. Mend: {_ASK_AGAIN}") from None

    def _find(self, name: str) -> ZipInfo:
        try:
            return self._opened().files[name]
        except KeyError:
            raise FileNotFoundError(f"{self.path}: {name}") from None

    def _opened(self) -> "_Opened":
        try:
            found = self.path.stat()
        except OSError as error:
            raise ArchiveError(f"{self.path}: cannot be opened: {error.strerror}. Mend: check the path") from None
        # Another file of the same name is another archive.
        return _open(str(self.path), found.st_ino, found.st_mtime_ns, found.st_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    file: ZipFile
    files: dict[str, ZipInfo]


@lru_cache(maxsize=4)
def _open(path: str, _inode: int, _changed: int, size: int) -> _Opened:
    """Open a zip file and judge what it lists. Raises ArchiveError."""
    try:
        file = ZipFile(path)
    except (BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise ArchiveError(f"{path}: no zip file that can be read: {error}. Mend: {_ASK_AGAIN}") from None
    try:
        return _Opened(file=file, files=_judge(path, file.infolist(), size))
    except ArchiveError:
        file.close()
        raise


def _judge(path: str, infos: list[ZipInfo], size: int) -> dict[str, ZipInfo]:
    """Give the files by their names. Raises ArchiveError for a zip file that no honest program has made."""
    files: dict[str, ZipInfo] = {}
    seen: set[str] = set()
    for info in infos:
        # orig_filename: the name as it is written there, before zipfile mends it.
        name = info.orig_filename
        reason = _refuse(info)
        if name in seen:
            reason = "comes twice"
        if reason:
            raise ArchiveError(f"{path}: {name!r} {reason}: not read. Mend: {_ASK_AGAIN}")
        seen.add(name)
        if not (info.is_dir() or any(part.startswith(".") for part in name.split("/"))):
            files[name] = info
    total = sum(info.file_size for info in infos)
    if total > max(_FREE_BYTES, MOST_TIMES * size):
        raise ArchiveError(
            f"{path}: would unpack to {total} bytes, more than {MOST_TIMES} times its size: not read. "
            f"Mend: {_ASK_AGAIN}, or unpack it yourself and name the folder"
        )
    return files


def _refuse(info: ZipInfo) -> str:
    """Say why a file is not taken; nothing where it is."""
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or "\\" in name or "\0" in name or {"", ".", ".."} & set(parts) or ":" in parts[0]:
        return "is no name below a folder"
    if _has_other_name(info.extra):
        return "has a second name, by which others would unpack it,"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.file_size > LARGEST_FILE:
        return f"would unpack to {info.file_size} bytes, more than {LARGEST_FILE}"
    return ""


def _has_other_name(extra: bytes) -> bool:
    """Tell whether there is a field with another name. SPEC: APPNOTE 4.5.1, 4.6.9: id, length, data."""
    at = 0
    while at + 4 <= len(extra):
        if extra[at : at + 2] == _UNICODE_PATH:
            return True
        at += 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
    return False


def is_zip(place: str | os.PathLike[str]) -> bool:
    """Tell whether a file begins as a zip file does."""
    with Path(place).open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
