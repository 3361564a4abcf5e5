"""A small HTTP/1.1 server that strangers may talk to: bounded in bytes, in time and in connections.

Owns connections and their limits. What is answered is for whoever hands over the answering function. The grammar of
HTTP is h11's. Bodies are short, so they are held whole.

SPEC: RFC 9112
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, TypeAlias

import h11

TEXT: Final = "text/plain; charset=utf-8"
_HEAD_BYTES: Final = 16 << 10
_CHUNK: Final = 16 << 10
_LINGER_S: Final = 1.0
_LINGER_CHUNKS: Final = 256
"""4 MiB at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked. `path` is without the query."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()


Answer: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a stranger is borne. Times are seconds."""

    body_bytes: Callable[[str], int]
    """Longest body, by path."""

    request_s: float = 10
    """From the first byte of a request to its last, and for each answer to be taken."""

    idle_s: float = 75
    """Between requests on a connection that is kept."""

    connections: int = 1000
    """Open at once; one more is closed at once."""

    stop_s: float = 5
    """For requests that are under way when the server stops."""


@dataclass(slots=True, eq=False)
class _Connection:
    """One connection. `busy` from the first byte of a request to the last of its answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: "asyncio.Task[None]"
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER, _HEAD_BYTES))
    busy: bool = False


class _TooLargeError(Exception):
    """A body over the limit."""


class HttpServer:
    """A started server; `address` holds the real port. Use :func:`start_http_server`."""

    def __init__(self, answer: Answer, limits: Limits) -> None:
        self._answer = answer
        self._limits = limits
        self._open: set[_Connection] = set()
        self._stopping = False
        self._server: asyncio.Server | None = None
        self.address = ""

    async def start(self, listen: str, tls: ssl.SSLContext | None) -> None:
        """Listen on `host:port`. Raises OSError, with the mend, where that cannot be."""
        host, _, port = listen.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._serve,
                host.strip("[]") or None,
                int(port),
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._limits.request_s,
            )
        except (OSError, ValueError, OverflowError) as error:
            raise OSError(f"--listen {listen} cannot be served: {error}. Mend: choose a free host:port") from error
        bound = self._server.sockets[0].getsockname()
        self.address = f"{host}:{bound[1]}"

    async def stop(self) -> None:
        """Take no more requests, let those under way end, and close."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for connection in self._open:
            if not connection.busy:
                connection.task.cancel()
        tasks = [connection.task for connection in self._open]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.stop_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._stopping or len(self._open) >= self._limits.connections:
            writer.close()
            return
        connection = _Connection(reader=reader, writer=writer, task=task)
        self._open.add(connection)
        try:
            while await self._exchange(connection):
                connection.http.start_next_cycle()
        except (TimeoutError, OSError, asyncio.CancelledError, h11.LocalProtocolError):
            # A stranger that is slow, or gone; or the server stops. None of it is an event.
            pass
        finally:
            self._open.discard(connection)
            if connection.busy:
                writer.transport.abort()
            else:
                writer.close()

    async def _exchange(self, connection: _Connection) -> bool:
        """Answer one request; tell whether the connection can be kept for the next one."""
        async with asyncio.timeout(self._limits.idle_s):
            if not connection.http.trailing_data[0]:
                first = await connection.reader.read(_CHUNK)
                if not first:
                    return False
                connection.http.receive_data(first)
        connection.busy = True
        response = await self._respond(connection)
        keep = response is not None and await self._send(connection, response)
        connection.busy = False
        return keep and not self._stopping

    async def _respond(self, connection: _Connection) -> Response | None:
        try:
            async with asyncio.timeout(self._limits.request_s):
                request = await self._receive(connection)
        except h11.RemoteProtocolError as error:
            return _plain(HTTPStatus(error.error_status_hint), "not a request of HTTP/1.1")
        except _TooLargeError as error:
            return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        except TimeoutError:
            return _plain(HTTPStatus.REQUEST_TIMEOUT, f"no whole request within {self._limits.request_s:g} s")
        return None if request is None else await self._answer(request)

    async def _receive(self, connection: _Connection) -> Request | None:
        http = connection.http
        head: h11.Request | None = None
        path, body = "", bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    go_on = http.send(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[]))
                    connection.writer.write(go_on or b"")
                http.receive_data(await connection.reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                head = event
                path = event.target.decode("ascii", "replace").partition("?")[0]
                stated = dict(event.headers).get(b"content-length", b"0")
                self._check_length(path, int(stated))
            elif isinstance(event, h11.Data):
                body += event.data
                self._check_length(path, len(body))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Request(method=head.method.decode("ascii"), path=path, body=bytes(body))
            else:
                return None

    def _check_length(self, path: str, length: int) -> None:
        longest = self._limits.body_bytes(path)
        if length > longest:
            raise _TooLargeError(f"expected a body of at most {longest} bytes")

    async def _send(self, connection: _Connection, response: Response) -> bool:
        """Send an answer; tell whether the connection can be kept."""
        http = connection.http
        whole = http.their_state in {h11.DONE, h11.MUST_CLOSE}
        headers = [
            ("date", formatdate(usegmt=True)),
            ("content-type", response.content_type),
            ("content-length", str(len(response.body))),
            *response.headers,
        ]
        if not whole or self._stopping:
            headers.append(("connection", "close"))
        data = [
            http.send(h11.Response(status_code=response.status, headers=headers, reason=response.status.phrase)),
            http.send(h11.Data(data=response.body)),
            http.send(h11.EndOfMessage()),
        ]
        connection.writer.write(b"".join(each or b"" for each in data))
        async with asyncio.timeout(self._limits.request_s):
            await connection.writer.drain()
        if not whole:
            await _linger(connection)
        return whole and http.our_state is h11.DONE


async def start_http_server(
    listen: str, answer: Answer, *, limits: Limits, tls: ssl.SSLContext | None = None
) -> HttpServer:
    """Start a server on `host:port`; port 0 is any free one. Raises OSError, with the mend."""
    server = HttpServer(answer, limits)
    await server.start(listen, tls)
    return server


async def _linger(connection: _Connection) -> None:
    """Take a little more of a body that is refused: one closed while it comes would take our answer with it."""
    if connection.writer.can_write_eof():
        connection.writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            for _ in range(_LINGER_CHUNKS):
                if not await connection.reader.read(_CHUNK):
                    return


def _plain(status: HTTPStatus, text: str) -> Response:
    return Response(status=status, body=f"{text}\n".encode())
