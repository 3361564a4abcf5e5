"""Who signs a log: the public keys and the delegations that lie beside it, and how one key gives way to the next.

Owns the files `log.vkey`, `signer.vkey` and `delegations`, and the entry by which a key hands over. They are public,
and they are hints: an auditor believes a key because a root that he trusts has delegated to it, never because a file
lists it. Private keys are for :mod:`extproc.trust.epochs`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.disk import sync_directory
from extproc.ledger.housekeeping import KeyRotation
from extproc.notes.errors import MalformedError
from extproc.notes.keys import Signer, add_vkey
from extproc.notes.note import Note, VerifierKey, format_note, make_signature
from extproc.trust.delegation import covers, name_issuer, open_delegation, read_delegation
from extproc.trust.delegation_file import load_delegations, save_delegations

LOG_VKEY: Final = "log.vkey"
SIGNER_VKEY: Final = "signer.vkey"
DELEGATIONS: Final = "delegations"
"""Beside a log: the notes by which the organisation's key delegates to the keys that sign here. Absent for a log whose
keys are trusted directly."""


def admit(directory: Path, *, origin: str, key: Signer, delegations: Sequence[bytes] = ()) -> None:
    """Make sure, durably, that the log in `directory` lists `key` and has `delegations` beside it; what is there stays.

    Raises MalformedError when a file that is there cannot be read, and OSError.
    """
    path = directory / DELEGATIONS
    there = load_delegations(path)
    lacking = tuple(note for note in delegations if note not in there)
    if lacking:
        save_delegations(path, (*there, *lacking))
    add_vkey(directory / LOG_VKEY, VerifierKey(name=origin, public=key.public))
    sync_directory(directory)


def admit_signer(worker: Path, *, signer: str, key: Signer) -> None:
    """Make sure, durably, that the list of a worker's keys has `key`. Raises MalformedError and OSError."""
    add_vkey(worker / SIGNER_VKEY, VerifierKey(name=signer, public=key.public))
    sync_directory(worker)


def hand_over(checkpoint: Checkpoint, *, old: Signer, new: Signer, delegation: bytes) -> KeyRotation:
    """Give what the log records of a change of keys. The tree of `checkpoint` must be durable.

    Raises NoteError when `delegation` is not of the old key to the new one, for this log.
    """
    issuer = read_delegation(delegation).issuer.partition("+")[0]
    given = open_delegation(delegation, (VerifierKey(name=issuer, public=old.public),))
    if given.key.public != new.public:
        raise MalformedError(f"{checkpoint.origin}: {name_issuer(given.key)} was delegated to, and another key is new")
    if not covers(given.scope, checkpoint.origin):
        raise MalformedError(f"{checkpoint.origin}: the new key's scope is {given.scope}")
    text = format_checkpoint(checkpoint)
    signatures = tuple(
        make_signature(text, VerifierKey(name=checkpoint.origin, public=each.public), each.sign) for each in (old, new)
    )
    return KeyRotation(delegation=delegation, checkpoint=format_note(Note(text=text, signatures=signatures)))
