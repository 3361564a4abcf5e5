"""Checkpoints: the text by which a log states its size and root.

Extension lines are never written, and a checkpoint that has some is refused: we would not know what they promise.

SPEC: https://c2sp.org/tlog-checkpoint
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from extproc.ledger.merkle import HASH_BYTES
from extproc.notes.errors import MalformedError

_LINES: Final = 3
_DIGITS: Final = 20
"""Those of 2**64: no tree has more leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of the log `origin`: `root` is that of the tree of its first `size` entries."""

    origin: str
    size: int
    root: bytes


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Write a checkpoint as the text of a note."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{b64encode(checkpoint.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint from the text of a note. Raises MalformedError."""
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[-1]:
        raise MalformedError(f"checkpoint: expected {_LINES} lines, found {len(lines) - 1}")
    origin, size, root = lines[:_LINES]
    if not origin:
        raise MalformedError("checkpoint: expected an origin in line 1, found nothing")
    # SPEC: decimal, no leading zeros.
    if not (size.isascii() and size.isdigit()) or (size[0] == "0" and size != "0") or len(size) > _DIGITS:
        raise MalformedError(f"checkpoint: expected a size in line 2, found {size!r}")
    try:
        decoded = b64decode(root, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != HASH_BYTES or b64encode(decoded).decode() != root:
        raise MalformedError(f"checkpoint: expected {HASH_BYTES} bytes in base64 in line 3, found {root!r}")
    return Checkpoint(origin=origin, size=int(size), root=decoded)
