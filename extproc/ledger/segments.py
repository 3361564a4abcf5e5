"""Segments of the write-ahead log: appending frames, turning from one to the next, and the one made ahead of need.

Owns which file is written, and where. What a frame is stands in :mod:`extproc.ledger.wal`.

A commit must not wait until the disk has found room for the next segment. So that one is made in the background, as
`.next` in the folder of the log, from when the one before is half full; at the turn it only gets its name. A log that
ends removes one it did not need, and so does the recovery of a log that just stopped: it holds nothing but zeros.
"""

import contextlib
import os
from pathlib import Path
from threading import Thread
from typing import Final

from extproc.ledger.disk import allocate, sync_directory, write_all
from extproc.ledger.wal import SEGMENT_BYTES, format_segment_name

AHEAD: Final = ".next"
"""The segment that is not yet one, in the folder of the log, so that `wal/` holds segments alone."""
_FIRST_BYTES: Final = 4 << 20
"""Most room that a log begins or goes on with, because the making of that is waited for."""
_GROWTH: Final = 4
"""How much larger than the one before a segment may be: a log that is short stays small, and no making takes longer
than the writing of half a segment at the highest speed."""


class SegmentAhead:
    """A segment in the making. Begin it, then take it or drop it."""

    def __init__(self, path: Path) -> None:
        self.capacity = 0
        """Its size, once it has begun."""
        self._path = path
        self._thread: Thread | None = None
        self._descriptor = -1

    def begin(self, capacity: int) -> None:
        """Make the segment in the background, unless that has begun."""
        if self._thread is None:
            self.capacity = capacity
            self._thread = Thread(target=self._make, name="ledger-segment", daemon=True)
            self._thread.start()

    def take(self, path: Path) -> int | None:
        """Name the segment and give its descriptor, once it is made; None when there is none."""
        self._join()
        if self._descriptor < 0:
            return None
        self._path.rename(path)
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def drop(self) -> None:
        """Remove the segment, if there is one."""
        self._join()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._path.unlink(missing_ok=True)

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _make(self) -> None:
        # Nobody's entry is in it yet, so a failure here is none: the turn tries for itself, and that one counts.
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                allocate(descriptor, 0, self.capacity)
            except OSError:
                os.close(descriptor)
                self._path.unlink(missing_ok=True)
                raise
            self._descriptor = descriptor


class SegmentWriter:
    """Appends frames to the last segment and begins new ones. Every failure is an OSError and is final."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.begun = 0
        """Number of segments begun."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._ahead = SegmentAhead(directory.parent / AHEAD)
        self._descriptor = -1
        self._offset = 0
        self._capacity = 0
        self._begin_ahead_at = 0

    def resume(self, segment: Path, offset: int, flushed: int) -> None:
        """Go on in an existing segment at `offset`; what follows there is cut, durably.

        What stands from `flushed` to `offset` is written once more. A page whose flush has failed counts as clean: it
        is read as if all were well, and no later flush would bring it to the disk.
        """
        with segment.open("rb") as file:
            file.seek(flushed)
            unsure = file.read(offset - flushed)
        descriptor = os.open(segment, os.O_WRONLY)
        write_all(descriptor, unsure, flushed)
        os.ftruncate(descriptor, offset)
        self._enter(descriptor, offset, offset)
        self._grow(offset + min(self._segment_bytes, _FIRST_BYTES))

    def write(self, first: int, frame: bytes) -> None:
        """Append the frame whose first entry is `first`; it is with the kernel then, not yet on the disk."""
        if self._descriptor < 0 or self._offset + len(frame) > self._capacity:
            self._turn(first, len(frame))
        write_all(self._descriptor, frame, self._offset)
        self._offset += len(frame)
        if self._offset > self._begin_ahead_at:
            self._ahead.begin(min(self._segment_bytes, _GROWTH * self._capacity))

    def sync(self) -> None:
        """Flush what was written to the disk; something must have been."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Cut the segment to its frames, durably, and let it go, and what was made ahead too."""
        self._finish()
        self.abandon()

    def abandon(self) -> None:
        """Let the segment go as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._ahead.drop()

    def _finish(self) -> None:
        """Cut the segment to its frames, durably: no frame may come after one that the disk does not have."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)
            os.ftruncate(self._descriptor, self._offset)
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _turn(self, first: int, needed: int) -> None:
        """Finish the segment and begin the next, with room for `needed` bytes at least."""
        self._finish()
        path = self._directory / format_segment_name(first)
        descriptor = self._ahead.take(path)
        if descriptor is not None:
            self._enter(descriptor, 0, self._ahead.capacity)
            self._grow(needed)
        else:
            self._enter(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), 0, 0)
            self._grow(max(self._segment_bytes, needed))
        sync_directory(self._directory)
        self.begun += 1

    def _enter(self, descriptor: int, offset: int, capacity: int) -> None:
        self._descriptor, self._offset, self._capacity = descriptor, offset, capacity
        self._begin_ahead_at = (offset + capacity) // 2

    def _grow(self, capacity: int) -> None:
        """Make room up to `capacity`, durably."""
        if capacity > self._capacity:
            allocate(self._descriptor, self._capacity, capacity)
            self._capacity = capacity
            self._begin_ahead_at = (self._offset + capacity) // 2
