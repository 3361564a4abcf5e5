"""The notes of frames: that each states the tree after it, and that the keys of the log have signed them.

Which signatures are verified, and why the others need not be, stands in :mod:`.frames`.
"""

from typing import Final

from extproc.audit.checks.jobs import SegmentsJob, Signed
from extproc.audit.checks.notes import NoteReader
from extproc.audit.checks.trees import Tree
from extproc.audit.findings import Category, Finding, Findings
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.ledger.log import LOG
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.wal import Frame
from extproc.notes.errors import MalformedError, SignatureError
from extproc.notes.note import parse_note

_ID_DIGITS: Final = 5
"""Digits of base64 that hold most of a key's id at the beginning of a signature."""


class Stop(Exception):  # noqa: N818 - no error: going on makes no sense, and a finding says why
    """Ends the checking of a job's segments."""


class FrameNotes:
    """Checks the notes of frames in order; `signed` says which key has signed trees of which sizes."""

    def __init__(self, job: SegmentsJob, findings: Findings) -> None:
        self.origin = job.origin
        self.signed: list[Signed] = []
        self._job = job
        self._findings = findings
        self._reader = NoteReader(job.keys)
        self._last: tuple[Frame, str] | None = None
        self._line = b""

    @property
    def signatures(self) -> int:
        """How many were verified."""
        return self._reader.signatures

    @property
    def untrusted(self) -> Finding | None:
        """The first note that no known key has signed."""
        return self._reader.untrusted

    def take(self, frame: Frame, path: str, tree: Tree) -> None:
        """Hold a frame's note against the tree after it."""
        root, size = tree.root(), tree.size
        text = format_checkpoint(Checkpoint(origin=self.origin, size=size, root=root)).encode() if self.origin else b""
        note = frame.note
        if not (text and note.startswith(text)):
            self._find_other_tree(frame, path, root, size)
        line = note[len(text) :]
        # By one key, all that differs between the lines of signatures is the signature.
        same = line[: len(self._line)] == self._line and line.count(b"\n") == 2 if self._line else False  # noqa: PLR2004
        if not same or self._job.every_signature:
            if not same:
                self.settle()
            self._verify(frame, path)
            start = f"\n— {self.origin} ".encode()
            self._line = line[: len(start) + _ID_DIGITS] if line.startswith(start) else b""
        elif self.signed:
            last = self.signed[-1]
            self.signed[-1] = Signed(key_id=last.key_id, first=last.first, last=size, file=path)
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

    def _find_other_tree(self, frame: Frame, path: str, root: bytes, size: int) -> None:
        """Say what a note states instead of the tree; where no origin is known yet, the note gives it."""
        try:
            stated = parse_checkpoint(parse_note(frame.note).text)
        except MalformedError as error:
            self._findings.add(Category.INTEGRITY, str(error), file=path, entry=frame.first)
            raise Stop from None
        self.origin = self.origin or stated.origin
        now = Checkpoint(origin=self.origin, size=size, root=root)
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
        raise Stop

    def _verify(self, frame: Frame, path: str) -> None:
        """Verify the signature of a frame's note and take up who signed."""
        try:
            checkpoint, ids = self._reader.open(frame.note, path, frame.first)
        except (MalformedError, SignatureError) as error:
            self._findings.add(Category.INTEGRITY, str(error), file=path, entry=frame.first)
            raise Stop from None
        for key_id in ids:
            last = self.signed[-1] if self.signed else None
            if last is not None and last.key_id == key_id:
                self.signed[-1] = Signed(key_id=key_id, first=last.first, last=checkpoint.size, file=path)
            else:
                self.signed.append(Signed(key_id=key_id, first=checkpoint.size, last=checkpoint.size, file=path))

    def settle(self) -> None:
        """Verify the last note before the end of a segment or a change of key: it vouches for those before it."""
        if self._last is not None and not self._job.every_signature:
            frame, path = self._last
            self._last = None
            self._verify(frame, path)
