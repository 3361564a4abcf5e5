"""The admin endpoint: `/metrics` for Prometheus, `/readyz` and `/livez` for whoever restarts it.

Served by a thread of its own, so that it still answers when the event loop does not.
"""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_IDLE_S: Final = 5
"""Seconds after which a connection that sends nothing is closed."""
_TEXT: Final = "text/plain; charset=utf-8"
_UNAVAILABLE: Final = "503 Service Unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether requests can be answered, and what is not as it should be, for a person."""

    ready: bool
    reasons: list[str]


class AdminServer:
    """A started admin endpoint; `address` holds the real port.

    `metrics` gives them in Prometheus' text form. Both are called by a thread of the endpoint's, and may raise
    TimeoutError where what they ask does not answer: then the answer is a 503.
    """

    def __init__(self, listen: str, *, metrics: Callable[[], bytes], readiness: Callable[[], Readiness]) -> None:
        """Listen on `listen` (`host:port`). Raises OSError where it cannot be bound."""
        host, _, port = listen.rpartition(":")
        self._metrics = metrics
        self._readiness = readiness
        try:
            self._server = make_server(host, int(port), self._answer, server_class=_Server, handler_class=_QuietHandler)
        except (OSError, ValueError) as error:
            raise OSError(f"--admin {listen} cannot be served: {error}. Mend: choose a free host:port") from error
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="situs-admin", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and join the thread. Blocks for up to half a second."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/livez":
            start("200 OK", [("content-type", _TEXT)])
            return [b"alive\n"]
        try:
            if path == "/metrics":
                exposition = self._metrics()
                start("200 OK", [("content-type", CONTENT_TYPE_LATEST)])
                return [exposition]
            if path == "/readyz":
                return [self._ready(start)]
        except TimeoutError:
            start(_UNAVAILABLE, [("content-type", _TEXT)])
            return [b"it does not answer in time\n"]
        start("404 Not Found", [("content-type", _TEXT)])
        return [b"known paths: /metrics /readyz /livez\n"]

    def _ready(self, start: "StartResponse") -> bytes:
        readiness = self._readiness()
        start("200 OK" if readiness.ready else _UNAVAILABLE, [("content-type", "application/json")])
        return json.dumps({"ready": readiness.ready, "reasons": readiness.reasons}).encode() + b"\n"


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection: one that is opened and left idle must not keep a probe waiting."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = _IDLE_S

    def log_message(self, *_args: object) -> None:
        """Say nothing: a scrape is not an event."""
