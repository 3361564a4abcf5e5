"""A witness on the network: tlog-witness over HTTP, and what its operator watches it by.

Owns the paths and the one table from errors to statuses. Judging takes a flush of the disk, so it runs in threads.

| path | what |
|---|---|
| `POST /add-checkpoint` | SPEC: tlog-witness |
| `GET /<origin hash>/checkpoint` | SPEC: tlog-witness, Monitor Retrieval Mechanism |
| `POST /add-delegations` | our own: the notes by which a known key delegates to those that sign |
| `GET /heads` | our own, only where the operator lets it be seen: each log's size and age |
| `GET /healthz`, `GET /metrics` | for whoever runs it |
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from extproc.witness.batches import Batches
from extproc.witness.errors import (
    ConflictError,
    InconsistentError,
    RequestError,
    StateError,
    UnknownLogError,
    UntrustedError,
    WitnessError,
)
from extproc.witness.http import HttpServer, Limits, Request, Response, start_http_server
from extproc.witness.logs import KnownLogs
from extproc.witness.request import ADD_CHECKPOINT, ADD_DELEGATIONS, HEADS, SIZE_TYPE
from extproc.witness.state import State
from extproc.witness.witness import Witness

STATUSES: Final[dict[type[WitnessError], HTTPStatus]] = {
    RequestError: HTTPStatus.BAD_REQUEST,
    UnknownLogError: HTTPStatus.NOT_FOUND,
    UntrustedError: HTTPStatus.FORBIDDEN,
    ConflictError: HTTPStatus.CONFLICT,
    InconsistentError: HTTPStatus.UNPROCESSABLE_ENTITY,
    StateError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""SPEC: tlog-witness, section add-checkpoint."""

CHECKPOINT_BYTES: Final = 48 << 10
"""Longest request for a cosignature: 63 hashes, and a note with room for a dozen signatures of the largest kind. So a
checkpoint always fits into an entry of the root log."""
DELEGATIONS_BYTES: Final = 1 << 20
"""Longest file of delegations: some 2,500, seven years of one a day."""
_THREADS: Final = 4
_JSON: Final = "application/json"

_log = structlog.get_logger()


