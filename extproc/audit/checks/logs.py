"""One log: the jobs that check it, and what their results amount to, in the order in which they come."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from extproc.archive import Archive
from extproc.audit.checks.edges import fits, join_edges
from extproc.audit.checks.endings import check_checkpoint, check_files, check_life, check_wal
from extproc.audit.checks.frames import check_segments
from extproc.audit.checks.inventory import LogFiles
from extproc.audit.checks.jobs import (
    PART_ENTRIES,
    Edge,
    Meaning,
    PartJob,
    PartResult,
    SegmentsJob,
    SegmentsResult,
    Signed,
    Span,
)
from extproc.audit.checks.joins import Join
from extproc.audit.checks.keys import LogKeys
from extproc.audit.checks.notes import NoteReader
from extproc.audit.checks.orders import Ordered, with_recorded
from extproc.audit.checks.parts import check_part
from extproc.audit.checks.planning import plan_parts, plan_segments
from extproc.audit.checks.tiles import TileCheck
from extproc.audit.checks.trees import check_levels, root_of_parts
from extproc.audit.findings import MOST_FINDINGS, Category, Finding, Findings
from extproc.audit.trust import Trust
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.log import LOG
from extproc.ledger.merkle import EMPTY_ROOT
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.wal import BadFrameError, read_frames
from extproc.notes.errors import MalformedError, SignatureError

if TYPE_CHECKING:
    from extproc.ledger.checkpoint import Checkpoint
    from extproc.ledger.housekeeping import Acknowledgement

_MOST_FINDINGS = 10 * MOST_FINDINGS
"""Of all parts together."""
Job = PartJob | SegmentsJob
Result = PartResult | SegmentsResult


def run_job(job: Job) -> Result:
    """Do one job, anywhere. Raises ArchiveError."""
    # A job makes tens of thousands of small objects that live until it ends, and no cycles worth looking for.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return check_part(job) if isinstance(job, PartJob) else check_segments(job)
    finally:
        if collecting:
            gc.enable()


class LogCheck:
    """Gathers what is found of one log. Fields without an underscore are for what is checked afterwards."""

    def __init__(self, archive: Archive, files: LogFiles, trust: Trust, *, every_signature: bool) -> None:
        self.archive = archive
        self.files = files
        self.findings = Findings(files.shown, most=_MOST_FINDINGS)
        self.kinds: Counter[str] = Counter()
        self.tallies: Counter[str] = Counter()
        self.tiles = self.frames = self.hashed = self.signatures = 0
        self.genesis: pb.Genesis | None = None
        self.rotations: list[tuple[int, bytes]] = []
        self.recovered: list[int] = []
        self.prunes: list[tuple[int, object]] = []
        self.holds: list[tuple[int, object]] = []
        self.orders: tuple[Ordered, ...] = ()
        self.acknowledgements: list[tuple[float, Acknowledgement]] = []
        self.heads: list[int] = []
        self.spans: list[Span] = []
        self.signed: list[Signed] = []
        self.missing: list[range] = []
        self.edge = Edge()
        self.size, self.root, self.origin = 0, EMPTY_ROOT, ""
        self.checkpoint: Checkpoint | None = None
        self.untrusted: Finding | None = None
        self.root_known = False
        self._trust = trust
        self._every_signature = every_signature
        self._note = b""
        self._peaks: list[tuple[bytes, ...]] | None = []
        self._followed: list[SegmentsResult] = []
        self._read_checkpoint()

    @property
    def published(self) -> int:
        """Number of entries that the published checkpoint covers; 0 where there is none that can be read."""
        return 0 if self.checkpoint is None else self.checkpoint.size

    def jobs(self, buckets: int) -> Iterator[Job]:
        """Give the jobs, in the order in which their results must come back."""
        there = self.files.end()
        if self.published > there:
            self._claims_more(there)
        if not self.origin and self.files.segments:
            self._know_from(self.files.segments[0])
        yield from plan_parts(self.archive, self.files, min(self.published, there), self.published, buckets)
        yield from plan_segments(
            self.files,
            SegmentsJob(
                archive=self.archive,
                log=self.files.name,
                segments=(),
                end=None,
                checkpoint=self.checkpoint,
                note=self._note,
                origin=self.origin,
                keys=self.keys.all(),
                every_signature=self._every_signature,
                buckets=buckets,
            ),
        )

    def take(self, job: Job, result: Result, join: Join) -> None:
        """Take up the result of one of :meth:`jobs`, in their order."""
        meaning = result.meaning
        if meaning is not None and not fits(self.edge, meaning.needs):
            # Something is wrong at the edge. To say what, it is read again by who knows what comes before.
            result = run_job(replace(job, before=self.edge))
            meaning = result.meaning
        self.hashed += result.hashed
        self.findings.extend(result.findings)
        if isinstance(result, PartResult):
            self._take_part(result)
        else:
            self._take_segments(result)
        if meaning is not None:
            first = job.start if isinstance(job, PartJob) else self.published
            join.add(self.files.shown, first, meaning.gathered)
            self._take_meaning(meaning, first)

    def finish(self) -> None:
        """Say what only the whole shows."""
        self._finish_tree()
        files, findings, closed = self.files, self.findings, self.edge.closed
        check_wal(files, findings, self._followed, published=self.published, closed=closed)
        check_files(files, findings, size=self.size)
        if self.untrusted is not None:
            findings.take(self.untrusted)
        published = None if self.checkpoint is None else self.published
        check_checkpoint(files, findings, published=published, size=self.size, closed=closed)
        began_s = min((span.earliest_s for span in self.spans), default=None)
        check_life(findings, self.edge, kinds=self.kinds, tallies=self.tallies, began_s=began_s)

    def path(self, *parts: str) -> str:
        """Give the name in the archive of something in or beside the log."""
        return self.files.path(*parts)

    def _read_checkpoint(self) -> None:
        path = self.path(LOG, CHECKPOINT)
        self.keys = LogKeys.read(self.archive, self.files, self._trust, self.findings)
        try:
            self._note = self.archive.read(path)
        except FileNotFoundError:
            return
        notes = NoteReader(self.keys.for_note(self._note))
        try:
            checkpoint, ids = notes.open(self._note, path)
        except (MalformedError, SignatureError) as error:
            self.findings.add(Category.INTEGRITY, str(error), file=path)
            return
        self.untrusted = notes.untrusted
        self.signatures += notes.signatures
        self.checkpoint, self.origin = checkpoint, checkpoint.origin
        self.size, self.root = checkpoint.size, checkpoint.root
        size = checkpoint.size
        self.signed += [Signed(key_id=each, first=size, last=size, file=path) for each in ids]

    def _claims_more(self, there: int) -> None:
        """Say that the checkpoint covers more than is there; it may claim more than anybody ever wrote."""
        self.findings.add(
            Category.INTEGRITY,
            "the tiles end before the checkpoint",
            file=self.path(LOG, CHECKPOINT),
            entry=there,
            expected=f"{self.published} entries",
            found=str(there),
        )
        self._peaks = None

    def _know_from(self, segment: int) -> None:
        """Learn the log's name from the first frame, where no checkpoint tells it."""
        with suppress(BadFrameError, FileNotFoundError):
            for frame in read_frames(self.archive.read(self.files.segment_path(segment))):
                self.keys.for_note(frame.note)
                return

    def _take_part(self, result: PartResult) -> None:
        self.tiles += result.tiles
        if result.peaks is None:
            self._peaks = None
        elif self._peaks is not None:
            self._peaks.append(result.peaks)
        for index in result.missing:
            if self.missing and self.missing[-1].stop == index:
                self.missing[-1] = range(self.missing[-1].start, index + 1)
            else:
                self.missing.append(range(index, index + 1))

    def _take_segments(self, result: SegmentsResult) -> None:
        self.frames += result.frames
        self.signatures += result.signatures
        self.signed += result.signed
        self.untrusted = self.untrusted or result.untrusted
        self.origin = self.origin or result.origin
        # Without what only matters now: there may be thousands.
        self._followed.append(replace(result, findings=(), signed=(), meaning=None))
        if result.frames and result.size > self.published:
            self.size, self.root, self.root_known = result.size, result.root, True

    def _take_meaning(self, meaning: Meaning, first: int) -> None:
        self.findings.extend(meaning.findings)
        self.kinds.update(meaning.kinds)
        self.tallies.update(meaning.tallies)
        if meaning.genesis is not None:
            self.genesis = pb.Genesis.FromString(meaning.genesis)
        self.rotations += meaning.rotations
        self.recovered += meaning.recovered
        self.prunes += meaning.prunes
        self.holds += meaning.holds
        for each in meaning.overrides:
            self.orders = with_recorded(self.orders, each)
        self.acknowledgements += meaning.acknowledgements
        self.spans += meaning.spans
        if meaning.heads:
            self.heads.append(first)
        self.edge = join_edges(self.edge, meaning)

    def _finish_tree(self) -> None:
        """Compute the root over the published entries, and hold it against the signed one."""
        if self.checkpoint is None or self._peaks is None:
            return
        whole = [peaks[0] for peaks in self._peaks[: self.published // PART_ENTRIES]]
        check = TileCheck(self.archive, self.files.name, self.findings, self.files.partial)
        check_levels(check, whole)
        self.tiles += check.compared
        root = root_of_parts(self._peaks)
        if self.size == self.published:
            self.root, self.root_known = root, True
        if root != self.checkpoint.root:
            self.findings.add(
                Category.INTEGRITY,
                f"the root over the {self.published} entries is not the signed one",
                file=self.path(LOG, CHECKPOINT),
                expected=self.checkpoint.root.hex(),
                found=root.hex(),
            )
