"""What is done beside the log while it is written: keys give way to others, witnesses cosign, evidence is shipped.

Owns three kinds of work without end, none of them on the way of a decision and none of them able to stop one. What goes
wrong with them is logged, counted and tried again; a person must look at it, and requests go on.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
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

LOOK_S: Final = 60.0
"""How often a key's age is looked at."""
_LONGEST_REST_S: Final = 60.0
"""Before a shipper that ended is started again."""
_END_S: Final = 5.0
"""How long witnesses and the shipper get for the last entries, when the log was closed."""


async def refuse_rollback(worker: Path, witnesses: TrustPolicy | None) -> None:
    """See, before anything is written, that no witness has seen more than lies in a worker's folder.

    Raises WitnessError where one has: the disk was set back, and what is written there now would be a fork.
    """
    last = last_log(worker)
    if witnesses is not None and last is not None:
        agreed = await check_not_rolled_back(last, witnesses)
        _log.info("witnesses agree with the log of the process before", log=last.name, witnesses=sorted(agreed))


class Upkeep:
    """The work beside one log. Run what :meth:`work` gives, and :meth:`finish` when the log is closed."""

    def __init__(
        self,
        ledger: Ledger,
        ring: KeyRing,
        *,
        witnesses: TrustPolicy | None = None,
        shipping: Path | None = None,
        clock: Callable[[], float],
    ) -> None:
        """`shipping` is the file that says where evidence goes; None where somebody else ships it."""
        self._ledger = ledger
        self._ring = ring
        self._shipping = shipping
        self._clock = clock
        self._shipper: asyncio.subprocess.Process | None = None
        self.cosigner = None if witnesses is None else Cosigner(ledger.directory, witnesses)

    def work(self) -> list[Awaitable[None]]:
        """Give the work without end, and begin to ask the witnesses."""
        if self.cosigner is not None:
            self.cosigner.start()
        work: list[Awaitable[None]] = [self._rotate_forever()]
        if self._shipping is not None:
            work.append(self._ship_forever(self._shipping))
        return work

    @property
    def key_until_s(self) -> float:
        """When the window of the key that signs now ends, in Unix seconds; infinity for a root."""
        return self._ring.until_s

    def shipped(self) -> ShipStatus | None:
        """Tell how far shipping is; None before it began, or where somebody else does it. Reads a small file."""
        if self._shipping is None:
            return None
        try:
            return status_from_json((self._root / SHIPPING / STATUS).read_bytes())
        except (OSError, ValueError):
            return None

    async def finish(self) -> None:
        """Have the last entries cosigned and shipped, for a few seconds; what remains, the next process does."""
        if self.cosigner is not None and not await self.cosigner.finish(_END_S):
            _log.warning("the end of the log is not cosigned yet", failures=dict(self.cosigner.failures))
        shipper = self._shipper
        if shipper is not None and shipper.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                shipper.terminate()  # it ships once more, and ends
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
        while True:
            if self._ring.due(self._clock()):
                await self._rotate()
            if self._clock() >= self._ring.until_s:
                raise KeyFileError(
                    f"{self._ring.path}: the key's time is over, and what it signs from now on nobody has to believe. "
                    "Mend: run the ceremony: situs audit keys request, delegate, install"
                )
            await asyncio.sleep(look_s)

    async def _rotate(self) -> None:
        try:
            index = await self._ring.rotate(self._ledger.rotate, now_s=self._clock())
        except (NoteError, LedgerError, OSError) as error:
            # The old key goes on; what was begun is finished or taken back at the next start.
            _log.error("the log's key could not be changed", error=str(error))
            return
        _log.info("the log's key was changed", entry=index, key=self._ring.verifier.key_id.hex())

    async def _ship_forever(self, config: Path) -> None:
        """Run the shipper as a process of its own, because it computes much, and start it again when it ends."""
        rest_s = 1.0
        while True:
            # It ends by itself when we do, however that is: then our end of its standard input is closed.
            self._shipper = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "extproc", "audit", "ship", str(self._root), "--config", str(config),
                "--follow", "--until-eof", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            began = asyncio.get_running_loop().time()
            code = await self._shipper.wait()
            if asyncio.get_running_loop().time() - began > _LONGEST_REST_S:
                rest_s = 1.0
            _log.error("the shipper ended and is started again", code=code, seconds=rest_s)
            await asyncio.sleep(rest_s)
            rest_s = min(2 * rest_s, _LONGEST_REST_S)

    @property
    def _root(self) -> Path:
        """The folder of all nodes: that of the log is <root>/<node>/<worker>/<incarnation>."""
        return self._ledger.directory.parents[2]
