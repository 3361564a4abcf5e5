"""What is done beside the log while it is written: keys give way to others, witnesses cosign, evidence is shipped.

Owns three kinds of work without end, none of them on the way of a decision and none of them able to stop one. What goes
wrong with them is logged, counted and tried again; a person must look at it, and requests go on.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from extproc.ledger.commit import Ledger
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import KeyFileError, NoteError
from extproc.ship.shipper import SHIPPING
from extproc.ship.status import STATUS, ShipStatus, status_from_json
from extproc.trust.epochs import KeyRing
from extproc.trust.tlog_policy import TrustPolicy
from extproc.witness.cosigner import Cosigner, check_not_rolled_back
from extproc.witness.published import last_log

_log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
"""How often a key's age is looked at, and what the shipper says of itself."""
_REST_S: Final = 60.0
"""Before a change of keys that failed is tried again."""
_LONGEST_REST_S: Final = 60.0
"""Before a shipper that ended is started again."""
_BEFORE_THE_END_S: Final = 2.0
"""How long before the end of a key's window the last request is taken, besides the time to finish those in flight: what
is signed later, if only the Close, nobody has to believe."""
_END_S: Final = 5.0
"""How long witnesses and the shipper get for the last entries, when the log was closed."""


async def refuse_rollback(worker: Path, witnesses: TrustPolicy | None) -> None:
    """See, before anything is written, that no witness has seen more than lies in a worker's folder.

    Raises WitnessError where one has: the disk was set back, and what is written there now would be a fork.
    """
    last = last_log(worker)
    if witnesses is not None and last is not None:
        agreed = await check_not_rolled_back(last, witnesses)
        if agreed:
            _log.info("witnesses agree with the log of the process before", log=last.name, witnesses=sorted(agreed))
        else:
            _log.warning("no witness has said whether the disk was set back: none has answered", log=last.name)


class Upkeep:
    """The work beside one log. Run what :meth:`work` gives, and :meth:`finish` when the log is closed."""

    def __init__(  # noqa: PLR0913 - what is done beside a log, each by name
        self,
        ledger: Ledger,
        ring: KeyRing,
        *,
        witnesses: TrustPolicy | None = None,
        shipping: Path | None = None,
        drain_s: float = 0.0,
        clock: Callable[[], float],
    ) -> None:
        """`shipping` is the file that says where evidence goes; None where somebody else ships it.

        `drain_s` is how long the process goes on after it was told to end.
        """
        self._ledger = ledger
        self._ring = ring
        self._shipping = shipping
        self._ending_s = drain_s + _BEFORE_THE_END_S
        self._clock = clock
        self._began_s = clock()
        self._shipper: asyncio.subprocess.Process | None = None
        self._shipped: ShipStatus | None = None
        self.cosigner = None if witnesses is None else Cosigner(ledger.directory, witnesses)

    def work(self) -> list[Awaitable[None]]:
        """Give the work without end, and begin to ask the witnesses."""
        if self.cosigner is not None:
            self.cosigner.start()
        work: list[Awaitable[None]] = [self._rotate_forever()]
        if self._shipping is not None:
            work += [self._ship_forever(self._shipping), self._follow_shipping()]
        return work

    @property
    def key_until_s(self) -> float:
        """When the window of the key that signs now ends, in Unix seconds; infinity for a root."""
        return self._ring.until_s

    def ship_lag_s(self, now_s: float) -> float | None:
        """Give the age of the oldest entry of ours that may not be in its store; None where somebody else ships.

        What a shipper does not say, or cannot ship anywhere, has waited since this log began.
        """
        if self._shipping is None:
            return None
        status, since_began_s = self._shipped, now_s - self._began_s
        if status is None or any(log.origin == self._ledger.origin and not log.to for log in status.logs):
            return since_began_s
        return max(0.0, status.lag_s + now_s - status.at_s)

    async def finish(self) -> None:
        """Have the last entries cosigned and shipped, for a few seconds; what remains, the next process does."""
        if self.cosigner is not None and not await self.cosigner.finish(_END_S):
            _log.warning("the end of the log is not cosigned yet", failures=dict(self.cosigner.failures))
        shipper = self._shipper
        if shipper is not None and shipper.returncode is None:
            if shipper.stdin is not None:
                shipper.stdin.close()  # it ships once more, and ends
            try:
                await asyncio.wait_for(shipper.wait(), _END_S)
            except TimeoutError:
                _log.warning("the end of the log is not shipped yet")
                shipper.kill()
                await shipper.wait()

    async def _rotate_forever(self) -> None:
        """Change the key when it is due. Raises KeyFileError when it may sign no more, which ends the process."""
        epoch_s = self._ring.epoch_s
        look_s = LOOK_S if epoch_s is None else min(LOOK_S, epoch_s / 20)
        rested = -_REST_S
        while True:
            if monotonic() - rested >= min(_REST_S, 20 * look_s) and not await self._rotated():
                rested = monotonic()
            # The clock may be set, so it is looked at again and again.
            if self._clock() >= self._ring.until_s - self._ending_s:
                raise KeyFileError(
                    f"{self._ring.path}: the key's time is over, and what it signs from now on nobody has to believe. "
                    "Mend: run the ceremony: situs audit keys request, delegate, install"
                )
            await asyncio.sleep(look_s)

    async def _rotated(self) -> bool:
        """Change the key if it is due; False where that failed."""
        try:
            if not self._ring.due(self._clock()):
                return True
            index = await self._ring.rotate(self._ledger.rotate, now_s=self._clock())
        except (NoteError, LedgerError, OSError) as error:
            # The key of now goes on; what was begun is finished or taken back later, at the next start at the latest.
            _log.error("the log's key could not be changed", error=str(error))
            return False
        _log.info("the log's key was changed", entry=index, key=self._ring.verifier.key_id.hex())
        return True

    async def _ship_forever(self, config: Path) -> None:
        """Run the shipper as a process of its own, because it computes much, and start it again when it ends."""
        rest_s = 1.0
        while True:
            began = monotonic()
            try:
                # It ends when our end of its standard input is closed, so by itself when we are gone, however that is.
                # No signal ends it, because who stops all our processes at once wants the end of the log shipped too.
                self._shipper = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "extproc", "audit", "ship", str(self._root), "--config", str(config),
                    "--follow", "--until-eof", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
                why = f"exit code {await self._shipper.wait()}"
            except OSError as error:
                why = str(error)
            if monotonic() - began > _LONGEST_REST_S:
                rest_s = 1.0
            _log.error("the shipper ended and is started again", why=why, seconds=rest_s)
            await asyncio.sleep(rest_s)
            rest_s = min(2 * rest_s, _LONGEST_REST_S)

    async def _follow_shipping(self) -> None:
        """Read what the shipper says of itself, apart from the requests: it is long where there are many logs."""
        while True:
            self._shipped = await asyncio.to_thread(self._read_status)
            await asyncio.sleep(LOOK_S)

    def _read_status(self) -> ShipStatus | None:
        try:
            return status_from_json((self._root / SHIPPING / STATUS).read_bytes())
        except (OSError, ValueError):
            return None

    @property
    def _root(self) -> Path:
        """The folder of all nodes: that of the log is <root>/<node>/<worker>/<incarnation>."""
        return self._ledger.directory.parents[2]
