"""The bytes of a database file, copied into memory that has no name.

Owns the copy and its hash. A mapped file that somebody truncates in place kills the process with SIGBUS at the next
lookup; the copy is sealed, so nobody can shorten or change it, and who has checked it has checked what will be read.
The copy counts as shared memory of the container, once per worker: allow for the size of the database.
"""

import fcntl
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

from extproc.geo.errors import FETCH_AGAIN, GeoDatabaseError

MAX_FILE_BYTES: Final = 2 * 1024**3
"""Larger files are refused: the copy is in memory. MaxMind's largest is well under 1 GiB; IPinfo Plus is larger."""

_CHUNK_BYTES: Final = 1024**2


def copy_into_memory(path: Path) -> tuple[int, str]:
    """Copy a regular file into a new, sealed memfd; return its descriptor, which the caller closes, and the sha256.

    Raises GeoDatabaseError.
    """
    try:
        # Not blocking, so that a named pipe in the place of the file is refused below and not waited for.
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise GeoDatabaseError(path, f"cannot be opened ({error})", "check path and permissions") from error
    try:
        before = os.fstat(source)
        if not stat.S_ISREG(before.st_mode):
            raise GeoDatabaseError(path, "is not a regular file", "name the .mmdb file itself")
        if before.st_size > MAX_FILE_BYTES:
            raise GeoDatabaseError(path, f"has {before.st_size} bytes", f"the limit is {MAX_FILE_BYTES}")
        copy = os.memfd_create("situs-geo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            copied, digest = _copy_bytes(source, copy)
        except BaseException:
            os.close(copy)
            raise
        after = os.fstat(source)
    except OSError as error:
        raise GeoDatabaseError(path, f"cannot be copied ({error})", "check memory limits and disk") from error
    finally:
        os.close(source)
    if (copied, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        os.close(copy)
        raise GeoDatabaseError(path, "changed while it was read", FETCH_AGAIN)
    if not copied:
        os.close(copy)
        raise GeoDatabaseError(path, "is empty", FETCH_AGAIN)
    return copy, digest


def _copy_bytes(source: int, copy: int) -> tuple[int, str]:
    digest = sha256()
    copied = 0
    while chunk := os.read(source, _CHUNK_BYTES):
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(copy, view) :]
        copied += len(chunk)
        if copied > MAX_FILE_BYTES:
            break  # it grows as it is read: the caller sees that it changed
    fcntl.fcntl(copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return copied, digest.hexdigest()
