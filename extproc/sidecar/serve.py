"""The life of a sidecar.

It starts in an order in which nothing is answered before it can be recorded, and is taken down in an order in which
nothing that was answered is lost.
"""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from extproc.bundle.apart import accept_apart
from extproc.bundle.errors import BundleError, StateError
from extproc.bundle.last_good import LastGood, StateFolder
from extproc.bundle.locations import source_of
from extproc.bundle.poll import PERIOD_S, Poller
from extproc.bundle.source import Fetched
from extproc.bundle.start import kept_of
from extproc.core.delivery import Delivery
from extproc.core.ids import RegionId
from extproc.geo import GeoDatabaseError
from extproc.ledger.commit import Durability, Ledger, LogIdentity
from extproc.ledger.errors import LedgerError
from extproc.notes.keys import SigningKey
from extproc.sidecar.admin import AdminServer
from extproc.sidecar.configuration import (
    PROGRAM_VERSION,
    Configuration,
    ConfigurationError,
    Files,
    Parts,
    check_same_envoy,
    combine,
    read_parts,
)
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.health import HealthBoard
from extproc.sidecar.hop import Hop
from extproc.sidecar.live import Live
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.probes import probe_forever
from extproc.sidecar.recorder import Recorder
from extproc.sidecar.watch import Signature, Watcher
from extproc.strict_yaml import DocumentError
from extproc.wire.access_log import AccessLogReader
from extproc.wire.server import PayloadServer, WireServer

_log = structlog.get_logger(__name__)

SETTLE_PERIOD_S: Final = 0.5
RETRY_S: Final = 1.0
SWITCH_S: Final = 0.0001
"""How long a thread that loads files may hold the interpreter's lock while requests wait; by default 5 ms, again and
again within each request. It costs nothing while no other thread runs."""
BAD_CONFIGURATION: Final = (BundleError, DocumentError, GeoDatabaseError, ConfigurationError)
"""What loading a configuration raises for files that cannot be used."""


class BrokenSidecarError(Exception):
    """A fault of the program's own: the process ends, because it can no longer be trusted to notice changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `situs serve` is told.

    `endpoints` are the cells to probe, as `host:port`s by region; empty for none. `seen` are the files as they were
    before the configuration was loaded from them. `kept` is the bundle that the policy came from, where it comes from
    elsewhere or a last good one is kept; its source is asked again every `poll_s` seconds. `stale` tells that the
    source has another one that cannot be used. `drain_s` bounds how long requests in flight are finished after SIGTERM.
    """

    files: Files
    listen: str
    log: Path
    identity: LogIdentity
    key: SigningKey
    durability: Durability
    endpoints: Mapping[RegionId, Sequence[str]]
    seen: Mapping[Path, Signature]
    kept: LastGood | None = None
    stale: bool = False
    poll_s: float = PERIOD_S
    admin: str | None = None
    drain_s: float = 5.0


