"""The supervisor: starts the workers, has the board and the probes, and answers for all of them.

It is no part of a decision's way: while it hangs, workers go on with what they know, and when it is gone they end.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from extproc.control.server import ControlServer
from extproc.core.ids import DependencyId, RegionId
from extproc.core.tables import Region
from extproc.sidecar.admin import AdminServer, Readiness
from extproc.sidecar.settings import ControlSocket
from extproc.sidecar.tls import SidecarTls, TlsSettings
from extproc.signals.cells import probe_forever
from extproc.signals.dependencies import ask_forever
from extproc.workers.controlled import Controlled
from extproc.workers.counters import SharedCounters, create_block
from extproc.workers.crew import Crew
from extproc.workers.exposition import merge
from extproc.workers.hub import ANSWER_S, Answer, Hub
from extproc.workers.tenure import take_tenure

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_LOOK_S: Final = 0.5
_END_S: Final = 20.0
"""What a worker may need besides its drain: its last entries are cosigned and shipped."""
_SOFTWARE: Final = 70
"""sysexits' EX_SOFTWARE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a supervisor is told.

    `command` starts a sidecar; `workers` of them are started. `regions` are the policy's at the start, `endpoints` the
    cells to probe as `host:port`s, `dependencies` the URLs of what the regions need. `tenure` is the lock that no other
    set of workers has. `drain_s` is what each worker was told. `control` is the socket for legal orders, for all of
    them. `tls` says as whom the cells are asked; None where they are asked in plain HTTP.
    """

    command: Sequence[str]
    workers: int
    regions: tuple[Region, ...]
    endpoints: Mapping[RegionId, Sequence[str]]
    tenure: Path
    admin: str | None = None
    drain_s: float = 5.0
    dependencies: Mapping[RegionId, Mapping[DependencyId, str]] = field(default_factory=dict)
    control: ControlSocket | None = None
    tls: TlsSettings | None = None


async def supervise(orders: Orders) -> int:
    """Run the workers until SIGTERM or SIGINT, and give the exit code: 0, or that of a worker that cannot run.

    Raises OSError when the admin address cannot be bound, and TenureError while another set of workers lives.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        tenure = await _unless(stop, take_tenure(orders.tenure, patience_s=orders.drain_s + _END_S))
        if tenure is None:
            return 0
        supervisor = Supervisor(orders, tenure)
        stack.push_async_callback(supervisor.crew.stop, orders.drain_s + _END_S)
        if orders.admin is not None:
            admin = AdminServer(orders.admin, metrics=supervisor.metrics, readiness=supervisor.readiness)
            stack.push_async_callback(asyncio.to_thread, admin.close)
            _log.info("admin endpoint", address=admin.address)
        if orders.control is not None:
            control = await ControlServer.start(
                orders.control.address,
                users=orders.control.users,
                overrides=orders.control.overrides,
                running=Controlled(supervisor.hub, workers=orders.workers),
            )
            stack.push_async_callback(control.close)
        ended = await _unless(stop, supervisor.run())
        _log.info("draining", workers=orders.workers, seconds=orders.drain_s)
        await supervisor.crew.stop(orders.drain_s + _END_S)
        return ended or 0


class Supervisor:
    """The parts of a supervisor, wired together."""

    def __init__(self, orders: Orders, tenure: int) -> None:
        self._orders = orders
        self._loop = asyncio.get_running_loop()
        block = create_block(workers=orders.workers, catalogue=[region.id for region in orders.regions])
        self.hub = Hub(
            orders.regions,
            counters=SharedCounters(block),
            clock=time.time,
            checks_models=bool(orders.endpoints),
            served=self._served,
        )
        self.registry = CollectorRegistry()
        # Without metrics: each worker has the same files and tells of them.
        self._tls = None if orders.tls is None else SidecarTls(orders.tls)
        self.crew = Crew(orders.command, block=block, hub=self.hub, tenure=tenure, registry=self.registry)
        Gauge("situs_workers", "Workers that there should be.", registry=self.registry).set(orders.workers)
        self._up = Gauge("situs_workers_up", "Workers that answer requests.", registry=self.registry)
        self._silent = Counter(
            "situs_worker_scrapes_failed_total",
            "Workers that did not say how they are in time, so that their metrics are missing from a page.",
            registry=self.registry,
        )
        self._refused = Gauge(
            "situs_worker_frames_dropped",
            "Frames to workers that did not read, dropped since the start. What decisions see is never among them.",
            registry=self.registry,
        )

    async def run(self) -> int:
        """Run the workers until one of them is a reason to end, and give the exit code."""
        keep = asyncio.ensure_future(self.crew.keep())
        work: list[asyncio.Future[None]] = [asyncio.ensure_future(self._look_forever())]
        if self._orders.endpoints:
            contexts = None if self._tls is None else self._tls.cells()
            probes = probe_forever(
                self._orders.endpoints, lambda: self.hub.regions, self.hub.board.probed, contexts=contexts
            )
            work.append(asyncio.ensure_future(probes))
        if self._orders.dependencies:
            questions = ask_forever(self._orders.dependencies, lambda: self.hub.regions, self.hub.board.depended)
            work.append(asyncio.ensure_future(questions))
        if self._tls is not None:
            work.append(asyncio.ensure_future(self._tls.watch()))
        tasks: list[asyncio.Future[Any]] = [keep, *work]
        pending: set[asyncio.Future[Any]] = set(tasks)
        try:
            while not keep.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {keep}:
                    # Questions may end because there are none; by an error, nothing may end.
                    if (error := task.exception()) is not None:
                        _log.critical("work in the background ended by an error", exc_info=error)
                        return _SOFTWARE
            return keep.result()
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self.hub.look()

    def _served(self, worker: int) -> None:
        _log.info("a worker serves", worker=worker)
        self.crew.served(worker)

    # Called by a thread of the admin endpoint ------------------------------------------------------------------------

    def metrics(self) -> bytes:
        """Give the metrics of all workers that answer, and the supervisor's own. Raises TimeoutError when it hangs."""
        answers = self._ask(metrics=True)
        self._up.set(self.hub.serving)
        self._silent.inc(self._orders.workers - len(answers))
        self._refused.set(self.hub.refused)
        own = generate_latest(self.registry)
        return own + merge({worker: answer.metrics for worker, answer in answers.items()}).encode()

    def readiness(self) -> Readiness:
        """Tell whether any worker serves, and which ones do not. Raises TimeoutError when the supervisor hangs."""
        answers = self._ask(metrics=False)
        reasons: list[str] = []
        ready = 0
        for worker in range(self._orders.workers):
            answer = answers.get(worker)
            if answer is None:
                last = self.crew.last.get(worker)
                reasons.append(
                    f"worker {worker} does not answer" + (f"; the one before ended by {last}" if last else "")
                )
            else:
                ready += not answer.reasons
                reasons += [f"worker {worker}: {reason}" for reason in answer.reasons]
        return Readiness(ready=ready > 0, reasons=reasons)

    def _ask(self, *, metrics: bool) -> Mapping[int, Answer]:
        return asyncio.run_coroutine_threadsafe(self.hub.ask(metrics=metrics), self._loop).result(2 * ANSWER_S)


async def _unless(stop: asyncio.Event, work: Awaitable[_T]) -> _T | None:
    """Do some work; give None, and do it no more, when `stop` is set first."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.wait([task, stopped])


def command_of(arguments: Sequence[str]) -> list[str]:
    """Give the command that runs this program with these arguments again."""
    return [sys.executable, "-m", "extproc", *arguments]
