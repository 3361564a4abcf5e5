"""One region's way to its store: every log of the region, one after the other, its tiles several at once."""

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from extproc.ledger.tiles import TILE_WIDTH
from extproc.ship.destination import Destination
from extproc.ship.errors import DestinationRefusedError, ShipError, StoreAwayError
from extproc.ship.local_log import LocalLog
from extproc.ship.shipment import Shipment, Way
from extproc.ship.state import State
from extproc.ship.status import LogStatus
from extproc.ship.uploads import Uploads

Report: TypeAlias = Callable[[LogStatus], None]
"""Called when a log was looked at, and now and then while a long one is under way."""


LOOK_EVERY_S: Final = 1.0
"""How often the disk is looked at for something new, in seconds."""


class StoreLane:
    """Ships the logs of one region. Used by one thread."""

    def __init__(self, region: str, destination: Destination, *, every_s: float, state: State) -> None:
        self.region = region
        self.to = destination.location
        self.look_every_s = min(LOOK_EVERY_S, every_s)
        self._way = Way(destination=destination, state=state, uploads=Uploads(), every_s=every_s)
        self._shipments: dict[str, Shipment] = {}
        self._checked = False

    def close(self) -> None:
        """End the threads."""
        self._way.uploads.close()

    def start(self) -> None:
        """Ask the store whether it may be used, once. Raises DestinationRefusedError and StoreAwayError."""
        if not self._checked:
            self._way.destination.check()
            self._checked = True

    def ship(self, logs: Mapping[LocalLog, str], *, everything: bool, report: Report) -> None:
        """Ship what there is of these logs, given in order with their origins; `everything` waits for no period.

        What is wrong with one log is in its status, and the others go on. Raises StoreAwayError and
        DestinationRefusedError, which hold for all of them.
        """
        self.start()
        last = {log.worker: log for log in logs}
        try:
            for log, origin in logs.items():
                shipment = self._shipment(log, origin)
                error: ShipError | None = None
                try:
                    # A log with one after it has ended, and must be whole before the next one says how it ended.
                    for _ in shipment.step(everything=everything or last[log.worker] != log):
                        report(self._status(shipment, None))
                except (StoreAwayError, DestinationRefusedError):
                    report(self._status(shipment, None))
                    raise
                except ShipError as found:
                    error = found
                report(self._status(shipment, error))
        finally:
            self._way.state.save()

    def _shipment(self, log: LocalLog, origin: str) -> Shipment:
        known = self._shipments.get(log.name)
        if known is None or known.origin != origin:
            known = self._shipments[log.name] = Shipment(log, origin, self._way)
        return known

    def _status(self, shipment: Shipment, error: ShipError | None) -> LogStatus:
        progress = shipment.progress
        is_whole = error is None and progress.size >= shipment.size
        return LogStatus(
            log=shipment.log.name,
            origin=shipment.origin,
            region=self.region,
            to=self.to,
            size=shipment.size,
            shipped=progress.size,
            uploaded=max(progress.size, progress.bundles * TILE_WIDTH),
            lag_s=0.0 if is_whole else max(0.0, time.time() - progress.whole_at_s),
            pruned=progress.pruned,
            error=None if error is None else str(error),
        )
