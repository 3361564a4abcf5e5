"""Segments of a write-ahead log held against the published log, frame by frame.

What is published was hashed already by the jobs over its parts. So a frame's entries are compared with the bundles as
bytes, and their hashes are taken from the tiles; only entries that nobody has published yet are hashed and read here.

Every frame's note must state the size and root of the tree after it, and bear the line of a key that may sign. The
signature itself is verified of the last frame of each segment and on both sides of every change of key, because a root
commits to everything before it: whoever could forge the notes in between gained nothing, since they say what the
verified one says. This is how recovery judges too. Where every request is flushed by itself, a note covers an entry or
two, and verifying each costs many times all else (bench/results); with `every_signature` it is done.
"""

from collections.abc import Sequence

from extproc.audit.checks.bundles import Bundles
from extproc.audit.checks.framenotes import FrameNotes, Stop
from extproc.audit.checks.jobs import SegmentsJob, SegmentsResult, Torn
from extproc.audit.checks.reading import PartReader
from extproc.audit.checks.trees import Tree, open_tiles, tree_at
from extproc.audit.findings import Category, Findings
from extproc.ledger.log import WAL
from extproc.ledger.merkle import leaf_hashes
from extproc.ledger.tiles import decode_entries
from extproc.ledger.wal import BadFrameError, Frame, format_segment_name, next_good_frame, read_frames
from extproc.notes.errors import MalformedError


def check_segments(job: SegmentsJob) -> SegmentsResult:
    """Check segments. Raises ArchiveError when the archive cannot be read at all."""
    return _Segments(job).check()


class _Segments:
    def __init__(self, job: SegmentsJob) -> None:
        self._job = job
        self._published = 0 if job.checkpoint is None else job.checkpoint.size
        self._findings = Findings(job.log or ".")
        self._notes = FrameNotes(job, self._findings)
        self._bundles = Bundles(job.archive, job.log, self._published)
        self._tree = Tree()
        self._reader: PartReader | None = None
        self._frames = 0
        self._hashed = 0
        self._torn: Torn | None = None

    def check(self) -> SegmentsResult:
        job = self._job
        if job.end is None:
            self._reader = PartReader(
                job.archive, job.log, first=self._published, before=job.before, buckets=job.buckets
            )
        ended = True
        try:
            self._begin(job.segments[0])
            for first in job.segments:
                self._check_segment(first)
            if job.end is not None and self._tree.size != job.end:
                self._find_gap(job.end)
        except Stop:
            ended = False
        return SegmentsResult(
            findings=tuple(self._findings.all()),
            frames=self._frames,
            signatures=self._notes.signatures,
            origin=self._notes.origin,
            size=self._tree.size,
            root=self._tree.root(),
            signed=tuple(self._notes.signed),
            hashed=self._hashed,
            untrusted=self._notes.untrusted,
            torn=self._torn,
            ended=ended,
            meaning=None if self._reader is None else self._reader.meaning(),
        )

    def _begin(self, first: int) -> None:
        """Take the tree before the first segment from the published tiles."""
        if first == 0:
            return
        tiles = open_tiles(self._job.archive, self._job.log, self._published)
        try:
            self._tree = tree_at(tiles, first)
        except (FileNotFoundError, MalformedError, IndexError):
            message = f"the tree of the {first} entries before it is not published, so it cannot be followed"
            self._findings.add(Category.INTEGRITY, message, file=self._path(first), entry=first)
            raise Stop from None

    def _check_segment(self, first: int) -> None:
        path = self._path(first)
        if first != self._tree.size:
            self._find_gap(first)
            raise Stop
        data = self._job.archive.read(path)
        try:
            for frame in read_frames(data):
                self._check_frame(frame, path)
        except BadFrameError as error:
            self._notes.settle()
            self._torn = Torn(
                file=path,
                entry=self._tree.size,
                offset=error.offset,
                reason=str(error),
                at_end=self._job.end is None
                and next_good_frame(data, error.offset) is None
                and not any(self._holds_anything(each) for each in self._job.segments if each > first),
            )
            raise Stop from None
        self._notes.settle()

    def _holds_anything(self, segment: int) -> bool:
        return bool(self._job.archive.read(self._path(segment)).strip(b"\x00"))

    def _check_frame(self, frame: Frame, path: str) -> None:
        tree = self._tree
        if frame.first != tree.size or not frame.count:
            self._findings.add(
                Category.INTEGRITY,
                f"the frame at byte {frame.offset} is out of order",
                file=path,
                entry=tree.size,
                expected=f"entry {tree.size} first",
                found=f"{frame.count} entries from {frame.first}",
            )
            raise Stop
        tree.extend(self._leaves(frame, path))
        self._frames += 1
        self._notes.take(frame, path, tree)

    def _leaves(self, frame: Frame, path: str) -> list[bytes]:
        """Give the leaf hashes of a frame's entries: of those that are published, from the tiles."""
        end = frame.first + frame.count
        if end <= self._published:
            known = self._bundles.take(frame.first, end)
            if known is not None and known[0] == frame.payload:
                return known[1]
        try:
            entries = decode_entries(frame.payload, frame.count)
        except MalformedError as error:
            message = f"the frame at byte {frame.offset}: {error}"
            self._findings.add(Category.INTEGRITY, message, file=path, entry=frame.first)
            raise Stop from None
        leaves = leaf_hashes(entries)
        self._hashed += max(0, end - max(frame.first, self._published))
        self._compare(frame, leaves, path)
        if self._reader is not None and end > self._published:
            start = max(frame.first, self._published)
            self._reader.take(start, entries[start - frame.first :])
        return leaves

    def _compare(self, frame: Frame, leaves: Sequence[bytes], path: str) -> None:
        """Name the first entry that is another than the published one."""
        for index, leaf in enumerate(leaves, frame.first):
            published = self._bundles.leaf(index)
            if published is not None and published != leaf:
                self._findings.add(
                    Category.INTEGRITY,
                    f"the entry in the frame at byte {frame.offset} is not the published one",
                    file=path,
                    entry=index,
                    expected=published.hex(),
                    found=leaf.hex(),
                )
                return

    def _find_gap(self, first: int) -> None:
        path = self._path(first)
        self._findings.add(
            Category.INTEGRITY,
            "segments are missing or out of order",
            file=path,
            entry=self._tree.size,
            expected=format_segment_name(self._tree.size),
            found=format_segment_name(first),
        )

    def _path(self, first: int) -> str:
        return f"{self._job.log}/{WAL}/{format_segment_name(first)}".lstrip("/")
