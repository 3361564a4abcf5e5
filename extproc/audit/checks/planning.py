"""How a log is cut into jobs."""

from collections.abc import Iterator
from dataclasses import replace

from extproc.archive import Archive
from extproc.audit.checks.inventory import LogFiles
from extproc.audit.checks.jobs import PART_ENTRIES, PartJob, SegmentsJob
from extproc.ledger.tiles import TILE_WIDTH, Tile


def plan_parts(archive: Archive, files: LogFiles, end: int, size: int, buckets: int) -> Iterator[PartJob]:
    """Give the jobs over the entries before `end` of a published log of `size`, in order."""
    for start in range(0, end, PART_ENTRIES):
        stop = min(end, start + PART_ENTRIES)
        yield PartJob(
            archive=archive,
            log=files.name,
            size=size,
            start=start,
            end=stop,
            partial=tuple(_partial(files, start, stop)),
            buckets=buckets,
        )


def plan_segments(files: LogFiles, job: SegmentsJob) -> Iterator[SegmentsJob]:
    """Give the jobs over a write-ahead log, in order; `job` says what all of them are told.

    The last segment that begins within the published log, and those after it, are one job: the entries beyond the
    published ones can only be followed one after the other.
    """
    segments = files.segments
    if not segments:
        return
    published = 0 if job.checkpoint is None else job.checkpoint.size
    tail = max(0, sum(first <= published for first in segments) - 1)
    for i, first in enumerate(segments[:tail]):
        yield replace(job, segments=(first,), end=segments[i + 1])
    yield replace(job, segments=tuple(segments[tail:]))


def _partial(files: LogFiles, start: int, end: int) -> Iterator[Tile]:
    """Give the partial tiles that are there and made of the entries [start, end) alone."""
    for level, width in ((None, TILE_WIDTH), (0, TILE_WIDTH), (1, PART_ENTRIES)):
        for index in range(start // width, (end - 1) // width + 1):
            yield from files.partial.get(Tile(level=level, index=index), ())
