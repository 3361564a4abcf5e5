"""Signed notes: a text, and signatures over it by named Ed25519 keys, of its authors and of witnesses.

Owns the format, strictly: what parses formats back to the same bytes. Where keys are kept is for
:mod:`extproc.notes.keys`; what the text says is for those who sign it.

SPEC: https://c2sp.org/signed-note
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError

_TIME_BYTES: Final = 8
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
LONGEST: Final = 16 << 20
"""Longest note that is read at all: a policy bundle of the largest policy. (Go's implementation stops at 1,000,000.)"""
_DASH: Final = "— "  # SPEC: em dash (U+2014), space
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")


class KeyType(IntEnum):
    """What a key signs. SPEC: signature types of signed-note."""

    ED25519 = 1
    """The text itself."""

    COSIGNATURE = 4
    """The text and a time, as a witness does: cosignature/v1 of https://c2sp.org/tlog-cosignature."""


Sign: TypeAlias = Callable[[bytes], bytes]
"""Gives the 64 bytes of an Ed25519 signature over a message."""

_TYPES: Final = {bytes([each]): each for each in KeyType}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line. `signature` holds what follows the key id, of any type and length."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, which ends in a newline, and its signatures, unverified until :func:`open_note` gives them."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key of Ed25519, the name by which it signs and what it signs."""

    name: str
    public: bytes
    type: KeyType = KeyType.ED25519

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != _KEY_BYTES:
            raise MalformedError(f"key of {self.name}: expected {_KEY_BYTES} bytes, found {len(self.public)}")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, type, key)."""
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:_ID_BYTES]

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature` is this key's over `text`."""
        message = text.encode()
        if self.type is KeyType.COSIGNATURE:
            if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
                return False
            message = cosigned_message(text, int.from_bytes(signature[:_TIME_BYTES]))
            signature = signature[_TIME_BYTES:]
        return self.verifies_bytes(message, signature)

    def verifies_bytes(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is the bare Ed25519 one of this key over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def cosigned_message(text: str, at_s: int) -> bytes:
    """Give what a witness signs at a time in Unix seconds. SPEC: tlog-cosignature."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def cosigned_at_s(signature: Signature) -> int:
    """Give the time that a witness put into its verified signature, in Unix seconds."""
    return int.from_bytes(signature.signature[:_TIME_BYTES])


def format_vkey(key: VerifierKey) -> str:
    """Write a key as `name+hash+base64`."""
    return f"{key.name}+{key.key_id.hex()}+{b64encode(bytes([key.type]) + key.public).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a key from `name+hash+base64`. Raises MalformedError."""
    name, plus, rest = text.partition("+")
    key_id, second, encoded = rest.partition("+")
    if not (plus and second):
        raise MalformedError(f"verifier key {text!r}: expected name+hash+base64")
    material = _decode(encoded, "verifier key")
    if material[:1] not in _TYPES:
        found = material[:1].hex() or "none"
        raise MalformedError(f"verifier key of {name}: expected type 1 (Ed25519) or 4 (cosignature), found {found}")
    key = VerifierKey(name=name, public=material[1:], type=_TYPES[material[:1]])
    if key.key_id.hex() != key_id:
        raise MalformedError(f"verifier key of {name}: expected hash {key.key_id.hex()}, found {key_id}")
    return key


def sign_note(text: str, key: VerifierKey, sign: Sign) -> bytes:
    """Give the bytes of the note that `key` signs alone, as type Ed25519."""
    return format_note(Note(text=text, signatures=(make_signature(text, key, sign),)))


def make_signature(text: str, key: VerifierKey, sign: Sign) -> Signature:
    """Sign a text by a key of type Ed25519."""
    _check_text(text)
    return Signature(name=key.name, key_id=key.key_id, signature=sign(text.encode()))


def make_cosignature(text: str, key: VerifierKey, sign: Sign, *, at_s: int) -> Signature:
    """Sign a text and a time in Unix seconds by a key of type cosignature. SPEC: tlog-cosignature."""
    _check_text(text)
    signature = at_s.to_bytes(_TIME_BYTES) + sign(cosigned_message(text, at_s))
    return Signature(name=key.name, key_id=key.key_id, signature=signature)


def format_note(note: Note) -> bytes:
    """Write a note."""
    _check_text(note.text)
    lines = [f"{_DASH}{each.name} {b64encode(each.key_id + each.signature).decode()}\n" for each in note.signatures]
    return (note.text + "\n" + "".join(lines)).encode()


def parse_note(data: bytes) -> Note:
    """Read a note without verifying anything. Raises MalformedError."""
    if len(data) > LONGEST:
        raise MalformedError(f"note: expected at most {LONGEST} bytes, found {len(data)}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"note: not UTF-8 at byte {error.start}") from None
    # SPEC: the signatures follow the last empty line.
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise MalformedError("note: expected a text, an empty line and signature lines")
    text += "\n"
    _check_text(text)
    return Note(text=text, signatures=tuple(_parse_signature(line) for line in tail[:-1].split("\n")))


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> Note:
    """Read a note and give it with those of its signatures that `keys` verify; others are left out.

    Raises MalformedError, SignatureError when a signature claims a known key but is not its, and UnknownSignerError
    when no known key has signed.
    """
    note = parse_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    verified: list[Signature] = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(note.text, signature.signature):
            raise SignatureError(f"note: the signature of {key.name} ({key.key_id.hex()}) does not verify")
        verified.append(signature)
    if not verified:
        found = ", ".join(f"{each.name} ({each.key_id.hex()})" for each in note.signatures)
        raise UnknownSignerError(f"note: signed by no trusted key; found {found}")
    return Note(text=note.text, signatures=tuple(verified))


def _parse_signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise MalformedError(f"note: expected a signature line, found {line!r}")
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not space:
        raise MalformedError(f"note: expected name and base64 in {line!r}")
    _check_name(name)
    raw = _decode(encoded, f"signature of {name}")
    if len(raw) <= _ID_BYTES:
        raise MalformedError(f"note: the signature of {name} is too short")
    return Signature(name=name, key_id=raw[:_ID_BYTES], signature=raw[_ID_BYTES:])


def _check_name(name: str) -> None:
    """Refuse what is no key name. SPEC: not empty, no Unicode space, no plus."""
    if not name or "+" in name or any(character.isspace() for character in name):
        raise MalformedError(f"key name {name!r}: expected no space, no plus, and not nothing")


def _check_text(text: str) -> None:
    """Refuse what is no note's text. SPEC: ends in a newline; no other control characters of ASCII."""
    if not text.endswith("\n"):
        raise MalformedError("note: the text does not end in a newline")
    if _CONTROL.search(text):
        raise MalformedError("note: the text holds a control character")


def _decode(encoded: str, what: str) -> bytes:
    """Decode base64 in its one canonical form."""
    try:
        raw = b64decode(encoded, validate=True)
    except ValueError:
        raise MalformedError(f"{what}: not base64") from None
    if b64encode(raw).decode() != encoded:
        raise MalformedError(f"{what}: base64 not in canonical form")
    return raw
