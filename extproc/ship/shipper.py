"""All of it: every region's lanes, each going on by itself, and what becomes of them as one status.

A lane that is away waits, longer each time, and keeps nobody else waiting. What it had done stays done. The logs stay
on the disk until somebody prunes them, so an outage may last as long as the disk does.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extproc.ship.backoff import Backoff
from extproc.ship.copying import CopyLane
from extproc.ship.errors import LocalLogError, ShipError
from extproc.ship.lane import StoreLane
from extproc.ship.local_log import LocalLog, find_logs, region_of
from extproc.ship.opening import Destinations
from extproc.ship.state import STATE, State
from extproc.ship.status import STATUS, LogStatus, PlaceStatus, ShipStatus, status_to_json, write_json

SHIPPING: Final = ".shipping"
"""The folder below a root where state and status are kept, unless somebody names another."""
_STATUS_EVERY_S: Final = 1.0


@dataclass(slots=True, kw_only=True)
class _Runner:
    """A lane and how it fares."""

    lane: StoreLane | CopyLane
    backoff: Backoff = field(default_factory=Backoff)
    failing_since_s: float | None = None
    error: str | None = None
    fault: BaseException | None = None
    """What should not have happened, and ends all shipping."""


class Shipper:
    """Ships the logs below `root`. `folder` holds the state and the status, and is made."""

    def __init__(
        self,
        root: Path,
        destinations: Destinations,
        folder: Path,
        *,
        say: Callable[[str], None] = lambda _: None,
        report: Callable[[LogStatus], None] = lambda _: None,
    ) -> None:
        """Read the state. `say` is told what failed and what works again, `report` how far each log is.

        Raises OSError where the folder cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._folder = folder
        self._say = say
        self._tell = report
        self._state = State(folder / STATE)
        self._regions = frozenset(destinations.stores)
        self._origins: dict[str, str] = {}
        self._lock = threading.Lock()
        self._logs: dict[tuple[str, str], LogStatus] = {}
        lanes: list[StoreLane | CopyLane] = [
            StoreLane(region, store.destination, every_s=store.every_s, state=self._state)
            for region, store in destinations.stores.items()
        ]
        lanes += [CopyLane(region, opened) for region, opened in destinations.copies.items()]
        self._runners = [_Runner(lane=lane) for lane in lanes]
        self._said: set[str] = set()
        """What was said of logs that have no place to go to."""

    def check(self) -> None:
        """Ask every store whether it may be used. Raises DestinationRefusedError and StoreAwayError."""
        for runner in self._runners:
            runner.lane.start()

    def ship_once(self) -> ShipStatus:
        """Ship all there is, one place after the other, stores before copies; what failed is in the status."""
        for runner in self._runners:
            self._attempt(runner, everything=True)
        return self._write_status()

    def follow(self, stop: threading.Event) -> ShipStatus:
        """Ship on as the logs grow, until `stop` is set; then once more, so that a Close is not left behind."""
        threads = [
            threading.Thread(target=self._run, args=(runner, stop), name=f"ship-{runner.lane.region}")
            for runner in self._runners
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(_STATUS_EVERY_S):
                self._write_status()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for runner in self._runners:
            if runner.fault is not None:
                raise runner.fault
        return self._write_status()

    def close(self) -> None:
        """End the threads of the uploads."""
        for runner in self._runners:
            runner.lane.close()

    def status(self) -> ShipStatus:
        """Tell how far everything is."""
        strays = self._strays()
        with self._lock:
            logs = [*self._logs.values(), *strays]
        return ShipStatus(
            at_s=time.time(),
            places=tuple(
                PlaceStatus(
                    region=runner.lane.region,
                    to=runner.lane.to,
                    failing_since_s=runner.failing_since_s,
                    error=runner.error,
                )
                for runner in self._runners
            ),
            logs=tuple(sorted(logs, key=lambda log: (log.log, log.to))),
        )

    def _run(self, runner: _Runner, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                self._attempt(runner, everything=False)
                stop.wait(runner.lane.look_every_s if runner.error is None else runner.backoff.failed())
            if runner.error is None:
                self._attempt(runner, everything=True)
        except BaseException as error:  # noqa: BLE001 - handed to whoever follows, whose thread this is not
            runner.fault = error
            stop.set()

    def _attempt(self, runner: _Runner, *, everything: bool) -> None:
        try:
            # Listed before any is read: whatever ended before a log in this list began is whole in it.
            logs = {log: origin for log, origin in self._found() if _region(origin) == runner.lane.region}
            runner.lane.ship(logs, everything=everything, report=self._report)
        except ShipError as error:
            if str(error) != runner.error:
                self._say(str(error))
            runner.failing_since_s = runner.failing_since_s or time.time()
            runner.error = str(error)
            return
        if runner.error is not None:
            self._say(f"{runner.lane.to}: works again")
        runner.error = runner.failing_since_s = None
        runner.backoff.worked()

    def _found(self) -> list[tuple[LocalLog, str]]:
        """List the logs with their origins; those whose checkpoint cannot be read are strays."""
        found: list[tuple[LocalLog, str]] = []
        for log in find_logs(self._root):
            with contextlib.suppress(LocalLogError):
                found.append((log, self._origin(log)))
        return found

    def _origin(self, log: LocalLog) -> str:
        origin = self._origins.get(log.name)
        if origin is None:
            origin = self._origins[log.name] = log.published().checkpoint.origin
        return origin

    def _strays(self) -> list[LogStatus]:
        """Tell which logs have no place to go to, and why."""
        try:
            logs = find_logs(self._root)
        except LocalLogError as error:
            return [_stray("", "", "", str(error))]
        strays: list[LogStatus] = []
        for log in logs:
            origin = ""
            try:
                origin = self._origin(log)
                region = region_of(origin)
            except LocalLogError as error:
                strays.append(_stray(log.name, origin, "", str(error)))
                continue
            if region not in self._regions:
                wrong = (
                    f"{log.root / log.name}: the region '{region}' of {origin} has no entry in the shipping "
                    f"configuration, so this log is shipped nowhere. Mend: add '{region}:' to regions"
                )
                strays.append(_stray(log.name, origin, region, wrong))
        return strays

    def _report(self, log: LogStatus) -> None:
        with self._lock:
            before = self._logs.get((log.to, log.log))
            self._logs[log.to, log.log] = log
        if log.error is not None and (before is None or before.error != log.error):
            self._say(log.error)
        self._tell(log)

    def _write_status(self) -> ShipStatus:
        status = self.status()
        strays = {log.error for log in status.logs if log.error is not None and not log.to}
        for error in sorted(strays - self._said):
            self._say(error)
        self._said = strays
        write_json(self._folder / STATUS, status_to_json(status))
        return status


def _region(origin: str) -> str | None:
    try:
        return region_of(origin)
    except LocalLogError:
        return None


def _stray(name: str, origin: str, region: str, error: str) -> LogStatus:
    return LogStatus(
        log=name, origin=origin, region=region, to="", size=0, shipped=0, uploaded=0, lag_s=0.0, error=error
    )
