"""What the release of an entry waits for."""

from enum import StrEnum


class Durability(StrEnum):
    """What releasing a decision waits for."""

    FSYNC = "fsync"
    """The disk has it: survives a power loss, as far as the disk honours a flush."""

    PAGE = "page"
    """The kernel has it: survives the end of the process. Flushed within 50 ms."""

    OBSERVE = "observe"
    """Nothing. It is recorded all the same; where that cannot be, it is counted in a Gap."""
