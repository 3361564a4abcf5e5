"""What the control socket is told of a sidecar that is alone, or of one worker."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from extproc.control.regions import region_statuses
from extproc.control.status import LogStatus, Status, status_to_document
from extproc.core.ids import OverrideId
from extproc.core.overrides import TargetKind
from extproc.ledger.commit import Ledger
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.inflight import InFlight
from extproc.sidecar.live import Live
from extproc.sidecar.reloading import Reloading


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """The parts of a sidecar that know; `clock` gives Unix seconds."""

    live: Live
    reloading: Reloading
    in_flight: InFlight
    deliveries: Deliveries
    ledger: Ledger
    worker: str
    why_not_ready: Callable[[], list[str]]
    clock: Callable[[], float]

    def tell(self) -> dict[str, object]:
        """Say all of it in plain types, for the supervisor of several."""
        names = {kind.value: sorted(self.live.configuration.names(kind)) for kind in TargetKind}
        return {"status": status_to_document(self._status()), "names": names}

    async def status(self) -> Status:
        """Say how things are now."""
        return self._status()

    def _status(self) -> Status:
        now_s = self.clock()
        configuration, current = self.live.configuration, self.live.current
        snapshot, policy = current.snapshot, current.snapshot.policy
        return Status(
            at_s=now_s,
            policy=policy.id,
            version=policy.version,
            revision=policy.revision,
            configuration=snapshot.revision,
            reasons=tuple(self.why_not_ready()),
            regions=region_statuses(
                policy,
                standings=snapshot.standings,
                fitness=snapshot.fitness,
                suspensions=snapshot.suspensions,
                in_flight=self.in_flight.at(current.catalogue),
                now_s=now_s,
            ),
            orders=tuple(snapshot.suspensions),
            inert=tuple(order.id for order in configuration.inert),
            logs=(
                LogStatus(
                    worker=self.worker,
                    origin=self.ledger.origin,
                    size=self.ledger.size,
                    awaited=len(self.deliveries),
                ),
            ),
        )

    async def names(self, kind: TargetKind) -> Collection[str]:
        """Give what the policy in force has of a kind; permits with their regimes."""
        return self.live.configuration.names(kind)

    async def taken(self, added: frozenset[OverrideId], ended: frozenset[OverrideId]) -> bool:
        """Return True once decisions are made with the orders `added` and without those `ended`, and that recorded."""
        await self.reloading.until_taken(added, ended)
        return True
