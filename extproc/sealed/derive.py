"""Which key makes what. All are HMAC-SHA-256 (RFC 2104) under labels, so no two uses of a key can be confused.

Two kinds of keys are random and stored: one for each (tenant, day), one for each (tenant, day, subject)::

    row of a subject = HMAC(day key, "situs/subject" 0x00 subject)     finds the subject's key in the store
    pseudonym        = HMAC(subject key, "pseudonym"), 16 bytes        stands in the record
    request          = HMAC(day key, "situs/request" 0x00 id), 16 bytes
    sealing key      = HMAC(key, "situs/seal")                         of the subject's key, else of the day's

A pseudonym of HMAC(day key, subject) would be simpler and weaker: whoever kept the day key could go on computing it for
every name they think of. Here it depends on a random key of that one person and day. With that key destroyed the
pseudonym is noise even to whoever still has the day key and knows the name.

The request's hash is of the day alone, so that a record can be found by the id that an access log has. Whoever keeps
both that log and the day key can still link the two: destroy the day, or let the access log end first.
"""

from hmac import digest
from typing import Final

KEY_BYTES: Final = 32
SHORT_BYTES: Final = 16
"""Of a pseudonym and a request's hash: 128 bits, so that two persons never share one by chance."""


def subject_row(day_key: bytes, subject: str) -> bytes:
    """Give the row under which the store has a subject's key: 32 bytes."""
    return digest(day_key, b"situs/subject\x00" + subject.encode("utf-8", "surrogatepass"), "sha256")


def pseudonym_of(subject_key: bytes) -> bytes:
    """Give the pseudonym of a subject on a day."""
    return digest(subject_key, b"pseudonym", "sha256")[:SHORT_BYTES]


def request_hash(day_key: bytes, request_id: str) -> bytes:
    """Give what a record holds in place of a request's id."""
    return digest(day_key, b"situs/request\x00" + request_id.encode("utf-8", "surrogatepass"), "sha256")[:SHORT_BYTES]


def sealing_key(key: bytes) -> bytes:
    """Give the AES-256 key of a subject's blocks, or of the blocks of a day's requests without a subject."""
    return digest(key, b"situs/seal", "sha256")
