"""What is asked of the operating system about files, each thing in one place. Every failure is an OSError."""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

_PIECE: Final = bytes(1 << 20)
"""Zeros are written and flushed a mebibyte at a time, so that flushes of something else come in between."""


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`, however little the kernel takes at a time."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        if not written:
            raise OSError(errno.EIO, "a write took nothing")
        offset += written
        view = view[written:]


def allocate(descriptor: int, start: int, end: int) -> None:
    """Fill a file with zeros from `start` to `end`, durably.

    The space is reserved first, so a full disk says so before anything is written. Reserved alone is not enough: the
    first flush of each page would still have to change the file system's books (a third more time on ext4).
    """
    os.posix_fallocate(descriptor, start, end - start)
    zeros = memoryview(_PIECE)
    for at in range(start, end, len(_PIECE)):
        write_all(descriptor, zeros[: end - at], at)
        os.fdatasync(descriptor)
    os.fsync(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Flush the file system that holds `path`: one call, however many files were written."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(descriptor):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(path))
    finally:
        os.close(descriptor)
