"""What the socket needs to know of the process that it stands for: one sidecar, or the supervisor of several."""

from collections.abc import Collection
from typing import Protocol

from extproc.control.status import Status
from extproc.core.ids import OverrideId
from extproc.core.overrides import TargetKind


class Running(Protocol):
    """Asked on the event loop that serves the socket."""

    async def status(self) -> Status:
        """Say how things are now. Raises ControlError where nobody can."""
        ...

    async def names(self, kind: TargetKind) -> Collection[str] | None:
        """Give what the policy in force has of a kind; permits with their regimes.

        None where nobody can say: an order is then taken as it is, for it must not wait until somebody can.
        """
        ...

    async def taken(self, added: frozenset[OverrideId], ended: frozenset[OverrideId]) -> bool:
        """Return True once every decision is made with the orders `added` and without those `ended`, and that recorded.

        False, at once, where this process cannot know. Waits without end, so whoever asks has a limit.
        """
        ...
