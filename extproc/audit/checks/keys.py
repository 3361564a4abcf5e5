"""The keys of one log: which may sign it, by what the auditor trusts and by what lies beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from extproc.archive import Archive
from extproc.audit.checks.inventory import LogFiles
from extproc.audit.findings import Category, Findings
from extproc.audit.trust import Trust
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.log import DELEGATIONS, LOG_VKEY
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.note import VerifierKey, parse_note, parse_vkey
from extproc.trust.chain import EpochKey


@dataclass(slots=True, kw_only=True)
class LogKeys:
    """Keys for whatever origin the notes of a log name; findings say once what is wrong beside the log."""

    files: LogFiles
    trust: Trust
    findings: Findings
    listed: Sequence[VerifierKey]
    delegations: bytes
    origin: str = ""
    epochs: tuple[EpochKey, ...] = ()

    @classmethod
    def read(cls, archive: Archive, files: LogFiles, trust: Trust, findings: Findings) -> "LogKeys":
        """Read what lies beside a log. Raises ArchiveError."""
        keys = cls(files=files, trust=trust, findings=findings, listed=(), delegations=b"")
        keys.delegations = _read(archive, files.path(DELEGATIONS))
        if not trust.roots:
            data = _read(archive, files.path(LOG_VKEY))
            try:
                keys.listed = [parse_vkey(line) for line in data.decode().splitlines()]
            except (MalformedError, UnicodeDecodeError) as error:
                findings.add(Category.TRUST, str(error), file=files.path(LOG_VKEY))
            if keys.delegations:
                message = "not held against the key that gave them, which was not given"
                findings.add(Category.NOTE, message, file=files.path(DELEGATIONS))
        return keys

    def for_note(self, note: bytes) -> tuple[VerifierKey, ...]:
        """Give the keys that may sign the log whose checkpoint this is, nothing of which is verified yet."""
        try:
            self.know(parse_checkpoint(parse_note(note).text).origin)
        except MalformedError:
            return ()
        return self.all()

    def know(self, origin: str) -> None:
        """Find the keys for the log of this name."""
        if origin == self.origin:
            return
        self.origin = origin
        try:
            self.epochs = self.trust.keys_for(origin, listed=self.listed, delegations=self.delegations)
        except NoteError as error:
            self.findings.add(Category.TRUST, str(error), file=self.files.path(DELEGATIONS))
            self.epochs = self.trust.direct(origin)

    def all(self) -> tuple[VerifierKey, ...]:
        """Give the keys under the log's name."""
        return tuple(each.key for each in self.epochs)


def _read(archive: Archive, name: str) -> bytes:
    try:
        return archive.read(name)
    except FileNotFoundError:
        return b""
