"""Envelopes around a signed payload, of which the type is signed too.

Owns the format, with Ed25519 and nothing else. What the payload says is for :mod:`extproc.export.statement`.

SPEC: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md and envelope.md
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import Signer

IN_TOTO: Final = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload and its type, of which a signature was verified."""

    type: str
    payload: bytes


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed. SPEC: PAE: "DSSEv1", then length and bytes of both, with spaces between."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(public: bytes) -> str:
    """Name a public key. SPEC: a hint that nobody may rely on; here SHA-256 of the 32 bytes, in hex."""
    return sha256(public).hexdigest()


def seal_envelope(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """Sign a payload and give its envelope as JSON."""
    signature = {"keyid": key_id(signer.public), "sig": b64encode(signer.sign(pae(payload_type, payload))).decode()}
    envelope = {
        "payload": b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [signature],
    }
    return (json.dumps(envelope, indent=1, sort_keys=True) + "\n").encode()


def open_envelope(data: bytes, publics: Sequence[bytes]) -> Envelope:
    """Read an envelope that one of these keys, each of 32 bytes, has signed.

    Raises MalformedError, UnknownSignerError where none of them is named (an envelope without a signature is nobody's),
    and SignatureError where one is named and did not sign this.
    """
    try:
        envelope = json.loads(data)
        kind, payload = envelope["payloadType"], b64decode(envelope["payload"], validate=True)
        signatures = [
            (str(each.get("keyid", "")), b64decode(each["sig"], validate=True)) for each in envelope["signatures"]
        ]
        message = pae(kind, payload)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedError(f"envelope: {error!r}") from None
    known = {key_id(public): public for public in publics}
    for name, signature in signatures:
        if name in known:
            try:
                Ed25519PublicKey.from_public_bytes(known[name]).verify(signature, message)
            except InvalidSignature:
                raise SignatureError(f"envelope: the signature of {name} does not verify") from None
            return Envelope(type=kind, payload=payload)
    found = ", ".join(name or "a key without a name" for name, _ in signatures) or "no signature"
    raise UnknownSignerError(f"envelope: signed by no trusted key; found {found}")
