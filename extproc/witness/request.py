"""What travels between a log and a witness, as text.

SPEC: https://c2sp.org/tlog-witness, section add-checkpoint
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.merkle import HASH_BYTES
from extproc.notes.errors import MalformedError
from extproc.notes.note import Note, Signature, format_note, parse_note

ADD_CHECKPOINT: Final = "/add-checkpoint"
ADD_DELEGATIONS: Final = "/add-delegations"
"""Our own, beside tlog-witness: see README.md."""
HEADS: Final = "/heads"
"""Our own: every log's latest size as JSON, where the operator lets it be seen."""
SIZE_TYPE: Final = "text/x.tlog.size"
"""SPEC: the type of the body of a 409."""
LONGEST_PROOF: Final = 63
"""SPEC: most lines of a proof."""
LARGEST_TREE: Final = (1 << 63) - 1
_CHECKPOINT_LINES: Final = 3
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """A log's request: cosign `checkpoint`, a note, which continues the tree of `old` leaves as `proof` shows."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes


def format_add_checkpoint(request: AddCheckpoint) -> bytes:
    """Write the body of a request."""
    lines = [f"old {request.old}\n", *(f"{b64encode(each).decode()}\n" for each in request.proof), "\n"]
    return "".join(lines).encode() + request.checkpoint


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read the body of a request. The checkpoint is not looked into. Raises MalformedError."""
    head, blank, checkpoint = body.partition(b"\n\n")
    if not blank:
        raise MalformedError("request: expected lines of a proof, an empty line and a checkpoint")
    first, *lines = head.split(b"\n")
    word, _, size = first.partition(b" ")
    if word != b"old":
        raise MalformedError(f"request: expected `old SIZE` in line 1, found {first[:40]!r}")
    if len(lines) > LONGEST_PROOF:
        raise MalformedError(f"request: expected at most {LONGEST_PROOF} lines of a proof, found {len(lines)}")
    proof = tuple(_parse_hash(line, number) for number, line in enumerate(lines, 2))
    return AddCheckpoint(old=parse_size(size), proof=proof, checkpoint=checkpoint)


def parse_size(text: bytes) -> int:
    """Read a tree size: decimal, without leading zeros, below 2**63. Raises MalformedError."""
    match = _SIZE.fullmatch(text.decode("ascii", "replace"))
    if match is None or int(match[0]) > LARGEST_TREE:
        raise MalformedError(f"expected a tree size, found {text[:40]!r}")
    return int(match[0])


def parse_head(text: str) -> Checkpoint:
    """Read the checkpoint in the text of a note, and let extension lines be. Raises MalformedError.

    SPEC: tlog-checkpoint: extension lines are opaque, optional and not empty. We write none, but others' logs may.
    """
    lines = text.split("\n")
    if "" in lines[:-1]:
        raise MalformedError("checkpoint: an empty line")
    checkpoint = parse_checkpoint("".join(f"{line}\n" for line in lines[:-1][:_CHECKPOINT_LINES]))
    if checkpoint.size > LARGEST_TREE:
        raise MalformedError(f"checkpoint: expected a size below 2**63, found {checkpoint.size}")
    return checkpoint


def format_signatures(signatures: Sequence[Signature]) -> bytes:
    """Write the body of an answer: signature lines, as they stand in a note."""
    return format_note(Note(text="\n", signatures=tuple(signatures)))[2:]


def parse_signatures(body: bytes, text: str) -> tuple[Signature, ...]:
    """Read an answer to a request for the note `text`. Nothing is verified. Raises MalformedError."""
    # A blank line in the answer would move the end of the text, and what is verified is what we sent.
    note = parse_note(text.encode() + b"\n" + body)
    if note.text != text:
        raise MalformedError("answer: expected signature lines, found an empty line")
    return note.signatures


def monitor_path(origin: str) -> str:
    """Give the path of a log's latest cosigned checkpoint. SPEC: Monitor Retrieval Mechanism."""
    return f"/{sha256(origin.encode()).hexdigest()}/checkpoint"


def _parse_hash(line: bytes, number: int) -> bytes:
    try:
        found = b64decode(line, validate=True)
    except ValueError:
        found = b""
    if len(found) != HASH_BYTES or b64encode(found) != line:
        raise MalformedError(f"request: expected a hash in base64 in line {number}, found {line[:60]!r}")
    return found
