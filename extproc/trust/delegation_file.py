"""The file `delegations`, as it lies beside a log or beside a key: read whole, replaced whole."""

import os
from collections.abc import Sequence
from pathlib import Path

from extproc.notes.errors import MalformedError
from extproc.notes.keys import sync_folder
from extproc.trust.delegation import format_delegations, parse_delegations


def load_delegations(path: Path) -> tuple[bytes, ...]:
    """Read the notes, unverified; a file that is not there holds none. Raises MalformedError and OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return parse_delegations(data)
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from None


def save_delegations(path: Path, notes: Sequence[bytes]) -> None:
    """Put these notes in the place of what was there, durably. Raises MalformedError and OSError."""
    data = format_delegations(notes)
    scratch = path.with_name(f".{path.name}.new")
    with scratch.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync_folder(path.parent)
