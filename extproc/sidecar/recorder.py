"""Writes everything that the sidecar records, and says so loudly when it cannot any more."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Final

import structlog

from extproc.core.decide import Decision
from extproc.core.delivery import Delivery, Order
from extproc.core.evidence import Private, ReleaseMode
from extproc.core.overrides import Resumption, Suspension
from extproc.core.snapshot import Snapshot
from extproc.geo import GeoIdentity
from extproc.ledger.commit import Ledger
from extproc.ledger.durability import Durability
from extproc.ledger.entries import GeoIdentity as RecordedGeoIdentity
from extproc.ledger.entries import config_to_entry, decision_to_entry, delivery_to_entry, override_to_entry
from extproc.ledger.errors import LedgerError, LedgerPoisonedError
from extproc.ledger.gaps import GapReason
from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry

_log = structlog.get_logger(__name__)

_DURABILITIES: Final = {mode: Durability(mode.value) for mode in ReleaseMode}
HEARTBEAT_S: Final = 10.0
"""Between two signs of life in the log."""


class Recorder:
    """The one user of the ledger. `failed` is set once the log can no longer be written: the process must end."""

    def __init__(self, ledger: Ledger, *, program: str, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._program = program
        self._clock = clock
        self._sequence = 0
        self._began_s = monotonic()
        self._background: set[asyncio.Future[int | None]] = set()
        self.orders: tuple[Order, ...] = ()
        """The legal orders that this log has recorded, as long as an attempt may still be held against them."""
        self.failed = asyncio.Event()
        self.failure: LedgerError | None = None

    @property
    def mode(self) -> ReleaseMode:
        """What a release waits for where the policy does not say."""
        return ReleaseMode(self._ledger.mode.value)

    async def record_decision(
        self, decision: Decision, *, mode: ReleaseMode | None = None, private: Private | None = None
    ) -> None:
        """Return once the decision's record is as durable as the mode promises. Raises LedgerError otherwise.

        `mode` is what the policy says of this decision, None for the log's own. `private` is what its record holds of
        the person concerned.
        """
        durability = None if mode is None else _DURABILITIES[mode]
        own = durability is None or durability is self._ledger.mode
        sequence = self._sequence + 1
        entry = decision_to_entry(
            decision, sequence=sequence, durability="" if own or mode is None else mode, private=private
        )
        try:
            recorded = self._ledger.submit(entry, durability=durability)
            # Only now: what was refused, or could not be written at all, has no number, and sequences have no holes.
            self._sequence = sequence
            await recorded
        except LedgerError as error:
            self._note(error)
            raise

    def lose_unsealed(self) -> None:
        """Count a decision that is not released, because what its record is to hold of a person cannot be made."""
        self._ledger.lose(GapReason.UNSEALED)

    async def record_configuration(
        self,
        snapshot: Snapshot,
        geo: GeoIdentity | None,
        policy: bytes,
        *,
        anonymity: GeoIdentity | None = None,
        shadow: bytes | None = None,
    ) -> None:
        """Record what decisions are made by from now on, and keep the policies' canonical forms beside the log.

        `policy` and `shadow` are the canonical forms of the snapshot's policy and of its shadow policy.
        """
        await asyncio.to_thread(self._ledger.store_policy, policy)
        if shadow is not None:
            await asyncio.to_thread(self._ledger.store_policy, shadow)
        entry = config_to_entry(
            snapshot,
            at_s=self._clock(),
            program=self._program,
            geo=_recorded(geo),
            anonymity=_recorded(anonymity),
            policy_stored=True,
            shadow_stored=shadow is not None,
        )
        await self._commit(entry, reserved=True)

    async def record_overrides(
        self,
        before: tuple[Suspension, ...],
        after: tuple[Suspension, ...],
        resumptions: Sequence[Resumption] = (),
    ) -> None:
        """Record each legal trigger that was pulled or released.

        `resumptions` are those that are new with this change; an order that went without one was removed by hand.
        """
        self.orders = tuple(each for each in self.orders if not each.is_over(self._clock()))
        for suspension in after:
            if suspension not in before:
                at_s = self._clock()
                entry = override_to_entry(suspension, at_s=at_s)
                await self._record_override(entry, (*self.orders, Order(suspension=suspension, since_s=at_s)))
        released = {each.order: each for each in resumptions}
        for suspension in before:
            if suspension not in after:
                at_s = self._clock()
                # One that is only changed, such as its end, stays an order of its id: nobody released it.
                is_changed = any(each.id == suspension.id for each in after)
                resumption = None if is_changed else released.get(suspension.id)
                entry = override_to_entry(suspension, at_s=at_s, resumed=True, resumption=resumption)
                orders = tuple(
                    replace(each, ended_s=at_s) if each.suspension == suspension and each.ended_s is None else each
                    for each in self.orders
                )
                await self._record_override(entry, orders)

    async def _record_override(self, entry: bytes, orders: tuple[Order, ...]) -> None:
        """Record an order, and hold deliveries against it from now on: those recorded after it are."""
        before, self.orders = self.orders, orders
        try:
            await self._commit(entry, reserved=True)
        except LedgerError:
            self.orders = before
            raise

    async def beat_forever(self, period_s: float = HEARTBEAT_S) -> None:
        """Record a sign of life every `period_s` seconds, idle or not: a silence that is not signed is a hole.

        Made on the event loop that decides, so it is missing when that hangs. Ends when the log can no longer be
        written.
        """
        while not self.failed.is_set():
            await asyncio.sleep(period_s)
            heartbeat = Heartbeat(
                sequence=self._sequence,
                running_s=monotonic() - self._began_s,
                free_bytes=self._ledger.room.free_bytes,
            )
            with contextlib.suppress(LedgerError):  # noted, and the process ends by it
                await self._commit(heartbeat_to_entry(heartbeat, at_s=self._clock()), reserved=True)

    def notice(self) -> None:
        """See whether the log can still be written, which nobody else tells while no entry comes."""
        if self._ledger.failure is not None:
            self._note(self._ledger.failure)

    def deliver(self, delivery: Delivery) -> None:
        """Record a delivery in the background: nobody waits for it, and :meth:`settle` sees that it gets there."""
        try:
            future = self._ledger.submit(delivery_to_entry(delivery, at_s=self._clock()))
        except LedgerError as error:
            self._lost(error)
            return
        self._background.add(future)
        future.add_done_callback(self._recorded)

    async def settle(self) -> None:
        """Return when everything that was handed over is recorded or has failed."""
        while self._background:
            await asyncio.wait(set(self._background))

    def _recorded(self, future: asyncio.Future[int | None]) -> None:
        self._background.discard(future)
        error = future.exception()
        if isinstance(error, LedgerError):
            self._lost(error)

    def _lost(self, error: LedgerError) -> None:
        self._note(error)
        _log.error("a delivery could not be recorded", error=str(error))

    async def _commit(self, entry: bytes, *, reserved: bool = False) -> None:
        try:
            await self._ledger.commit(entry, reserved=reserved)
        except LedgerError as error:
            self._note(error)
            raise

    def _note(self, error: LedgerError) -> None:
        if isinstance(error, LedgerPoisonedError) and not self.failed.is_set():
            _log.critical("the log cannot be written; refusing all requests and ending", error=str(error))
            self.failure = error
            self.failed.set()


def _recorded(geo: GeoIdentity | None) -> RecordedGeoIdentity | None:
    if geo is None:
        return None
    return RecordedGeoIdentity(sha256=bytes.fromhex(geo.sha256), build_epoch=geo.build_epoch, type=geo.database_type)
