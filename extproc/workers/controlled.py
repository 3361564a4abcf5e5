"""What the control socket is told of a set of workers: each is asked, and all of them count."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from extproc.control.errors import ControlError
from extproc.control.status import Status, status_of
from extproc.core.ids import OverrideId
from extproc.core.overrides import TargetKind
from extproc.workers.hub import Hub

_LOOK_S: Final = 0.05


class Controlled:
    """A set of `workers`, of which `hub` has the channels."""

    def __init__(self, hub: Hub, *, workers: int) -> None:
        self._hub = hub
        self._workers = workers

    async def status(self) -> Status:
        """Say how things are now, with the log of each worker. Raises ControlError while no worker answers."""
        told = await self._hub.inquire()
        found = {worker: status_of(each["status"]) for worker, each in told.items() if each}
        if not found:
            raise ControlError("no worker answers. Mend: see what the workers say in the event log")
        reasons = [f"worker {worker}: {reason}" for worker, status in found.items() for reason in status.reasons]
        reasons += [f"worker {worker} does not answer" for worker in range(self._workers) if worker not in found]
        return replace(
            next(iter(found.values())),
            reasons=tuple(reasons),
            logs=tuple(log for status in found.values() for log in status.logs),
        )

    async def names(self, kind: TargetKind) -> Collection[str] | None:
        """Give what the policy in force has of a kind; None while no worker answers."""
        for told in (await self._hub.inquire()).values():
            if told:
                names: list[str] = told["names"][kind]
                return names
        return None

    async def taken(self, added: frozenset[OverrideId], ended: frozenset[OverrideId]) -> bool:
        """Return True once every worker decides by it. While one is being started again, nobody can say that."""
        while not self._have(await self._hub.inquire(), added, ended):  # noqa: ASYNC110 - workers tell nothing unasked
            await asyncio.sleep(_LOOK_S)
        return True

    def _have(
        self, told: Mapping[int, Mapping[str, Any] | None], added: frozenset[OverrideId], ended: frozenset[OverrideId]
    ) -> bool:
        orders = [{row["id"] for row in each["status"]["orders"]} if each else None for each in told.values()]
        return len(orders) == self._workers and all(
            each is not None and each.issuperset(added) and each.isdisjoint(ended) for each in orders
        )
