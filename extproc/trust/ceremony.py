"""The ceremony by which an organisation's key, kept offline, lets a node's key sign.

Three steps on two machines: the node makes a key and asks (`request`), the holder of the organisation's key answers
(`sign_delegation`), the node takes the answer (:func:`install`). Only public texts travel. A request is a note of the
new key itself, so that nobody asks for a key that he does not have::

    situs.key-request/v1
    acme/prod/eu/node-1/0
    acme/prod/eu/node-1/0+1b0a5f9e+AQ…
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from extproc.notes.errors import KeyFileError, MalformedError
from extproc.notes.keys import SigningKey, create_key, destroy_key, load_key, sync_folder
from extproc.notes.note import VerifierKey, format_vkey, open_note, parse_note, parse_vkey, sign_note
from extproc.trust.chain import links
from extproc.trust.delegation import Delegation, check_scope, name_issuer
from extproc.trust.delegation_file import save_delegations
from extproc.trust.ring_files import delegations_of, lock_ring, next_of, save_root, settle_key

HEADER: Final = "situs.key-request/v1"
_LINES: Final = 3


def requested_of(path: Path) -> Path:
    """Give the file of a new key that waits for its delegation."""
    return path.with_name(f"{path.name}.requested")


def make_request(path: Path, *, scope: str) -> bytes:
    """Make the key that is to take the place of the one at `path`, and give the request for it.

    The key at `path`, if there is one, goes on until the answer is installed. A request that was made before is given
    again, with the same key. Raises NoteError and OSError.
    """
    check_scope(scope)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    waiting = requested_of(path)
    key = load_key(waiting) if waiting.exists() else create_key(waiting)
    name = key.verifier(scope)
    return sign_note(f"{HEADER}\n{scope}\n{format_vkey(name)}\n", name, key.sign)


def open_request(note: bytes) -> VerifierKey:
    """Read a request: the key that asks, under the name of the scope. Raises NoteError."""
    text = parse_note(note).text
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[0] != HEADER:
        raise MalformedError(f"key request: expected {HEADER} and {_LINES} lines, found {lines[0]!r}")
    check_scope(lines[1])
    key = parse_vkey(lines[2])
    if key.name != lines[1]:
        raise MalformedError(f"key request: line 3: expected a key by the name {lines[1]}, found {key.name}")
    open_note(note, (key,))
    return key


def install(path: Path, *, delegations: Sequence[bytes], roots: Sequence[VerifierKey]) -> Delegation:
    """Put the requested key in the place of the one at `path`, which is destroyed, and `delegations` beside it.

    May be run again after it was cut off. Raises NoteError, before anything is changed, when the delegations do not
    lead from one of `roots` to that key, and while a process uses the ring; and OSError.
    """
    chain = list(links(roots=roots, delegations=delegations))
    if not chain:
        raise MalformedError("delegations: expected one at least")
    given = chain[-1].delegation
    lock = lock_ring(path)
    try:
        _find_requested(path, given)
        save_delegations(delegations_of(path), delegations)
        settle_key(path, delegations)
        save_root(path, chain[0].issuer)
    finally:
        os.close(lock)
    return given


def _find_requested(path: Path, given: Delegation) -> None:
    """Make sure that the key is where a ring looks for its next one, or is in place already."""
    waiting, following = requested_of(path), next_of(path)
    if waiting.exists() and _is(load_key(waiting), given):
        if os.path.lexists(following):
            destroy_key(following)
        waiting.replace(following)
        sync_folder(path.parent)
        return
    if not any(each.exists() and _is(load_key(each), given) for each in (following, path)):
        raise KeyFileError(
            f"{path}: no private key of {name_issuer(given.key)} is here. Mend: install where the request was made, or "
            f"make a new request"
        )


def _is(key: SigningKey, given: Delegation) -> bool:
    return key.public == given.key.public
