"""A real Envoy with the rendered configuration, a sidecar that does as it is told, and real cells.

The sidecar reads what to do from the declared-jurisdiction header, so that a test says in its request which answer it
wants: `route c0>c1`, `none`, `deny`, `host`, `hang`.
"""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import grpc
import httpx
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    CommonResponse,
    HeaderMutation,
    HeadersResponse,
    ImmediateResponse,
    ProcessingRequest,
    ProcessingResponse,
)
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.struct_pb2 import Struct
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from mesh.example import LOOPBACK, READING, mesh_of, tables_of

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.section import Health, Jwt, Mesh, Timeouts, UnixSocket
from extproc.names import (
    ACCESS_LOG_SERVICE,
    ATTRIBUTES_NAMESPACE,
    DECISION_HEADER,
    EXT_PROC_SERVICE,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    ROUTE_HEADER,
    SOURCE_ADDRESS,
)

T = TypeVar("T")

Proto: TypeAlias = Any
"""A protobuf message or a part of one: there are no stubs."""

TELL = "x-data-jurisdiction"
MESSAGE_S = 0.5
_PATIENCE_S = 15.0


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    """Look until there is something, and fail when patience ends."""
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {_PATIENCE_S} s in vain for {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class Cell:
    """A cell that answers `status` to what is not a health check, and remembers who asked and with which body.

    One that does not `reads` answers before the body, and ends the connection.
    """

    def __init__(self) -> None:
        self.status = 200
        self.ready = True
        self.reads = True
        self.takes_s = 0.0
        self.requests: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        cell = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/v2/health/ready":
                    self._answer(200 if cell.ready else 503)
                    return
                time.sleep(cell.takes_s)
                cell.requests.append({name.lower(): value for name, value in self.headers.items()})
                if cell.reads:
                    cell.bodies.append(_read_body(self.headers, self.rfile))
                else:
                    self.close_connection = True
                if cell.status == 0:  # a cell that dies in the middle
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self._answer(cell.status)

            def do_POST(self) -> None:
                self.do_GET()

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.send_header("x-situs-region", "attested")
                self.send_header("endpoint-load-metrics", "TEXT cpu_utilization=0.1")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class ToldSidecar:
    """A gRPC server with the two services, which answers as the request says."""

    def __init__(self, path: Path) -> None:
        self.seen: list[Proto] = []
        self.entries: list[tuple[str, Proto]] = []
        self._released = threading.Event()
        self._log_names: dict[int, str] = {}
        process = grpc.unary_unary_rpc_method_handler(
            self._process,
            request_deserializer=ProcessingRequest.FromString,
            response_serializer=ProcessingResponse.SerializeToString,
        )
        logs = grpc.stream_unary_rpc_method_handler(
            self._logs,
            request_deserializer=StreamAccessLogsMessage.FromString,
            response_serializer=StreamAccessLogsResponse.SerializeToString,
        )
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(EXT_PROC_SERVICE, {"Process": process}),
                grpc.method_handlers_generic_handler(ACCESS_LOG_SERVICE, {"StreamAccessLogs": logs}),
            )
        )
        checked = health.HealthServicer()
        checked.set(EXT_PROC_SERVICE, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(checked, self._server)
        self._server.add_insecure_port(f"unix:{path}")
        self._server.start()

    def close(self) -> None:
        self._released.set()
        self._server.stop(None).wait()

    def logged(self, log: str, decision: str) -> list[Proto]:
        """Give the entries of one log that carry this decision id as a header."""
        return [
            entry
            for name, entry in list(self.entries)
            if name == log and dict(entry.request.request_headers).get(DECISION_HEADER) == decision
        ]

    def _process(self, request: Proto, _context: object) -> Proto:
        self.seen.append(request)
        verb, _, rest = headers_of(request).get(TELL, "").partition(" ")
        decision = f"d-{len(self.seen)}"
        match verb:
            case "route":
                answer = _steered({ROUTE_HEADER: rest, DECISION_HEADER: decision})
            case "host":
                answer = _steered({ROUTE_HEADER: "c0", DECISION_HEADER: decision, ":authority": "elsewhere"})
            case "deny":
                answer = _denied(decision)
            case "hang":
                self._released.wait(_PATIENCE_S)
                answer = _steered({ROUTE_HEADER: "c0", DECISION_HEADER: decision})
            case _:
                answer = _steered({DECISION_HEADER: decision})
        metadata = Struct()
        metadata.update({METADATA_NAMESPACE: {METADATA_DECISION: decision}})
        answer.dynamic_metadata.CopyFrom(metadata)
        return answer

    def _logs(self, messages: Iterator[Any], _context: object) -> Proto:
        name = ""
        with contextlib.suppress(grpc.RpcError):  # Envoy has gone
            for message in messages:
                # Only the first message of a stream carries the name.
                name = message.identifier.log_name or name
                self.entries.extend((name, entry) for entry in message.http_logs.log_entry)
        return StreamAccessLogsResponse()


@dataclass
class World:
    """The running parts. `get` sends a request through Envoy."""

    cells: list[Cell]
    sidecar: ToldSidecar
    url: str
    admin: str
    client: httpx.Client = field(default_factory=httpx.Client)

    def get(self, tell: str, path: str = "/v2/models/digits/infer", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(self.url + path, headers={TELL: tell, **named})

    def counter(self, name: str) -> int:
        text = httpx.get(f"{self.admin}/stats", params={"filter": f"^{name}$"}).text
        return int(text.rpartition(":")[2])

    def asked(self) -> list[int]:
        """Give how many requests each cell got."""
        return [len(cell.requests) for cell in self.cells]

    def forget(self) -> None:
        for cell in self.cells:
            cell.status = 200
            cell.reads = True
            cell.takes_s = 0.0
            cell.requests.clear()
            cell.bodies.clear()


def rendered(tables: PolicyTables, reading: Reading, mesh: Mesh) -> str:
    """Give the configuration as it is rendered."""
    return format_bootstrap(render_bootstrap(tables, reading, mesh))


@contextlib.contextmanager
def running_world(  # noqa: PLR0913 - one for each thing that varies
    binary: Path,
    directory: Path,
    *,
    reading: Reading = READING,
    jwt: Jwt | None = None,
    change: Callable[[Mesh], Mesh] = lambda mesh: mesh,
    configure: Callable[[PolicyTables, Reading, Mesh], str] = rendered,
) -> Iterator[World]:
    """Start four regions, of which the last has no cell, and everything around them.

    `configure` gives the text of Envoy's configuration.
    """
    cells = [Cell() for _ in range(3)]
    sidecar = ToldSidecar(directory / "sidecar.sock")
    listener, admin = free_port(), free_port()
    nobody = socket.socket()  # bound and never listening: the port is refused and nobody else can take it
    nobody.bind((LOOPBACK, 0))
    mesh = mesh_of(
        [*(cell.port for cell in cells), nobody.getsockname()[1]],
        listener=listener,
        admin=admin,
        sidecar=UnixSocket(unix=str(directory / "sidecar.sock")),
    )
    mesh = change(
        replace(
            mesh,
            jwt=jwt,
            timeouts=Timeouts(message_s=MESSAGE_S),
            health=Health(interval_s=0.1, timeout_s=1.0, failures=100),
        )
    )
    world = World(
        cells=cells,
        sidecar=sidecar,
        url=f"http://{LOOPBACK}:{listener}",
        admin=f"http://{LOOPBACK}:{admin}",
    )
    try:
        with running_envoy(binary, directory, configure(tables_of(4), reading, mesh)):
            wait_for("Envoy to be ready", lambda: _is_ready(world.admin))
            yield world
    finally:
        world.client.close()
        world.sidecar.close()
        nobody.close()
        for cell in cells:
            cell.close()


@contextlib.contextmanager
def running_envoy(binary: Path, directory: Path, text: str) -> Iterator[None]:
    """Run an Envoy with a configuration."""
    config = directory / "envoy.yaml"
    config.write_text(text)
    options = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn"]
    with (
        (directory / "envoy.log").open("wb") as log,
        subprocess.Popen([binary, "--config-path", config, *options], stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.kill()


def headers_of(request: Proto) -> dict[str, str]:
    return {h.key: (h.raw_value or h.value.encode()).decode() for h in request.request_headers.headers.headers}


def source_of(request: Proto) -> str:
    address: str = request.attributes[ATTRIBUTES_NAMESPACE].fields[SOURCE_ADDRESS].string_value
    return address


def _read_body(headers: Message, stream: BufferedIOBase) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return stream.read(int(headers.get("content-length", "0")))
    body = b""
    while length := int(stream.readline(), 16):
        body += stream.read(length)
        stream.readline()
    stream.readline()
    return body


def _is_ready(admin: str) -> bool:
    try:
        return httpx.get(f"{admin}/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _steered(headers: dict[str, str]) -> Proto:
    options = [HeaderValueOption(header=HeaderValue(key=k, raw_value=v.encode())) for k, v in headers.items()]
    common = CommonResponse(header_mutation=HeaderMutation(set_headers=options))
    return ProcessingResponse(request_headers=HeadersResponse(response=common))


def _denied(decision: str) -> Proto:
    headers = {"content-type": "application/problem+json", DECISION_HEADER: decision, "retry-after": "5"}
    options = [HeaderValueOption(header=HeaderValue(key=k, raw_value=v.encode())) for k, v in headers.items()]
    answer = ImmediateResponse(
        status=HttpStatus(code=451), body=b'{"status":451}', headers=HeaderMutation(set_headers=options)
    )
    return ProcessingResponse(immediate_response=answer)
