"""The one error tree of signed notes and their keys. Each error says where, what was expected and what was found."""


class NoteError(Exception):
    """Anything that is wrong with a note, a key or a key file."""


class MalformedError(NoteError):
    """Bytes or text that are not in the form that their specification gives them.

    The formats that are built on notes (checkpoints, tiles, entries) raise it too.
    """


class SignatureError(NoteError):
    """A note whose signature by a known key does not verify."""


class UnknownSignerError(NoteError):
    """A note that no known key has signed."""


class KeyFileError(NoteError):
    """A key file that cannot be used, or that others may read."""


class KeyModuleError(NoteError):
    """A key in a hardware module that cannot be reached or used."""
