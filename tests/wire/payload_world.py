"""A real Envoy that sends payloads, a recording server on our own stream handler, and a cell that remembers them.

The recorder stands where the sidecar would. It steers every request, or refuses it if the request says so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from mesh.example import mesh_of, tables_of
from mesh.world import free_port, rendered, running_envoy

from extproc.core.ids import DataClass, DecisionId, RegionId
from extproc.core.payload import PayloadReading
from extproc.core.reading import Reading
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny, Steer
from extproc.mesh.section import EnvoyVersion, Timeouts, UnixSocket
from extproc.names import METADATA_DECISION, METADATA_NAMESPACE
from extproc.wire.payload import Body
from extproc.wire.response import Phase, Responder
from extproc.wire.server import LogStream, PayloadServer, WireServer

LIMIT = 96 * 1024
"""Bytes that are looked at: more than the window that HTTP/2 streams have otherwise."""
MESSAGE_S = 1.0
TELL = "x-data-jurisdiction"
_PATIENCE = 1000


@dataclass
class Cell:
    """An HTTP/1.1 server that remembers the bodies and answers the next of `statuses`, else 200."""

    requests: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection until it ends."""
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while length := int(await reader.readline(), 16):
                body += (await reader.readexactly(length + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        status = 200
        if "/v2/health/" not in head[0]:
            self.requests.append((body, headers))
            status = self.statuses.pop(0) if self.statuses else 200
        writer.write(f"HTTP/1.1 {status} told\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()


@dataclass
class Recorder:
    """Remembers what was asked and logged, and answers as `TELL` says: `deny`, `hang`, else steered."""

    asked: list[tuple[dict[str, str], Body | None]] = field(default_factory=list)
    decisions_logged: list[str] = field(default_factory=list)
    given_up: int = 0
    decision: str = ""
    _count: int = 0
    _responder: Responder = field(default_factory=Responder)

    async def __call__(self, message: bytes, body: Body | None) -> bytes:
        """Answer one request."""
        request = ProcessingRequest.FromString(message)
        headers = {h.key: h.raw_value.decode() for h in request.request_headers.headers.headers}
        self.asked.append((headers, body))
        self._count += 1
        decision = DecisionId(f"01890a5d-ac96-774b-bcce-{self._count:012x}")
        self.decision = decision
        if headers.get(TELL) == "hang":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.given_up += 1
                raise
        deny = Deny(refusal=Refusal.NO_PERMITTED_REGION)
        steering = deny if headers.get(TELL) == "deny" else Steer(plan=(RegionId("r0"),), route="c0")
        return self._responder.respond(
            steering, decision, Phase.HEADERS if body is None else Phase.BODY if body.complete else Phase.PART
        )

    async def unary(self, _message: bytes) -> bytes:
        """Stand where the unary handler would."""
        raise AssertionError("the unary handler was called")

    def log(self, message: bytes) -> None:
        """Take one message of Envoy's access log."""
        parsed = StreamAccessLogsMessage.FromString(message)
        for entry in parsed.http_logs.log_entry:
            found = entry.common_properties.metadata.filter_metadata
            if METADATA_NAMESPACE in found:
                self.decisions_logged.append(found[METADATA_NAMESPACE][METADATA_DECISION])


@dataclass
class World:
    """The running parts, and clients of both protocols."""

    oldest: EnvoyVersion
    cell: Cell
    recorder: Recorder
    url: str
    admin: str
    log: Path
    http1: httpx.AsyncClient
    http2: httpx.AsyncClient

    def forget(self) -> None:
        self.cell.requests.clear()
        self.cell.statuses.clear()
        self.recorder.asked.clear()

    async def counter(self, name: str) -> int:
        text = (await self.http1.get(f"{self.admin}/stats", params={"filter": f"^{name}$"})).text
        return int(text.rpartition(":")[2])


async def _ask_for_the_body(_headers: bytes) -> bytes | None:
    return None


@asynccontextmanager
async def running_payload_world(
    binary: Path, directory: Path, oldest: EnvoyVersion = EnvoyVersion.V1_38
) -> AsyncIterator[World]:
    """Start everything with the rendered configuration, as `situs mesh render` writes it."""
    cell, recorder = Cell(), Recorder()
    serving = await asyncio.start_server(cell.serve, "127.0.0.1", 0, limit=1 << 25)
    listener, admin = free_port(), free_port()
    socket = directory / "sidecar.sock"
    mesh = mesh_of(
        [serving.sockets[0].getsockname()[1]], listener=listener, admin=admin, sidecar=UnixSocket(unix=str(socket))
    )
    mesh = replace(mesh, timeouts=Timeouts(message_s=MESSAGE_S), oldest_envoy=oldest)
    payload = PayloadReading(limit_bytes=LIMIT, unreadable=DataClass("special"))
    reading = Reading(jurisdiction_header=TELL, payload=payload)
    server = await WireServer.start(
        f"unix:{socket}",
        process=recorder.unary,
        open_log=lambda: LogStream(take=recorder.log),
        payloads=PayloadServer(process=recorder, preview=_ask_for_the_body),
    )
    async with (
        httpx.AsyncClient(trust_env=False) as http1,
        httpx.AsyncClient(trust_env=False, http1=False, http2=True) as http2,
    ):
        world = World(
            oldest=oldest,
            cell=cell,
            recorder=recorder,
            url=f"http://127.0.0.1:{listener}/v2/models/digits/infer",
            admin=f"http://127.0.0.1:{admin}",
            log=directory / "envoy.log",
            http1=http1,
            http2=http2,
        )
        try:
            with running_envoy(binary, directory, rendered(tables_of(1), reading, mesh)):
                await _until_ready(world)
                yield world
        finally:
            await server.drain(0)
            serving.close()


async def _until_ready(world: World) -> None:
    for _ in range(_PATIENCE):
        try:
            if (await world.http1.get(f"{world.admin}/ready")).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.02)
    raise AssertionError(f"Envoy did not start:\n{world.log.read_text()}")
