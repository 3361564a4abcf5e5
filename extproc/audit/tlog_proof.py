"""Proofs that an entry was logged, as one text that stands by itself.

Owns the format. That a proof holds is checked by :mod:`extproc.audit.check_proof`.

SPEC: https://c2sp.org/tlog-proof
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from extproc.ledger.merkle import HASH_BYTES
from extproc.notes.errors import MalformedError

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
"""A number below 2**64, about: one of thousands of digits Python refuses to read."""
_MOST_HASHES: Final = 64
"""No tree of 2**64 leaves has a longer inclusion proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """The parts of a proof. `hashes` lead from the leaf's sibling to the root's child; `checkpoint` is a signed note.

    `extra` is opaque, signed by nobody, and None where there is no such line.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def format_tlog_proof(proof: TlogProof) -> bytes:
    """Write a proof."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(_EXTRA + b64encode(proof.extra).decode())
    lines.append(f"{_INDEX}{proof.index}")
    lines += [b64encode(each).decode() for each in proof.hashes]
    return "\n".join([*lines, "", ""]).encode() + proof.checkpoint


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Read a proof, strictly: what is read formats back to the same bytes. Raises MalformedError."""
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("proof: expected ASCII before the checkpoint") from None
    if lines.pop(0) != HEADER:
        raise MalformedError(f"proof: expected {HEADER} in line 1")
    if not blank or not checkpoint:
        raise MalformedError("proof: expected an empty line and a checkpoint after the hashes")
    extra = None
    if lines and lines[0].startswith(_EXTRA):
        extra = _decode(lines.pop(0).removeprefix(_EXTRA), "extra data")
    number = lines.pop(0) if lines else ""
    digits = number.removeprefix(_INDEX)
    # SPEC: decimal, no leading zeroes.
    if not number.startswith(_INDEX) or _NUMBER.fullmatch(digits) is None:
        raise MalformedError(f"proof: expected a line `index` with a number, found {number!r}")
    if len(lines) > _MOST_HASHES:
        raise MalformedError(f"proof: expected at most {_MOST_HASHES} hashes, found {len(lines)}")
    hashes = tuple(_decode(line, "hash") for line in lines)
    if any(len(each) != HASH_BYTES for each in hashes):
        raise MalformedError(f"proof: expected hashes of {HASH_BYTES} bytes")
    return TlogProof(index=int(digits), hashes=hashes, checkpoint=checkpoint, extra=extra)


def _decode(encoded: str, what: str) -> bytes:
    try:
        raw = b64decode(encoded, validate=True)
    except ValueError:
        raise MalformedError(f"proof: {what} {encoded!r} is not base64") from None
    if b64encode(raw).decode() != encoded:
        raise MalformedError(f"proof: {what} {encoded!r} is not base64 in canonical form")
    return raw
