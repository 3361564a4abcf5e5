"""Segments of a write-ahead log held against the published log, frame by frame.

What is published was hashed already by the jobs over its parts. So a frame's entries are compared with the bundles as
bytes, and their hashes are taken from the tiles; only entries that nobody has published yet are hashed and read here.

Every frame's note must state the size and root of the tree after it, and bear the line of a key that may sign. The
signature itself is verified of the last frame of each segment and on both sides of every change of key, because a root
commits to everything before it: whoever could forge the notes in between gained nothing, since they say what the
verified one says. This is how recovery judges too. At one flush for each request every note covers an entry or two, and
verifying each costs fifteen times all else; with `every_signature` it is done.
"""

from collections.abc import Sequence
from typing import Final

from extproc.audit.checks.bundles import Bundles
from extproc.audit.checks.jobs import SegmentsJob, SegmentsResult, Signed, Torn
from extproc.audit.checks.notes import NoteReader
from extproc.audit.checks.reading import PartReader
from extproc.audit.checks.trees import Tree, open_tiles, tree_at
from extproc.audit.findings import Category, Findings
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.ledger.log import LOG, WAL
from extproc.ledger.merkle import leaf_hashes
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import decode_entries
from extproc.ledger.wal import BadFrameError, Frame, format_segment_name, next_good_frame, read_frames
from extproc.notes.errors import MalformedError, SignatureError
from extproc.notes.note import parse_note

_ID_DIGITS: Final = 5
"""Digits of base64 that hold most of a key's id at the beginning of a signature."""


def check_segments(job: SegmentsJob) -> SegmentsResult:
    """Check segments. Raises ArchiveError when the archive cannot be read at all."""
    return _Segments(job).check()


class _Stop(Exception):  # noqa: N818 - no error: going on makes no sense, and a finding says why
    pass


class _Segments:
    def __init__(self, job: SegmentsJob) -> None:
        self._job = job
        self._published = 0 if job.checkpoint is None else job.checkpoint.size
        self._findings = Findings(job.log or ".")
        self._notes = NoteReader(job.keys)
        self._bundles = Bundles(job.archive, job.log, self._published)
        self._tree = Tree()
        self._origin = job.origin
        self._reader: PartReader | None = None
        self._frames = 0
        self._hashed = 0
        self._signed: list[Signed] = []
        self._torn: Torn | None = None
        self._last: tuple[Frame, str] | None = None
        self._line = b""

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
        except _Stop:
            ended = False
        return SegmentsResult(
            findings=tuple(self._findings.all()),
            frames=self._frames,
            signatures=self._notes.signatures,
            origin=self._origin,
            size=self._tree.size,
            root=self._tree.root(),
            signed=tuple(self._signed),
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
            raise _Stop from None

    def _check_segment(self, first: int) -> None:
        path = self._path(first)
        if first != self._tree.size:
            self._find_gap(first)
            raise _Stop
        data = self._job.archive.read(path)
        self._last = None
        try:
            for frame in read_frames(data):
                self._check_frame(frame, path)
        except BadFrameError as error:
            self._settle_last()
            self._torn = Torn(
                file=path,
                entry=self._tree.size,
                offset=error.offset,
                reason=str(error),
                at_end=self._job.end is None
                and next_good_frame(data, error.offset) is None
                and not any(self._holds_anything(each) for each in self._job.segments if each > first),
            )
            raise _Stop from None
        self._settle_last()

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
            raise _Stop
        tree.extend(self._leaves(frame, path))
        self._frames += 1
        self._check_note(frame, path)

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
            raise _Stop from None
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

    def _check_note(self, frame: Frame, path: str) -> None:
        """Hold a frame's note against the tree after it."""
        root = self._tree.root()
        size = self._tree.size
        text = (
            format_checkpoint(Checkpoint(origin=self._origin, size=size, root=root)).encode() if self._origin else b""
        )
        note = frame.note
        if not (text and note.startswith(text)):
            self._find_other_tree(frame, path, root)
        line = note[len(text) :]
        # By one key, all that differs between the lines of signatures is the signature.
        same = line[: len(self._line)] == self._line and line.count(b"\n") == 2 if self._line else False  # noqa: PLR2004
        if not same or self._job.every_signature:
            if not same:
                self._settle_last()
            self._verify(frame, path)
            start = f"\n— {self._origin} ".encode()
            self._line = line[: len(start) + _ID_DIGITS] if line.startswith(start) else b""
        elif self._signed:
            last = self._signed[-1]
            self._signed[-1] = Signed(key_id=last.key_id, first=last.first, last=size, file=path)
        self._last = (frame, path) if same else None
        checkpoint = self._job.checkpoint
        if checkpoint is not None and size == checkpoint.size and note != self._job.note:
            self._findings.add(
                Category.INTEGRITY,
                f"is not the note that {path} holds for this size",
                file=f"{self._job.log}/{LOG}/{CHECKPOINT}".lstrip("/"),
                entry=frame.first,
                expected=repr(note.decode(errors="replace")),
                found=repr(self._job.note.decode(errors="replace")),
            )

    def _find_other_tree(self, frame: Frame, path: str, root: bytes) -> None:
        """Say what a note states instead of the tree; where no origin is known yet, the note gives it."""
        try:
            stated = parse_checkpoint(parse_note(frame.note).text)
        except MalformedError as error:
            self._findings.add(Category.INTEGRITY, str(error), file=path, entry=frame.first)
            raise _Stop from None
        self._origin = self._origin or stated.origin
        now = Checkpoint(origin=self._origin, size=self._tree.size, root=root)
        if stated == now:
            return
        self._findings.add(
            Category.INTEGRITY,
            f"the note of the frame at byte {frame.offset} states another tree than its entries give",
            file=path,
            entry=frame.first,
            expected=f"{stated.origin} {stated.size} {stated.root.hex()}",
            found=f"{now.origin} {now.size} {now.root.hex()}",
        )
        raise _Stop

    def _verify(self, frame: Frame, path: str) -> None:
        """Verify the signature of a frame's note and take up who signed."""
        try:
            checkpoint, ids = self._notes.open(frame.note, path, frame.first)
        except (MalformedError, SignatureError) as error:
            self._findings.add(Category.INTEGRITY, str(error), file=path, entry=frame.first)
            raise _Stop from None
        for key_id in ids:
            last = self._signed[-1] if self._signed else None
            if last is not None and last.key_id == key_id:
                self._signed[-1] = Signed(key_id=key_id, first=last.first, last=checkpoint.size, file=path)
            else:
                self._signed.append(Signed(key_id=key_id, first=checkpoint.size, last=checkpoint.size, file=path))

    def _settle_last(self) -> None:
        """Verify the last note before the end of a segment or a change of key: it vouches for those before it."""
        if self._last is not None and not self._job.every_signature:
            frame, path = self._last
            self._last = None
            self._verify(frame, path)

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
