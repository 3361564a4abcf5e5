"""Decision ids: UUIDs of version 7, so that they sort by time and cannot be guessed.

SPEC: RFC 9562 section 5.7.
"""

import os
from typing import Final

from extproc.core.ids import DecisionId

_POOL_IDS: Final = 256
_RANDOM_BYTES: Final = 10


class DecisionIds:
    """Makes ids from a pool of the system's randomness: one system call for every 256 of them."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def make(self, now_s: float) -> DecisionId:
        """Give a new id for a decision at `now_s`, Unix time in seconds."""
        if self._at >= len(self._pool):
            self._pool = os.urandom(_POOL_IDS * _RANDOM_BYTES)
            self._at = 0
        random = self._pool[self._at : self._at + _RANDOM_BYTES].hex()
        self._at += _RANDOM_BYTES
        time_ms = f"{int(now_s * 1000):012x}"
        variant = "89ab"[int(random[3], 16) & 3]
        return DecisionId(
            f"{time_ms[:8]}-{time_ms[8:12]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}",
        )
