"""A file, or a file of a mounted ConfigMap.

A ConfigMap is swapped by a symbolic link above the file, so the path is followed once, and what was opened is read to
its end: one consistent file even if the link moves on. A file that somebody writes in place while it is read is read
again.
"""

import asyncio
import os
import stat
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Final

from extproc.bundle.errors import SourceError
from extproc.bundle.source import LARGEST, Fetched, NotModified

_TRIES: Final = 5
_BETWEEN_S: Final = 0.02


class FileSource:
    """A path. Its etag is the digest of the bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)

    async def fetch(self, etag: str | None) -> Fetched | NotModified:
        """Read the file in a thread. Raises SourceError."""
        return await asyncio.to_thread(self.read, etag)

    def read(self, etag: str | None = None) -> Fetched | NotModified:
        """Read the file. Raises SourceError."""
        data = self.read_whole()
        now = f"sha256:{sha256(data).hexdigest()}"
        return NotModified() if now == etag else Fetched(data=data, etag=now)

    def read_whole(self) -> bytes:
        """Give the bytes alone. Raises SourceError."""
        for left in reversed(range(_TRIES)):
            try:
                data = self._once()
            except FileNotFoundError:
                # The folder that the link pointed to may have been removed between its name and its file.
                if not left:
                    raise SourceError(self.name, "the file does not exist", "check the path") from None
            except OSError as error:
                mend = "check the path and who may read it"
                raise SourceError(self.name, f"the file cannot be read ({error.strerror})", mend) from None
            else:
                if data is not None:
                    return data
            sleep(_BETWEEN_S)
        raise SourceError(self.name, "the file is being written all the time", "replace it whole, by renaming")

    def _once(self) -> bytes | None:
        """Read what is there now; None where it changed meanwhile."""
        with open(self._path, "rb", opener=_at_once) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise SourceError(self.name, "not a regular file", "name the file itself")
            data = file.read(LARGEST + 1)
            after = os.fstat(file.fileno())
        if len(data) > LARGEST:
            raise SourceError(self.name, f"the file is larger than {LARGEST} bytes", "name the right file")
        return data if _seen(before) == _seen(after) and len(data) == after.st_size else None


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: nobody may ever write to a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _seen(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