async def serve(settings: Settings, configuration: Configuration) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises LedgerError or NoteError when the log cannot be opened and OSError when an address cannot be bound. After
    everything was taken down: LedgerError when the log could not be written, BrokenSidecarError for a fault of the
    program's own.
    """
    sys.setswitchinterval(SWITCH_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        sidecar = Sidecar(settings, configuration)
        await sidecar.start(stack)
        # What lives now lives to the end; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await _first(stop.wait(), sidecar.recorder.failed.wait(), sidecar.broken.wait())
        _log.info("draining", seconds=settings.drain_s)
    if sidecar.recorder.failure is not None:
        raise sidecar.recorder.failure
    if sidecar.broken.is_set():
        raise BrokenSidecarError("work in the background ended by an error, which the event log has")


class Sidecar:
    """All parts of one sidecar, wired together. Start it in an exit stack; leaving the stack takes it down."""

    def __init__(self, settings: Settings, configuration: Configuration) -> None:
        self._settings = settings
        self._clock: Callable[[], float] = time.time
        self.metrics = Metrics()
        self.live = Live(configuration)
        self._rendered = configuration
        self.board = HealthBoard(self.live, self._clock)
        self.deliveries = Deliveries(clock=time.monotonic, deliver=self._deliver, tried=self.board.attempted)
        self.recorder: Recorder
        self.wire: WireServer
        self.broken = asyncio.Event()
        self._serving = False
        self._refused: frozenset[Path] = frozenset()
        self._source_refused = settings.stale
        self._reloading = asyncio.Lock()
        self._policies = asyncio.Lock()
        origin = settings.files.policy
        self._state = None if origin.state is None else StateFolder(origin.state)
        self._kept: LastGood | None = None
        if settings.kept is not None:
            self._keep(settings.kept)

    async def start(self, stack: AsyncExitStack) -> None:
        """Open the log, record what is decided by, and only then listen."""
        settings = self._settings

        # 1. The log, first up and last down.
        ledger = await Ledger.open(
            settings.log,
            identity=settings.identity,
            key=settings.key,
            mode=settings.durability,
            clock=self._clock,
        )
        stack.push_async_callback(ledger.close)
        self.recorder = Recorder(ledger, program=PROGRAM_VERSION, clock=self._clock)
        stack.push_async_callback(self._finish_deliveries)
        await self.recorder.record_overrides((), self.live.configuration.suspensions)
        await self._record_configuration(self.live.configuration)
        if self._state is not None and settings.kept is not None:
            await asyncio.to_thread(self._state.write, settings.kept)
        self._say_if_stale()
        self._warn_of_inert(self.live.configuration)
        self.metrics.configured(self.live.configuration, self._clock())

        # 2. What keeps the snapshot current.
        self._background(stack, self._settle_forever())
        # Legal orders have a watcher of their own, because another file may take long to load.
        orders = {path: seen for path, seen in settings.seen.items() if path == settings.files.overrides}
        others = {path: seen for path, seen in settings.seen.items() if path not in orders}
        for seen in filter(None, (orders, others)):
            self._background(stack, Watcher(seen, self._reload).look_forever())
        if settings.files.policy.path is None:
            self._background(stack, self._poller().poll_forever())
        if settings.endpoints:
            self._background(stack, probe_forever(settings.endpoints, self.board.probed))
        if settings.admin is not None:
            admin = AdminServer(settings.admin, self.metrics.registry, self._why_not_ready)
            stack.push_async_callback(asyncio.to_thread, admin.close)
            _log.info("admin endpoint", address=admin.address)

        # 3. The wire, last up and first down.
        hop = Hop(
            live=self.live,
            recorder=self.recorder,
            deliveries=self.deliveries,
            metrics=self.metrics,
            clock=self._clock,
        )
        self.wire = await WireServer.start(
            settings.listen,
            process=hop,
            payloads=None
            if self._rendered.reading.payload is None
            else PayloadServer(process=hop.answer, preview=hop.preview),
            open_log=self._open_access_log,
        )
        stack.push_async_callback(self._drain)
        self._serving = True
        _log.info(
            "serving",
            address=self.wire.address,
            policy=self.live.configuration.tables.revision,
            log=str(settings.log),
            durability=settings.durability.value,
        )

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
            self.metrics.awaited.set(len(self.deliveries))
            self.metrics.forgotten.set(self.deliveries.forgotten)
            self.metrics.configured(self.live.configuration, self._clock())
            payloads = self.live.current.reader.payloads
            self.metrics.payload_faults.set(0 if payloads is None else payloads.faults)
            self.metrics.seen(self.live.current.snapshot, self._clock())

    def _poller(self) -> Poller:
        origin = self._settings.files.policy
        return Poller(
            source_of(origin.location, origin.options),
            take=self._take_bundle,
            confirm=self._confirm_bundle,
            etag=None if self._kept is None else self._kept.etag,
            period_s=self._settings.poll_s,
            last_success_s=None if self._kept is None else self._kept.confirmed_at,
            clock=self._clock,
        )

    async def _take_bundle(self, fetched: Fetched) -> bool:
        """Take a policy that its source has anew; False where it cannot be used."""
        origin = self._settings.files.policy
        try:
            accepted = await asyncio.to_thread(
                accept_apart,
                fetched.data,
                file=source_of(origin.location, origin.options).name,
                trust=origin.trust,
                last=self.live.configuration.standing,
            )
            recorded = await self._put_in_force(Parts(policy=accepted, fetched=fetched))
        except Exception as error:  # noqa: BLE001 - whatever a policy does to us, the last good one stays
            self._source_refused = True
            self._refuse("the policy's source has one that cannot be used; the last good one stays in force", error)
            return False
        self._source_refused = False
        self._say_if_stale()
        return recorded

    def _keep(self, kept: LastGood) -> None:
        self._kept = kept
        self.metrics.policy_confirmed.set(kept.confirmed_at)

    async def _confirm_bundle(self, at_s: float) -> None:
        self._source_refused = False
        self._say_if_stale()
        if self._kept is None:
            return
        self._keep(replace(self._kept, confirmed_at=at_s))
        if self._state is not None:
            await asyncio.to_thread(self._state.confirm, self._kept, at_s)

    async def _reload(self, changed: frozenset[Path]) -> bool:
        """Take changed files, together; False where they could not be kept or recorded, so that it is tried again."""
        orders = {self._settings.files.overrides}
        if not changed <= orders:
            # What was refused beside another file, or for what another file said, may be good now.
            changed |= self._refused - orders
        try:
            parts = await asyncio.to_thread(partial(read_parts, self._settings.files, changed, self.live.configuration))
            recorded = await self._put_in_force(parts)
        except Exception as error:  # noqa: BLE001 - whatever a file does to us, the last good configuration stays
            files = sorted(str(path) for path in changed)
            self._refused |= changed
            self._refuse("a changed file cannot be used; the last good configuration stays in force", error, files)
            if not isinstance(error, StateError):
                return True
            await asyncio.sleep(RETRY_S)
            return False
        if not recorded:
            self._refused |= changed
            return False
        if self._refused & changed:
            _log.info("files that were refused can be used again", files=sorted(map(str, self._refused & changed)))
        self._refused -= changed
        self._say_if_stale()
        return True

    def _say_if_stale(self) -> None:
        self.metrics.stale.set(bool(self._refused) or self._source_refused)

    def _refuse(self, message: str, error: Exception, files: list[str] | None = None) -> None:
        self._say_if_stale()
        self.metrics.reloads.labels("refused").inc()
        ours = not isinstance(error, BAD_CONFIGURATION)
        _log.error(message, error=str(error), changed=files, exc_info=error if ours else None)

    async def _put_in_force(self, parts: Parts) -> bool:
        """Decide by what was read from now on; False where it could not be recorded.

        A policy is kept before it is in force, which may wait for a disk. That is no business of legal orders: they
        wait for the swap alone. Raises what a configuration that cannot be used does.
        """
        if parts.policy is None:
            return await self._swap(parts)
        async with self._policies:
            self._fitting(parts)
            await self._keep_policy(parts)
            return await self._swap(parts)

    def _fitting(self, parts: Parts) -> Configuration:
        """Give what would be in force, made whole, so that nothing is kept or recorded that then cannot be used."""
        loaded = combine(self._settings.files, parts, self.live.configuration)
        check_same_envoy(self._rendered, loaded)
        self.live.with_configuration(loaded)
        return loaded

    async def _swap(self, parts: Parts) -> bool:
        """Record the new configuration, then decide by it: one at a time, and quickly."""
        async with self._reloading:
            before = self.live.configuration
            loaded = self._fitting(parts)
            if loaded.revision == before.revision:
                self.live.configuration = loaded  # by others' signatures, perhaps
                return True
            if before.shadow is not None and loaded.shadow is None:
                _log.warning("the shadow policy is not evaluated any more: its file is gone, or it no longer fits")
            try:
                await self.recorder.record_overrides(before.suspensions, loaded.suspensions)
                await self._record_configuration(loaded)
            except LedgerError as error:
                _log.critical("a changed configuration is not in force", error=str(error))
                return False
            self.live.configure(loaded)
        # What lives now lives to the next change; a collection that walks over it holds up requests.
        gc.freeze()
        self.metrics.configured(loaded, self._clock())
        self.metrics.reloads.labels("taken").inc()
        _log.info("configuration taken", policy=loaded.tables.revision, suspensions=len(loaded.suspensions))
        self._warn_of_inert(loaded)
        for old, new in ((before.database, loaded.database), (before.anonymity, loaded.anonymity)):
            if old is not None and old is not new:
                # Giving back a full cache takes milliseconds, which no request should wait for.
                await asyncio.to_thread(old.close)
        return True

    async def _keep_policy(self, parts: Parts) -> None:
        """Keep a policy that is about to be in force, so that a sidecar starts by it while its source is away."""
        origin = self._settings.files.policy
        if self._state is None or parts.policy is None or parts.fetched is None:
            return
        source = source_of(origin.location, origin.options)
        kept = kept_of(source, parts.fetched, parts.policy, self._clock())
        await asyncio.to_thread(self._state.write, kept)
        self._keep(kept)

    def _warn_of_inert(self, configuration: Configuration) -> None:
        self.metrics.inert.set(len(configuration.inert))
        for order in configuration.inert:
            _log.warning(
                "an order names what the policy does not have", order=order.id, kind=order.kind, name=order.name
            )

    async def _record_configuration(self, configuration: Configuration) -> None:
        await self.recorder.record_configuration(
            self.live.with_configuration(configuration).snapshot,
            configuration.geo,
            configuration.compiled.canonical,
            anonymity=None if configuration.anonymity is None else configuration.anonymity.identity,
            shadow=None if configuration.shadow is None else configuration.shadow.canonical,
        )

    def _deliver(self, delivery: Delivery) -> None:
        self.metrics.delivered(delivery.finding)
        if delivery.finding.is_violation:
            _log.critical(
                "VIOLATION: a request reached a region that its decision did not name",
                decision=delivery.decision,
                finding=delivery.finding.value,
                regions=[attempt.region for attempt in delivery.attempts],
            )
        self.recorder.deliver(delivery)

    def _open_access_log(self) -> Callable[[bytes], None]:
        reader = AccessLogReader(self.live.region_of)

        def take(message: bytes) -> None:
            try:
                reported = list(reader.read(message))
            except DecodeError:
                self.metrics.bad_log_messages.inc()
                _log.error("an access log message could not be read")
                return
            for ended in reported:
                self.deliveries.take(ended)

        return take

    def _why_not_ready(self) -> list[str]:
        reasons = []
        if not self._serving:
            reasons.append("not serving: starting or draining")
        elif not self.wire.claim.is_there():
            reasons.append(f"the socket {self.wire.address} is gone: Envoy cannot connect anew")
        if self.recorder.failed.is_set():
            reasons.append(f"the log cannot be written: {self.recorder.failure}")
        if self.live.configuration.tables.epoch_at(self._clock()) is None:
            reasons.append("the policy is not in force at this time: its as_of is in the future")
        return reasons

    def _ended(self, task: "asyncio.Future[None]") -> None:
        """End the process when work ended that has no end: a watcher or a probe that died must not die quietly."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("work in the background ended by an error", exc_info=error)
            self.broken.set()


async def _first(*events: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(event) for event in events]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _cancel(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
