"""How a running sidecar comes to decide by something else: a changed file, another policy, a legal order.

Owns the watching, and the order in which a configuration is read, kept, recorded and put in force. Whatever cannot be
used is refused with the last good one kept. What a configuration is made of stands in
:mod:`extproc.sidecar.configuration`.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from extproc.bundle.apart import accept_apart
from extproc.bundle.errors import BundleError, StateError
from extproc.bundle.last_good import LastGood, StateFolder
from extproc.bundle.locations import source_of
from extproc.bundle.poll import Poller
from extproc.bundle.source import Fetched
from extproc.bundle.start import kept_of
from extproc.core.ids import OverrideId
from extproc.geo import GeoDatabaseError
from extproc.ledger.errors import LedgerError
from extproc.sidecar.configuration import (
    Configuration,
    Parts,
    combine,
    read_parts,
)
from extproc.sidecar.fitting import ConfigurationError, check_same_envoy
from extproc.sidecar.live import Current, Live
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.recorder import Recorder
from extproc.sidecar.settings import Settings
from extproc.sidecar.watch import Watcher
from extproc.strict_yaml import DocumentError

_log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
BAD_CONFIGURATION: Final = (BundleError, DocumentError, GeoDatabaseError, ConfigurationError)
"""What loading a configuration raises for files that cannot be used."""


class Reloading:
    """Keeps `live` current. Call :meth:`begin` once the log is open, then run what :meth:`watch` gives."""

    def __init__(  # noqa: PLR0913 - what a change of configuration touches, each by name
        self,
        settings: Settings,
        *,
        live: Live,
        recorder: Recorder,
        metrics: Metrics,
        clock: Callable[[], float],
        taken: Callable[[], None] = lambda: None,
    ) -> None:
        """`taken` is called with each change, once decisions are made by it."""
        self._settings = settings
        self._taken = taken
        self._live = live
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock
        self._rendered = live.configuration
        self._refused: frozenset[Path] = frozenset()
        self._source_refused = settings.stale
        self._swapping = asyncio.Lock()
        self._policies = asyncio.Lock()
        self._swapped = asyncio.Event()
        origin = settings.files.policy
        self._state = None if origin.state is None else StateFolder(origin.state)
        self._kept: LastGood | None = None
        if settings.kept is not None:
            self._keep(settings.kept)

    async def begin(self) -> None:
        """Record what is decided by from the start. Raises LedgerError and StateError."""
        configuration = self._live.configuration
        await self._recorder.record_overrides((), configuration.suspensions)
        await self._record_configuration(configuration, self._live.current)
        if self._state is not None and self._kept is not None:
            await asyncio.to_thread(self._state.write, self._kept)
        self._say_if_stale()
        self._warn_of_inert(configuration)
        self._metrics.configured(configuration, self._clock())

    def watch(self) -> list[Awaitable[None]]:
        """Give the work without end that notices changes."""
        settings = self._settings
        # Legal orders have a watcher of their own, because another file may take long to load.
        orders = {path: seen for path, seen in settings.seen.items() if path == settings.files.overrides}
        others = {path: seen for path, seen in settings.seen.items() if path not in orders}
        work: list[Awaitable[None]] = [Watcher(seen, self._reload).look_forever() for seen in (orders, others) if seen]
        if settings.files.policy.path is None:
            work.append(self._poller().poll_forever())
        return work

    async def until_taken(self, added: Collection[OverrideId], ended: Collection[OverrideId]) -> None:
        """Return once decisions are made with these orders and without those, and that is recorded."""
        while not self._has_taken(added, ended):
            await self._swapped.wait()

    def _has_taken(self, added: Collection[OverrideId], ended: Collection[OverrideId]) -> bool:
        orders = {each.id for each in self._live.configuration.overrides}
        return orders.issuperset(added) and orders.isdisjoint(ended)

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
                last=self._live.configuration.standing,
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
        self._metrics.policy_confirmed.set(kept.confirmed_at)

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
            parts = await asyncio.to_thread(
                partial(read_parts, self._settings.files, changed, self._live.configuration)
            )
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
        self._metrics.stale.set(bool(self._refused) or self._source_refused)

    def _refuse(self, message: str, error: Exception, files: list[str] | None = None) -> None:
        self._say_if_stale()
        self._metrics.reloads.labels("refused").inc()
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

    def _fitting(self, parts: Parts) -> tuple[Configuration, Current]:
        """Give what would be in force, made whole, so that nothing is kept or recorded that then cannot be used."""
        loaded = combine(self._settings.files, parts, self._live.configuration)
        check_same_envoy(self._rendered.compiled, loaded.compiled)
        self._settings.probing.check(loaded.tables)
        return loaded, self._live.with_configuration(loaded)

    async def _swap(self, parts: Parts) -> bool:
        """Record the new configuration, then decide by it: one at a time, and quickly."""
        async with self._swapping:
            before = self._live.configuration
            loaded, current = self._fitting(parts)
            if loaded.revision == before.revision:
                self._live.configuration = loaded  # by others' signatures, perhaps
                return True
            if before.shadow is not None and loaded.shadow is None:
                _log.warning("the shadow policy is not evaluated any more: its file is gone, or it no longer fits")
            try:
                ends = tuple(each for each in loaded.resumptions if each not in before.resumptions)
                await self._recorder.record_overrides(before.suspensions, loaded.suspensions, ends)
                await self._record_configuration(loaded, current)
            except LedgerError as error:
                _log.critical("a changed configuration is not in force", error=str(error))
                return False
            self._live.configure(loaded, current)
            # Without a pause, so that no decision holds what cells have shown against the approvals of before.
            self._taken()
            # Whoever waits now has waited for this one; whoever comes later waits for the next.
            self._swapped.set()
            self._swapped = asyncio.Event()
        # What lives now lives to the next change; a collection that walks over it holds up requests.
        gc.freeze()
        self._metrics.configured(loaded, self._clock())
        self._metrics.reloads.labels("taken").inc()
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
        self._metrics.inert.set(len(configuration.inert))
        for order in configuration.inert:
            _log.warning(
                "an order names what the policy does not have", order=order.id, kind=order.kind, name=order.name
            )

    async def _record_configuration(self, configuration: Configuration, current: Current) -> None:
        await self._recorder.record_configuration(
            current.snapshot,
            configuration.geo,
            configuration.compiled.canonical,
            anonymity=None if configuration.anonymity is None else configuration.anonymity.identity,
            shadow=None if configuration.shadow is None else configuration.shadow.canonical,
        )
