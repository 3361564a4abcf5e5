"""The life of a sidecar.

It starts in an order in which nothing is answered before it can be recorded, and is taken down in an order in which
nothing that was answered is lost.
"""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from google.protobuf.message import DecodeError
from prometheus_client.exposition import generate_latest

from extproc.control.server import ControlServer
from extproc.core.delivery import Delivery, Finding
from extproc.core.ids import ModelId
from extproc.core.tables import Region
from extproc.ledger.commit import Ledger
from extproc.ledger.errors import LedgerStartError
from extproc.notes.errors import NoteError
from extproc.sealed.keys import Keys
from extproc.sealed.store import open_store
from extproc.sidecar.admin import AdminServer, Readiness
from extproc.sidecar.conditions import Conditions
from extproc.sidecar.configuration import PROGRAM_VERSION, Configuration
from extproc.sidecar.controlled import Controlled
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.hop import Hop
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.inflight import InFlight, OwnCounters
from extproc.sidecar.live import Live
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.recorder import Recorder
from extproc.sidecar.reloading import Reloading
from extproc.sidecar.settings import Settings
from extproc.sidecar.team import Learner, Member, Team
from extproc.sidecar.tls import SidecarTls
from extproc.sidecar.upkeep import Upkeep, refuse_rollback
from extproc.signals.board import Board
from extproc.signals.cells import FirstRound, probe_forever
from extproc.signals.dependencies import ask_forever
from extproc.signals.orca import parse_load
from extproc.wire.access_log import AccessLogReader, AttemptEnded, Ended
from extproc.wire.server import LogStream, PayloadServer, WireServer

_log = structlog.get_logger(__name__)

SETTLE_PERIOD_S: Final = 0.5
SWITCH_S: Final = 0.0001
"""How long a thread that loads files may hold the interpreter's lock while requests wait; by default 5 ms, again and
again within each request. It costs nothing while no other thread runs."""


class BrokenSidecarError(Exception):
    """A fault of the program's own: the process ends, because it can no longer be trusted to notice changes."""


