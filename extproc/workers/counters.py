"""Requests in flight of all workers, in one block of shared memory.

The block has a row for each worker and in it one signed 64-bit number for each region; a row begins at a cache line
of its own, so that two workers never write to one line. Only a worker writes to its row, and the supervisor when that
worker is gone. An aligned number is read and written in one piece, so nobody sees half of one: no lock is needed, and
none is held by a process that dies.

The block says itself how many rows it has and for which regions: its first line, and JSON after the rows.
"""

import json
import mmap
import os
from collections.abc import Sequence
from operator import add
from struct import Struct
from typing import Final

from extproc.core.ids import RegionId

_NUMBER_BYTES: Final = 8
_LINE_BYTES: Final = 128
"""Two cache lines of 64 bytes, because processors fetch them in pairs; one of those that have longer ones."""
_HEAD: Final = Struct("@qq")
"""How many workers, and where the regions' names begin."""


class SharedBlock:
    """The memory that all workers count in. It is given back when the last process that has it is gone."""

    def __init__(self, descriptor: int) -> None:
        """Use the block of an open file, which :func:`create_block` made."""
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self.workers, names_at = _HEAD.unpack_from(self._memory)
        self.catalogue = tuple(RegionId(name) for name in json.loads(self._memory[names_at:]))
        """The regions, in the order of their numbers."""
        regions = len(self.catalogue)
        step = _row_bytes(regions)
        numbers = memoryview(self._memory)[:names_at].cast("q")
        self.rows = tuple(
            numbers[begin // _NUMBER_BYTES : begin // _NUMBER_BYTES + regions]
            for begin in range(_LINE_BYTES, names_at, step)
        )
        """Each worker's numbers, by the region's index."""

    def clear(self, worker: int) -> None:
        """Forget what a worker that is gone has counted."""
        row = self.rows[worker]
        for index in range(len(row)):
            row[index] = 0


def create_block(*, workers: int, catalogue: Sequence[RegionId]) -> SharedBlock:
    """Make a block of zeros; hand its `descriptor` to the workers."""
    names = json.dumps(list(catalogue)).encode()
    names_at = _LINE_BYTES + workers * _row_bytes(len(catalogue))
    descriptor = os.memfd_create("situs-in-flight")
    os.ftruncate(descriptor, names_at)
    os.pwrite(descriptor, _HEAD.pack(workers, names_at), 0)
    os.pwrite(descriptor, names, names_at)
    return SharedBlock(descriptor)


class SharedCounters:
    """Counters of one worker among others; of the supervisor, which only reads, with no `worker`."""

    def __init__(self, block: SharedBlock, worker: int | None = None) -> None:
        self._rows = block.rows
        self._own = None if worker is None else block.rows[worker]

    def add(self, index: int, change: int) -> None:
        """Count requests that came, or with a negative number went. Raises ValueError where there is no worker."""
        if self._own is None:
            raise ValueError("the supervisor has no requests of its own")
        self._own[index] += change

    def totals(self) -> Sequence[int]:
        """Give the requests in each region, of all workers."""
        first, *others = self._rows
        totals = first.tolist()
        for row in others:
            totals = list(map(add, totals, row.tolist()))
        return totals


def _row_bytes(regions: int) -> int:
    return max(1, -(-regions * _NUMBER_BYTES // _LINE_BYTES)) * _LINE_BYTES