class WitnessServer:
    """A started witness; `address` holds the real port. Use :func:`start_witness`."""

    def __init__(
        self,
        witness: Witness,
        *,
        logs: KnownLogs,
        state: State,
        heads: bool,
        why_not_well: Callable[[], Sequence[str]],
    ) -> None:
        self.registry = CollectorRegistry()
        self.address = ""
        self._logs = logs
        self._state = state
        self._heads = heads
        self._why_not_well = why_not_well
        self._http: HttpServer | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="witness")
        self._batches = Batches(witness, self._threads)
        self._requests = Counter(
            "situs_witness_requests", "Requests by path and status.", ("path", "status"), registry=self.registry
        )
        self._forks = Gauge("situs_witness_forks", "Proofs kept that a log has two histories.", registry=self.registry)
        self._forks.set_function(lambda: state.count()[1])
        self._known = Gauge("situs_witness_logs", "Logs with a cosigned checkpoint.", registry=self.registry)
        self._known.set_function(lambda: state.count()[0])

    async def start(self, listen: str, *, tls: ssl.SSLContext | None, limits: Limits) -> None:
        """Listen. Raises OSError, with the mend."""
        self._http = await start_http_server(listen, self._answer, limits=limits, tls=tls)
        self.address = self._http.address

    async def stop(self) -> None:
        """Let requests under way end, and stop. The state stays open: it is its owner's."""
        if self._http is not None:
            await self._http.stop()
        await asyncio.to_thread(self._threads.shutdown)

    async def _answer(self, request: Request) -> Response:
        path, response = await self._route(request)
        self._requests.labels(path, str(response.status.value)).inc()
        return response

    async def _route(self, request: Request) -> tuple[str, Response]:
        """Give the path as metrics name it, and the answer."""
        match (request.method, request.path):
            case ("POST", "/add-checkpoint"):
                return request.path, await self._say(self._batches.judge(request.body))
            case ("POST", "/add-delegations"):
                return request.path, await self._run(lambda: self._add_delegations(request.body))
            case ("GET", "/heads") if self._heads:
                return request.path, await self._run(self._all_heads)
            case ("GET", "/healthz"):
                return request.path, await self._run(self._health)
            case ("GET", "/metrics"):
                return request.path, await self._run(self._metrics)
            case ("GET", path) if path.endswith("/checkpoint"):
                return "/ORIGIN/checkpoint", await self._run(lambda: self._monitor(path))
            case (_, path) if path in _METHODS and (path != HEADS or self._heads):
                response = _text(HTTPStatus.METHOD_NOT_ALLOWED, f"expected {_METHODS[path]}")
                return path, Response(status=response.status, body=response.body, headers=(("allow", _METHODS[path]),))
            case _:
                return "other", _text(HTTPStatus.NOT_FOUND, f"known paths: {' '.join(_METHODS)}")

    def _run(self, answer: Callable[[], Response]) -> Awaitable[Response]:
        """Answer in a thread."""
        return self._say(asyncio.get_running_loop().run_in_executor(self._threads, answer))

    async def _say(self, answer: Awaitable[bytes | Response]) -> Response:
        """Give the answer, or what stands for an error."""
        try:
            said = await answer
        except ConflictError as error:
            return Response(status=STATUSES[ConflictError], body=f"{error.size}\n".encode(), content_type=SIZE_TYPE)
        except WitnessError as error:
            status = STATUSES[type(error)]
            if isinstance(error, (InconsistentError, StateError)):
                _log.warning("checkpoint refused", status=status.value, reason=str(error))
            return _text(status, str(error))
        except Exception:  # noqa: BLE001 - see below
            # What a stranger sends must not end a witness; what went wrong is for its operator.
            _log.exception("request failed")
            return _text(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the witness failed; its operator finds the reason in its log"
            )
        return Response(status=HTTPStatus.OK, body=said) if isinstance(said, bytes) else said

    def _add_delegations(self, body: bytes) -> Response:
        return _text(HTTPStatus.OK, self._logs.add_delegations(body))

    def _monitor(self, path: str) -> Response:
        latest = self._state.latest_by_hash(path.removeprefix("/").removesuffix("/checkpoint"))
        if latest is None:
            return _text(HTTPStatus.NOT_FOUND, "no checkpoint of that log was cosigned")
        return Response(status=HTTPStatus.OK, body=latest.note)

    def _all_heads(self) -> Response:
        body = self._state.describe()
        return Response(status=HTTPStatus.OK, body=json.dumps(body).encode() + b"\n", content_type=_JSON)

    def _health(self) -> Response:
        self._state.count()
        reasons = self._why_not_well()
        return _text(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(reasons)) if reasons else _text(HTTPStatus.OK, "well")

    def _metrics(self) -> Response:
        return Response(status=HTTPStatus.OK, body=generate_latest(self.registry), content_type=CONTENT_TYPE_LATEST)


_METHODS: Final = {
    ADD_CHECKPOINT: "POST",
    ADD_DELEGATIONS: "POST",
    HEADS: "GET",
    "/healthz": "GET",
    "/metrics": "GET",
}


async def start_witness(  # noqa: PLR0913 - what a witness needs, each by name
    listen: str,
    witness: Witness,
    *,
    logs: KnownLogs,
    state: State,
    heads: bool = False,
    why_not_well: Callable[[], Sequence[str]] = tuple,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
) -> WitnessServer:
    """Serve a witness on `host:port`. `heads` lets `/heads` be seen; `why_not_well` is asked for `/healthz`.

    Raises OSError, with the mend.
    """
    server = WitnessServer(witness, logs=logs, state=state, heads=heads, why_not_well=why_not_well)
    await server.start(listen, tls=tls, limits=limits or Limits(body_bytes=longest_body))
    return server


def longest_body(path: str) -> int:
    """Give the longest body that a path takes, in bytes."""
    return DELEGATIONS_BYTES if path == ADD_DELEGATIONS else CHECKPOINT_BYTES


def _text(status: HTTPStatus, text: str) -> Response:
    return Response(status=status, body=f"{text}\n".encode("utf-8", "replace"))