async def serve(settings: Settings, configuration: Configuration, team: Team | None = None) -> None:
    """Serve until SIGTERM or SIGINT; as a worker of a `team`, also until its supervisor is gone.

    Raises LedgerError or NoteError when the log cannot be opened, WitnessError when a witness has seen more of it than
    there is, KeyStoreError and ConfigurationError for erasable keys, and OSError when an address cannot be bound. After
    everything was taken down: LedgerError when the log could not be written, NoteError when its key may sign no more,
    BrokenSidecarError for a fault of the program's own.
    """
    sys.setswitchinterval(SWITCH_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        keys = None if settings.key_store is None else _open_keys(settings.key_store, settings.log)
        if keys is not None:
            stack.push_async_callback(asyncio.to_thread, keys.close)
        sidecar = Sidecar(settings, configuration, keys, team)
        await sidecar.start(stack)
        # What lives now lives to the end; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await _first(stop.wait(), sidecar.recorder.failed.wait(), sidecar.broken.wait(), sidecar.alone.wait())
        _log.info("draining", seconds=settings.drain_s)
    if sidecar.recorder.failure is not None:
        raise sidecar.recorder.failure
    if isinstance(sidecar.fault, NoteError):
        raise sidecar.fault
    if sidecar.broken.is_set():
        raise BrokenSidecarError("work in the background ended by an error, which the event log has")


def _open_keys(path: Path, log: Path) -> Keys:
    """Open the store of erasable keys, which is made at the first start. Raises KeyStoreError."""
    return Keys(open_store(path, create=True, apart_from=log))


class Sidecar:
    """All parts of one sidecar, wired together. Start it in an exit stack; leaving the stack takes it down."""

    def __init__(
        self,
        settings: Settings,
        configuration: Configuration,
        keys: Keys | None = None,
        team: Team | None = None,
    ) -> None:
        """`keys` are the erasable ones. Raises ConfigurationError when the policy needs some and there are none.

        `team` is the set whose worker this is; None for a sidecar that is alone, and complete in itself.
        """
        self._settings = settings
        self._clock: Callable[[], float] = time.time
        self._keys = keys
        self.team = team
        self.hosts = settings.hosts
        self.metrics = Metrics()
        checks_models = bool(settings.endpoints) if team is None else settings.probing.cells
        self.live = Live(configuration, keys, checks_models=checks_models, clusters=settings.clusters)
        self.tls = None if settings.tls is None else SidecarTls(settings.tls, self.metrics.registry, clock=self._clock)
        regions = configuration.tables.regions
        catalogue = [region.id for region in regions] if team is None else team.catalogue
        counters = OwnCounters(len(catalogue)) if team is None else team.counters
        self.in_flight = InFlight(counters, catalogue, longest_s=settings.longest_request_s)
        self.board: Learner
        if team is not None:
            self.board = team.learner
        else:
            self.board = Board(
                regions,
                publish=self.live,
                clock=self._clock,
                in_flight=self.in_flight.of,
                checks_models=checks_models,
            )
        self.deliveries = Deliveries(
            clock=time.monotonic,
            deliver=self._deliver,
            tried=self._tried,
            in_flight=self.in_flight,
            orders=lambda: self.recorder.orders,
        )
        self.recorder: Recorder
        self.upkeep: Upkeep
        self._ledger: Ledger
        self._conditions: Conditions
        self.wire: WireServer
        self.broken = asyncio.Event()
        self.alone = asyncio.Event()
        """Set when the supervisor of a worker is gone."""
        self.fault: BaseException | None = None
        """What ended work in the background that has no end."""
        self._serving = False

    async def start(self, stack: AsyncExitStack) -> None:
        """Open the log, record what is decided by, and only then listen."""
        settings = self._settings

        # 1. The log, first up and last down.
        await refuse_rollback(settings.identity.directory(settings.log), settings.witnesses)
        try:
            ledger = await Ledger.open(
                settings.log,
                identity=settings.identity,
                key=settings.ring.key,
                delegations=settings.ring.delegations,
                mode=settings.durability,
                clock=self._clock,
                room=settings.room,
            )
        except OSError as error:
            raise LedgerStartError(settings.log, error) from error
        self._ledger = ledger
        self.upkeep = Upkeep(
            ledger,
            settings.ring,
            witnesses=settings.witnesses,
            shipping=settings.shipping,
            drain_s=settings.drain_s,
            clock=self._clock,
        )
        stack.push_async_callback(self.upkeep.finish)
        stack.push_async_callback(ledger.close)
        self.recorder = Recorder(ledger, program=PROGRAM_VERSION, clock=self._clock)
        self._conditions = Conditions(ledger, self.recorder, self._keys)
        stack.push_async_callback(self._finish_deliveries)
        reloading = Reloading(
            settings,
            live=self.live,
            recorder=self.recorder,
            metrics=self.metrics,
            clock=self._clock,
            taken=self._learn_anew,
        )
        await reloading.begin()

        # 2. What keeps the snapshot current.
        self._background(stack, self._settle_forever())
        self._background(stack, self.recorder.beat_forever())
        for work in (*reloading.watch(), *self.upkeep.work()):
            self._background(stack, work)
        if self.tls is not None:
            self._background(stack, self.tls.watch())
        if isinstance(self.board, Board):
            await self._probe(stack, self.board)
        if settings.admin is not None:
            admin = AdminServer(
                settings.admin, metrics=partial(generate_latest, self.metrics.registry), readiness=self._readiness
            )
            stack.push_async_callback(asyncio.to_thread, admin.close)
            _log.info("admin endpoint", address=admin.address)

        controlled = self._controlled(reloading)

        # 3. What the other workers know, where there are any.
        if self.team is not None:
            await self.team.join(self._member(controlled), self.live.configuration.tables.regions)
            stack.callback(self.team.leave)

        # 4. The control socket: up before any request comes, and still there while the last ones end.
        if settings.control is not None:
            control = await ControlServer.start(
                settings.control.address,
                users=settings.control.users,
                overrides=settings.control.overrides,
                running=controlled,
                clock=self._clock,
            )
            stack.push_async_callback(control.close)

        # 5. The wire, last up and first down.
        hop = Hop(
            live=self.live,
            recorder=self.recorder,
            deliveries=self.deliveries,
            in_flight=self.in_flight,
            metrics=self.metrics,
            clock=self._clock,
            ids=DecisionIds(None if self.team is None else self.team.index),
        )
        self.wire = await WireServer.start(
            settings.listen,
            process=hop,
            payloads=None
            if self.live.configuration.reading.payload is None
            else PayloadServer(process=hop.answer, preview=hop.preview),
            open_log=self._open_access_log,
            tls=None if self.tls is None else self.tls.server(),
        )
        stack.push_async_callback(self._drain)
        self._serving = True
        if self.team is not None:
            self.team.serving()
        _log.info(
            "serving",
            address=self.wire.address,
            policy=self.live.configuration.tables.revision,
            log=str(settings.log),
            durability=settings.durability.value,
        )

    def _controlled(self, reloading: Reloading) -> Controlled:
        return Controlled(
            live=self.live,
            reloading=reloading,
            in_flight=self.in_flight,
            deliveries=self.deliveries,
            ledger=self._ledger,
            worker=self._settings.identity.worker,
            why_not_ready=self._why_not_ready,
            clock=self._clock,
        )

    async def _probe(self, stack: AsyncExitStack, board: Board) -> None:
        """Begin to probe; return when each region was looked at once, else the first requests would be refused."""
        settings = self._settings
        if settings.dependencies:
            self._background(stack, ask_forever(settings.dependencies, self._regions, board.depended))
        if settings.endpoints:
            first = FirstRound(settings.endpoints, board.probed)
            contexts = None if self.tls is None else self.tls.cells()
            self._background(stack, probe_forever(settings.endpoints, self._regions, first, contexts=contexts))
            await first.wait()

    def _regions(self) -> tuple[Region, ...]:
        return self.live.configuration.tables.regions

    def _learn_anew(self) -> None:
        """Hold what is known of the regions against the policy in force."""
        self.board.configure(self._regions())

    def _member(self, controlled: Controlled) -> Member:
        return Member(
            publish=self.live,
            reporting=self._reporting,
            take=self.deliveries.take,
            why_not_ready=self._why_not_ready,
            registry=self.metrics.registry,
            lost=self._lost_supervisor,
            tell=controlled.tell,
        )

    def _reporting(self, is_reporting: bool) -> None:  # noqa: FBT001 - a state that is told, not an option
        """Note whether Envoy reports to any worker; told only when that changes."""
        if is_reporting:
            self.in_flight.opened()
        else:
            self.in_flight.closed()

    def _lost_supervisor(self) -> None:
        _log.critical("the supervisor is gone; draining and ending")
        self.alone.set()

    async def _drain(self) -> None:
        self._serving = False
        await self.wire.say(serving=False)
        # Envoy's log streams have no end of their own, so they last for the whole grace, and the last reports come in.
        await self.wire.drain(self._settings.drain_s)

    async def _finish_deliveries(self) -> None:
        self.deliveries.finish()
        await self.recorder.settle()

    def _background(self, stack: AsyncExitStack, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        stack.push_async_callback(_cancel, task)

    async def _settle_forever(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_PERIOD_S)
            self.deliveries.settle()
            self.board.look()
            self.metrics.awaited.set(len(self.deliveries))
            self.metrics.forgotten.set(self.deliveries.forgotten)
            self.metrics.configured(self.live.configuration, self._clock())
            payloads = self.live.current.reader.payloads
            self.metrics.payload_faults.set(0 if payloads is None else payloads.faults)
            self.metrics.log_streams.set(self.in_flight.streams if self.team is None else self.team.streams)
            current = self.live.current
            self.metrics.seen(current.snapshot, self.in_flight.at(current.catalogue), self._clock())
            self.metrics.kept(self._ledger, self.upkeep, self._clock())
            self._conditions.look()
            if self.tls is not None:
                self.tls.look()

    def reported(self, ended: Ended) -> None:
        """Take one entry of Envoy's access log, here or where its decision was made."""
        if self.team is None or not self.team.pass_on(ended):
            self.deliveries.take(ended)

    def _tried(self, ended: AttemptEnded, model: ModelId | None) -> None:
        attempt = ended.attempt
        if attempt.region is None:
            return
        policy = self.live.current.snapshot.policy
        index = policy.index.get(attempt.region)
        if index is not None and ended.first_byte_s is not None:
            self.metrics.tried(policy.regions[index], model, ended.first_byte_s)
        load = parse_load(ended.load, at_s=self._clock())
        self.board.attempted(attempt.region, attempt, model=model, first_byte_s=ended.first_byte_s, load=load)

    def _deliver(self, delivery: Delivery) -> None:
        self.metrics.delivered(delivery.finding)
        if delivery.finding.is_violation:
            _log.critical(
                "VIOLATION: a request reached a region that its decision did not name",
                decision=delivery.decision,
                finding=delivery.finding.value,
                regions=[attempt.region for attempt in delivery.attempts],
            )
        if delivery.finding is Finding.AFTER_ORDER:
            _log.warning(
                "an attempt began after a legal order had taken out its region, its model or its legal basis",
                decision=delivery.decision,
                finding=delivery.finding.value,
                regions=[attempt.region for attempt in delivery.attempts],
            )
        self.recorder.deliver(delivery)

    def _open_access_log(self) -> LogStream:
        reports = _Reports(self)
        return LogStream(take=reports.take, close=reports.close)

    def _why_not_ready(self) -> list[str]:
        reasons = []
        if not self._serving:
            reasons.append("not serving: starting or draining")
        elif not self.wire.claim.is_there():
            reasons.append(f"the socket {self.wire.address} is gone: Envoy cannot connect anew")
        reasons += self._conditions.reasons(sealing=self.live.current.sealer is not None)
        if self.tls is not None:
            reasons += self.tls.reasons()
        if self.live.configuration.tables.epoch_at(self._clock()) is None:
            reasons.append("the policy is not in force at this time: its as_of is in the future")
        return reasons

    def _readiness(self) -> Readiness:
        reasons = self._why_not_ready()
        return Readiness(ready=not reasons, reasons=reasons)

    def _ended(self, task: "asyncio.Future[None]") -> None:
        """End the process when work ended that has no end: a watcher or a probe that died must not die quietly."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, NoteError):
            _log.critical("the log's key may sign no more; ending", error=str(error))
        else:
            _log.critical("work in the background ended by an error", exc_info=error)
        self.fault = self.fault or error
        self.broken.set()


class _Reports:
    """One stream of Envoy's access log. While there is any, requests in flight can be counted."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._reader = AccessLogReader(sidecar.live.region_of, sidecar.hosts)
        if sidecar.team is None:
            sidecar.in_flight.opened()
        else:
            sidecar.team.opened()

    def take(self, message: bytes) -> None:
        """Take the next serialised message; one that is none is counted and costs nothing else."""
        try:
            reported = list(self._reader.read(message))
        except DecodeError:
            self._sidecar.metrics.bad_log_messages.inc()
            _log.error("an access log message could not be read")
            return
        for ended in reported:
            self._sidecar.reported(ended)

    def close(self) -> None:
        """Note that the stream ended."""
        if self._sidecar.team is None:
            self._sidecar.in_flight.closed()
        else:
            self._sidecar.team.closed()


async def _first(*events: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(event) for event in events]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _cancel(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
