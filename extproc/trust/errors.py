"""What is wrong with trust itself: every note is well formed and signed, and it still does not follow from a root."""

from extproc.notes.errors import NoteError


class ChainError(NoteError):
    """A delegation that its issuer had no right to give, or that names a key a second time."""
