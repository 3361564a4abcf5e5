"""The files of a key ring, and how they come back to one living key after a rotation that was cut off.

They lie in one folder, private ones of mode 0600; none belongs where logs are kept::

    log.pem               the private key that signs now
    log.pem.delegations   the notes that lead from the root of trust to it; absent while it is the root itself
    log.pem.root.vkey     the root of trust: an organisation's key, or the first key of this ring
    log.pem.lock          held by the process that uses the ring; holds its process id
    log.pem.next          the next private key, while a rotation is under way
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from extproc.notes.errors import KeyFileError
from extproc.notes.keys import (
    SigningKey,
    create_key,
    destroy_key,
    load_key,
    overwrite_key,
    replace_vkeys,
    sync_folder,
)
from extproc.notes.note import VerifierKey
from extproc.trust.delegation import name_issuer, read_delegation


def delegations_of(path: Path) -> Path:
    """Give the file of the notes that vouch for the key at `path`."""
    return path.with_name(f"{path.name}.delegations")


def root_of(path: Path) -> Path:
    """Give the file of the root of trust of the key at `path`."""
    return path.with_name(f"{path.name}.root.vkey")


def next_of(path: Path) -> Path:
    """Give the file of the key that is to follow the one at `path`."""
    return path.with_name(f"{path.name}.next")


def lock_ring(path: Path) -> int:
    """Take the right to change the ring at `path`; closing the descriptor lets it go.

    Raises KeyFileError while another process has it, and OSError.
    """
    lock = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise KeyFileError(
            f"{path}: process {holder} uses this key and changes it in time. Mend: give each process a key of its own, "
            f"or stop that one first"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def settle_key(path: Path, delegations: Sequence[bytes]) -> SigningKey:
    """Give the one living key of a ring: the one that the last delegation names, put in its place where it was not yet.

    Every other key that lies there is destroyed. Raises KeyFileError when that key is not there, or not private.
    """
    following = next_of(path)
    expected = read_delegation(delegations[-1]).key if delegations else None
    try:
        key: SigningKey | None = load_key(path)
        why: KeyFileError | None = None
    except KeyFileError as error:
        key, why = None, error
    if key is not None and (expected is None or key.public == expected.public):
        # Nothing vouches for a next key yet, so it has signed nothing.
        if os.path.lexists(following):
            destroy_key(following)
        return key
    if expected is None or not following.exists():
        found = f"{path}: holds another key than {path.name}.delegations names last"
        wanted = "" if expected is None else f" ({name_issuer(expected)})"
        raise why or KeyFileError(f"{found}{wanted}. Mend: put back the file that belongs there, or run the ceremony")
    successor = load_key(following)
    if successor.public != expected.public:
        raise KeyFileError(f"{following}: expected the key {name_issuer(expected)}, found another")
    put_next_in_place(path)
    return successor


def load_settled_key(path: Path, delegations: Sequence[bytes]) -> SigningKey:
    """Give the living key of a ring without changing anything there. Raises KeyFileError in the middle of a change."""
    key = load_key(path)
    expected = read_delegation(delegations[-1]).key if delegations else None
    if expected is not None and key.public != expected.public:
        raise KeyFileError(
            f"{path}: expected the key {name_issuer(expected)}, found another: a change of keys is under way, or was "
            f"cut off. Mend: start the sidecar that changes this key, and it is finished; or run the ceremony"
        )
    return key


def make_next(path: Path) -> SigningKey:
    """Make the key that is to follow the one at `path`, durably; one that was left there is destroyed."""
    following = next_of(path)
    if os.path.lexists(following):
        destroy_key(following)
    return create_key(following)


def put_next_in_place(path: Path) -> None:
    """Destroy the key at `path`, and let the next one have its place, durably. May be done again. Raises OSError."""
    if next_of(path).exists():  # else it is in its place already, and that key must not be destroyed
        if path.exists():
            overwrite_key(path)
        next_of(path).replace(path)
    sync_folder(path.parent)


def save_root(path: Path, root: VerifierKey) -> None:
    """Keep the root of trust of the key at `path`, durably, in the place of another. Raises OSError."""
    replace_vkeys(root_of(path), (root,))
    sync_folder(path.parent)
