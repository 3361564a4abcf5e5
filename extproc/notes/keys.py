"""Signing keys on disk: made, loaded, and their public halves handed out.

A private key is an Ed25519 key as unencrypted PKCS #8 in PEM, so `openssl genpkey -algorithm ed25519` makes one too. It
is read from a regular file that nobody but its owner may read, whatever links lead there (mounted secrets are links),
and from a folder in which nobody else could put another in its place. It is never logged, and its object shows only the
public half.

A public key is a verifier key of C2SP signed-note in a `.vkey` file, one per line.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from extproc.notes.errors import KeyFileError, MalformedError
from extproc.notes.note import VerifierKey, format_vkey, parse_vkey

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITERS: Final = stat.S_IWGRP | stat.S_IWOTH
_LARGEST: Final = 4096
"""Far above any Ed25519 key file: something larger is something else."""


class Signer(Protocol):
    """Whatever signs: a key in a file, or one that never leaves a hardware module."""

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the Ed25519 signature."""
        ...


class SigningKey:
    """A private key. It bears no name: who signs says by which (a log by its origin)."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature."""
        return self._private.sign(message)

    def verifier(self, name: str) -> VerifierKey:
        """Give the public half under the name by which it signs."""
        return VerifierKey(name=name, public=self.public)


def generate_key() -> SigningKey:
    """Make a key that lives in memory alone, for tests and trials."""
    return SigningKey(Ed25519PrivateKey.generate())


def create_key(path: Path) -> SigningKey:
    """Make a key and its file, mode 0600, durably.

    Raises KeyFileError when the file exists, because a key is never overwritten, when others may write its folder, and
    when there is no such folder.
    """
    _check_folder(path)
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path}: exists, and a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.parent)
    return SigningKey(private)


def load_key(path: Path) -> SigningKey:
    """Read a key.

    Raises KeyFileError when it is missing, no Ed25519 key, open to group or others, or in a folder that they may write.
    """
    pem = read_private_file(path)
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # The cause is dropped on purpose: it might quote the file.
        raise KeyFileError(f"{path}: not an unencrypted private key in PEM") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: not an Ed25519 key")
    return SigningKey(private)


def read_private_file(path: Path) -> bytes:
    """Read a small file that is for its owner alone, such as a private key or a PIN.

    Raises KeyFileError when it is missing, no regular file, open to group or others, or in a folder they may write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be opened: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        # Judged by what was opened, not by the path: nobody can put another file in between.
        status = os.fstat(descriptor)
        mode = status.st_mode
        if not stat.S_ISREG(mode):
            raise KeyFileError(f"{path}: not a regular file")
        if mode & _OTHERS:
            raise KeyFileError(
                f"{path}: mode {stat.S_IMODE(mode):04o} lets others at it; expected 0600 or less: chmod 600 {path}"
            )
        data = file.read(_LARGEST)
    _check_folder(path, owner=status.st_uid)
    return data


def load_or_create_key(path: Path) -> SigningKey:
    """Read the key, or make it when there is none, folder included."""
    if path.exists():
        return load_key(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return create_key(path)


def destroy_key(path: Path) -> None:
    """Overwrite a private key's file where it lies, then remove it, durably. Raises OSError.

    What a file system has copied elsewhere (snapshots, journals, the reserve of a flash disk) it does not reach.
    """
    overwrite_key(path)
    path.unlink()
    sync_folder(path.parent)


def overwrite_key(path: Path) -> None:
    """Overwrite a private key's file where it lies, durably; its name stays. Raises OSError."""
    with path.open("r+b") as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def add_vkey(path: Path, key: VerifierKey) -> None:
    """Make sure that the `.vkey` file at `path` lists `key`; keys that it lists already stay."""
    keys = load_vkeys(path) if path.exists() else ()
    if key not in keys:
        replace_vkeys(path, (*keys, key))


def replace_vkeys(path: Path, keys: Sequence[VerifierKey]) -> None:
    """Write the `.vkey` file at `path` whole; the flush of its folder is the caller's."""
    scratch = path.with_name(f".{path.name}.new")
    with scratch.open("w", encoding="utf-8") as file:
        file.write("".join(f"{format_vkey(each)}\n" for each in keys))
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def load_vkeys(path: Path) -> tuple[VerifierKey, ...]:
    """Read a `.vkey` file: one verifier key per line. Raises MalformedError, naming file and line."""
    keys: list[VerifierKey] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            keys.append(parse_vkey(line))
        except MalformedError as error:
            raise MalformedError(f"{path}:{number}: {error}") from None
    if not keys:
        raise MalformedError(f"{path}: holds no verifier key")
    return tuple(keys)


def _check_folder(path: Path, *, owner: int | None = None) -> None:
    """Refuse a folder in which others could put a key of theirs in the place of this one.

    In a folder with the sticky bit, such as /tmp or the root of a mounted secret, nobody replaces what another owns.
    But anybody may have put it there first, so there the `owner` of the file must be this user or root.
    """
    for folder in {path.parent, path.resolve().parent}:
        try:
            mode = folder.stat().st_mode
        except OSError as error:
            raise KeyFileError(f"{folder}: cannot be opened: {error.strerror}") from None
        if not mode & _WRITERS:
            continue
        if not mode & stat.S_ISVTX:
            raise KeyFileError(
                f"{folder}: mode {stat.S_IMODE(mode):04o} lets others replace the key in it; chmod go-w "
                f"{folder}, or keep it in a folder of its own below"
            )
        if owner is not None and owner not in {os.geteuid(), 0}:
            raise KeyFileError(f"{path}: belongs to another user (id {owner}), in a folder that anybody may write")
