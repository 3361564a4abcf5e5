"""How the supervisor tells a process that it is a worker: the hidden option `--as-worker`, and what it inherits."""

import ctypes
import os
import signal
import socket
from dataclasses import dataclass
from typing import Final

from extproc.workers.counters import SharedBlock, SharedCounters
from extproc.workers.membership import Membership

OPTION: Final = "--as-worker"
_AGAIN: Final = "again"
_FIELDS: Final = 5
_PR_SET_PDEATHSIG: Final = 1  # SPEC: prctl(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summons:
    """Which worker a process is. The others are descriptors that it inherits.

    `channel` is its end of the socket pair, `block` the shared counts, `tenure` the lock that it holds with its
    supervisor. `again` tells that a process took this place before: what is meant for the start of a set is not for
    this one.
    """

    index: int
    channel: int
    block: int
    tenure: int
    again: bool

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the process inherits."""
        return (self.channel, self.block, self.tenure)


def format_summons(summons: Summons) -> str:
    """Write the option's argument."""
    numbers = (summons.index, *summons.descriptors)
    return ",".join([*map(str, numbers), _AGAIN if summons.again else "first"])


def parse_summons(text: str) -> Summons:
    """Read the option's argument. Raises ValueError."""
    *numbers, which = text.split(",")
    if len(numbers) != _FIELDS - 1:
        raise ValueError(f"{text!r} is not what a supervisor writes")
    index, channel, block, tenure = map(int, numbers)
    return Summons(index=index, channel=channel, block=block, tenure=tenure, again=which == _AGAIN)


async def take_part(summons: Summons) -> Membership:
    """Take the place in the set, and die with the supervisor. Raises OSError where it is gone already."""
    # The channel's end tells the same; this reaches a worker whose event loop hangs.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    for descriptor in summons.descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the standard library's own signature
    block = SharedBlock(summons.block)
    membership = Membership(
        index=summons.index,
        workers=block.workers,
        counters=SharedCounters(block, summons.index),
        catalogue=block.catalogue,
    )
    await membership.connect(socket.socket(fileno=summons.channel))
    return membership
