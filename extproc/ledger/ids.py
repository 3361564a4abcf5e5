"""Decision ids as the sixteen bytes that entries hold."""

from itertools import pairwise
from typing import Final

from extproc.core.ids import DecisionId

_BYTES: Final = 16
_CUTS: Final = (0, 8, 12, 16, 20, 32)
"""Places in the hex digits between which the canonical form of a UUID has its hyphens (RFC 9562)."""


def id_to_bytes(decision_id: DecisionId) -> bytes:
    """Give the 16 bytes of a decision's id. Raises ValueError when it is no UUID."""
    raw = bytes.fromhex(decision_id.replace("-", ""))
    if len(raw) != _BYTES:
        raise ValueError(f"expected a UUID as decision id, found {decision_id!r}")
    return raw


def id_from_bytes(raw: bytes) -> DecisionId:
    """Give a decision's id in canonical text. Raises ValueError."""
    if len(raw) != _BYTES:
        raise ValueError(f"expected {_BYTES} bytes of a decision id, found {len(raw)}")
    digits = raw.hex()
    return DecisionId("-".join(digits[start:end] for start, end in pairwise(_CUTS)))
