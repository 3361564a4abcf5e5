"""Signed checkpoints of one log: opened, and who signed them."""

from collections.abc import Sequence

from extproc.audit.findings import Category, Finding
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.notes.errors import UnknownSignerError
from extproc.notes.note import VerifierKey, open_note, parse_note


class NoteReader:
    """Opens the notes of one log; `untrusted` is the first that no known key has signed."""

    def __init__(self, keys: Sequence[VerifierKey]) -> None:
        self.untrusted: Finding | None = None
        self.signatures = 0
        self._keys = keys

    def open(self, note: bytes, file: str, entry: int | None = None) -> tuple[Checkpoint, tuple[bytes, ...]]:
        """Read a checkpoint and give the ids of the keys that have signed it, none where none is known.

        Raises MalformedError and SignatureError.
        """
        checkpoint = parse_checkpoint(parse_note(note).text)
        keys = [key for key in self._keys if key.name == checkpoint.origin]
        try:
            opened = open_note(note, keys)
        except UnknownSignerError as error:
            if self.untrusted is None:
                self.untrusted = Finding(category=Category.TRUST, message=str(error), file=file, entry=entry)
            return checkpoint, ()
        self.signatures += len(opened.signatures)
        return checkpoint, tuple(each.key_id for each in opened.signatures)
