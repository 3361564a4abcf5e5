"""How much room the disk of the log has left, and what follows from that.

Owns two marks. Below the low one somebody should be told; below the full one ordinary entries are refused while there
is room left to say so: legal orders, configurations, signs of life and the end of the log still go in. Neither poisons
the log. A disk that really refuses a write does.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class RoomState(StrEnum):
    """Between which marks the disk is."""

    AMPLE = "ample"
    LOW = "low"
    """Below the low mark: everything is recorded, and somebody should make room."""
    FULL = "full"
    """Below the full mark: only reserved entries are recorded, until there is room again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The marks, in bytes that an ordinary user may still write. Zero for both switches them off."""

    low_bytes: int = 1 << 30
    """Below this, `low`. Default 1 GiB: a minute at the highest speed, hours at a usual one."""
    full_bytes: int = 256 << 20
    """Below this, `full`. Default 256 MiB: four segments, so that what is reserved never meets a full disk."""

    def __post_init__(self) -> None:
        if not 0 <= self.full_bytes <= self.low_bytes:
            raise ValueError(
                f"room: expected 0 <= full_bytes <= low_bytes, found full_bytes {self.full_bytes}, "
                f"low_bytes {self.low_bytes}"
            )

    def judge(self, free_bytes: int) -> RoomState:
        """Tell between which marks a disk with so many free bytes is."""
        if free_bytes < self.full_bytes:
            return RoomState.FULL
        return RoomState.LOW if free_bytes < self.low_bytes else RoomState.AMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSeen:
    """What was found at the last look."""

    state: RoomState
    free_bytes: int


def look_for_room(directory: Path, room: Room) -> RoomSeen:
    """Look at the disk that holds `directory`. Raises OSError."""
    disk = os.statvfs(directory)
    free_bytes = disk.f_bavail * disk.f_frsize
    return RoomSeen(state=room.judge(free_bytes), free_bytes=free_bytes)
