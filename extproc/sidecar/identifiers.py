"""Decision ids: UUIDs of version 7, so that they sort by time and cannot be guessed.

Where several workers decide, the last 8 of an id's 74 random bits say which one made it: then Envoy's report finds its
way to that worker. The other 66 stay random, so two workers make no equal ids even in one millisecond.

SPEC: RFC 9562 section 5.7. What the random bits hold is the maker's own business there.
"""

import os
from typing import Final

from extproc.core.ids import DecisionId

_POOL_IDS: Final = 256
_RANDOM_BYTES: Final = 10
MOST_WORKERS: Final = 256
"""As many as 8 bits can tell apart."""


class DecisionIds:
    """Makes ids from a pool of the system's randomness: one system call for every 256 of them."""

    def __init__(self, worker: int | None = None) -> None:
        """Make ids of this worker, 0 to 255; None for a process that is alone, whose ids tell nothing."""
        self._pool = b""
        self._at = 0
        self._end = None if worker is None else f"{worker:02x}"

    def make(self, now_s: float) -> DecisionId:
        """Give a new id for a decision at `now_s`, Unix time in seconds."""
        if self._at >= len(self._pool):
            self._pool = os.urandom(_POOL_IDS * _RANDOM_BYTES)
            self._at = 0
        random = self._pool[self._at : self._at + _RANDOM_BYTES].hex()
        if self._end is not None:
            random = random[:17] + self._end
        self._at += _RANDOM_BYTES
        time_ms = f"{int(now_s * 1000):012x}"
        variant = "89ab"[int(random[3], 16) & 3]
        return DecisionId(
            f"{time_ms[:8]}-{time_ms[8:12]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}",
        )


def worker_of(decision: DecisionId) -> int:
    """Tell which worker made an id. Of one that a process made which was alone, it is any number from 0 to 255."""
    return int(decision[-2:], 16)
