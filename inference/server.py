"""Sockets, signals and drain: a cell from its configuration to its exit status.

On SIGTERM or SIGINT readiness turns 503 at once. For a fifth of the drain time the cell serves on, asking each
client to close its connection, so that balancers see it and nobody loses a request; then it stops listening, finishes
what is in flight, and ends. What still runs when the drain time is over is cut with 503. A second signal ends the
lingering at once.
"""

import asyncio
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import onnxruntime
import uvicorn
from structlog.typing import FilteringBoundLogger

from inference.access_log import open_access_log
from inference.app import BodyLimits, Cell
from inference.batcher import BatchLimits
from inference.errors import EXIT_OK, ListenError
from inference.events import open_events
from inference.identity import CellIdentity
from inference.model import load_model
from inference.provider import Device, check_device
from inference.served import ModelTable, serve_model
from inference.store import list_store, load_artifact
from inference.tls import Door, TlsFiles

LINGER_SHARE: Final = 0.2
"""Part of the drain time in which a draining cell still takes requests, so that health checks notice first."""

_KEEP_ALIVE_S: Final = 4000
"""ENVOY: an upstream connection is idle for up to one hour (`idle_timeout`). The cell waits longer, so that it is
always Envoy who closes; the other way round a request can meet a connection that is just being closed."""

_UVICORN_TICKS_S: Final = 0.3
"""What uvicorn itself sleeps while it shuts down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Mutual TLS: the cell's own files, and the SPIFFE ids of the clients that may ask."""

    files: TlsFiles
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Everything a cell is started with.

    models: the store. host, port: where to listen; port 0 lets the system choose. threads: per model version, inside
    onnxruntime. drain_s: seconds from the signal to the exit, at most. access_log: a path, or "-" for standard output.
    tls: what to show and whom to admit; None for plain HTTP.
    """

    identity: CellIdentity
    models: Path
    host: str
    port: int
    device: Device
    threads: int
    drain_s: float
    access_log: str
    body: BodyLimits
    batch: BatchLimits
    tls: TlsConfig | None = None


class _DrainingServer(uvicorn.Server):
    """uvicorn with the drain of this module: it lingers before it stops, and a signal leads to exit status 0."""

    def __init__(self, config: uvicorn.Config, *, cell: Cell, linger_s: float, events: FilteringBoundLogger) -> None:
        super().__init__(config)
        self._cell = cell
        self._linger_s = linger_s
        self._stop_at: float | None = None
        self._events = events

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if self._cell.draining:
            self.should_exit = True
            return
        self._cell.draining = True
        self._stop_at = time.monotonic() + self._linger_s
        self._events.info("draining", signal=signal.Signals(sig).name)

    async def on_tick(self, counter: int) -> bool:
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in sockets or []:
            host, port = bound.getsockname()[:2]
            self._events.info("listening", host=host, port=port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        cut = set(self.server_state.tasks)  # uvicorn has cancelled these; each still sends its 503
        if cut:
            self._events.warning("drain time is over", requests_cut=len(cut))
            await asyncio.wait(cut, timeout=1)


def serve(config: ServeConfig) -> int:
    """Run the cell until a signal ends it, and return the exit status; ConfigurationError if it cannot start."""
    events = open_events(region=config.identity.region, cell=config.identity.cell)
    check_device(onnxruntime, config.device)
    door = None if config.tls is None else Door(config.tls.files, config.tls.peers, events)
    if door is not None:
        events.info("TLS files were taken", identity=door.identity)
    models = _load_models(config, events)
    access_log = open_access_log(config.access_log, config.identity)
    cell = Cell(identity=config.identity, models=models, access_log=access_log, events=events, limits=config.body)
    try:
        with _bind(config.host, config.port) as bound:
            _server(config, cell, events, door).run(sockets=[bound])
    finally:
        for served in models:
            served.model.terminate()
            served.batcher.close()
        access_log.close()
        if door is not None:
            door.close()
    events.info("stopped")
    return EXIT_OK


def _load_models(config: ServeConfig, events: FilteringBoundLogger) -> ModelTable:
    served = []
    for ref in list_store(config.models):
        model = load_model(load_artifact(ref), device=config.device, threads=config.threads)
        served.append(serve_model(model, config.batch))
        events.info("loaded", model=ref.model, version=ref.version, digest=model.identity.digest)
    return ModelTable(served)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ListenError(f"--listen {host}:{port}: {error.strerror}; choose a free address of this machine") from error


def _server(config: ServeConfig, cell: Cell, events: FilteringBoundLogger, door: Door | None) -> uvicorn.Server:
    linger_s = config.drain_s * LINGER_SHARE
    settings = uvicorn.Config(
        cell,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # the cell has an event log of its own, and clients can write into uvicorn's
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    if door is not None:
        settings.load()
        settings.ssl = door
    # The setting is declared in whole seconds; uvicorn only hands it to asyncio, which takes fractions.
    settings.timeout_graceful_shutdown = max(0.0, config.drain_s - linger_s - _UVICORN_TICKS_S)  # type: ignore[assignment]
    return _DrainingServer(settings, cell=cell, linger_s=linger_s, events=events)
