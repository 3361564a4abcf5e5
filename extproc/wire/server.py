"""The gRPC services that Envoy calls, on one socket.

`Process` is registered as a *unary* method: with only the request headers sent, Envoy writes one message and reads
one answer, which on the wire is the same as a unary call and costs half the CPU of a stream handler. Messages pass
as bytes; gRPC neither parses nor serialises them.

Where Envoy comes by an address, the connection may be mutual TLS (:mod:`extproc.wire.tls`); on a Unix socket the file's
mode says who may connect.

Where the policy reads payloads there are two messages and two answers, and `Process` is registered as what it is, a
stream (:mod:`extproc.wire.payload`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from extproc.names import ACCESS_LOG_SERVICE, EXT_PROC_SERVICE
from extproc.wire.payload import Preview, ProcessStream, payload_stream
from extproc.wire.socket import UNIX, SocketClaim
from extproc.wire.tls import ServerTls

_EMPTY: Final = b""
_OPTIONS: Final = (
    # ENVOY: every worker thread holds one connection with all its requests in flight as streams.
    ("grpc.max_concurrent_streams", 1 << 20),
    # Two sidecars on one port would share requests by chance and split the evidence.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 4 << 20),
)

Process = Callable[[bytes], Awaitable[bytes]]
"""From a serialised `ProcessingRequest` to a serialised `ProcessingResponse`."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStream:
    """Who takes one access log stream: `take` each serialised message, `close` that it ended."""

    take: Callable[[bytes], None]
    close: Callable[[], None] = _nothing


OpenLog = Callable[[], LogStream]
"""Called once per access log stream."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
HealthContext: TypeAlias = "grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadServer:
    """Who answers requests whose payloads are read."""

    process: ProcessStream
    preview: Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class WireServer:
    """A started server. `address` is where it listens, with the real port."""

    address: str
    claim: SocketClaim
    _server: grpc.aio.Server
    _health: HealthServicer

    @classmethod
    async def start(
        cls,
        listen: str,
        *,
        process: Process,
        open_log: OpenLog,
        payloads: PayloadServer | None = None,
        tls: ServerTls | None = None,
    ) -> "WireServer":
        """Listen on `listen` (`unix:/path` or `host:port`) and say SERVING.

        `payloads`, if there is one, is asked in place of `process`, and is given payloads too. Envoy must have
        been told to send them: the requests of one that sends headers only are refused. One that sends bodies to
        `process` is steered by the headers alone, which is right for a policy that reads no payloads.

        With `tls`, nobody is answered who does not prove to be one of its peers, health checks included.

        Raises OSError where the address cannot be bound.
        """
        claim = SocketClaim(listen)
        server = grpc.aio.server(options=_OPTIONS)
        health = HealthServicer() if tls is None else _GuardedHealth(tls)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        server.add_generic_rpc_handlers((_ext_proc(process, payloads, tls), _access_log(open_log, tls)))
        try:
            if tls is None:
                port = server.add_insecure_port(listen)
            else:
                port = server.add_secure_port(listen, tls.server_credentials())
        except RuntimeError as error:
            claim.release()
            raise OSError(f"cannot listen on {listen}. Mend: choose a free address of this host") from error
        await server.start()
        claim.open_to_group()
        address = listen if listen.startswith(UNIX) else f"{listen.rpartition(':')[0]}:{port}"
        started = cls(address=address, claim=claim, _server=server, _health=health)
        await started.say(serving=True)
        return started

    async def say(self, *, serving: bool) -> None:
        """Answer health checks with SERVING or NOT_SERVING."""
        status = health_pb2.HealthCheckResponse
        await self._health.set("", status.SERVING if serving else status.NOT_SERVING)
        await self._health.set(EXT_PROC_SERVICE, status.SERVING if serving else status.NOT_SERVING)

    async def drain(self, grace_s: float) -> None:
        """Say NOT_SERVING, take no new requests, and finish those in flight within `grace_s` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
        self.claim.release()


class _GuardedHealth(HealthServicer):
    """The health service, for peers that are admitted."""

    def __init__(self, tls: ServerTls) -> None:
        super().__init__()
        self._tls = tls

    async def Check(  # noqa: N802 - gRPC's
        self, request: health_pb2.HealthCheckRequest, context: HealthContext
    ) -> health_pb2.HealthCheckResponse:
        """Answer once."""
        await self._tls.admit(context)
        return await super().Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: HealthContext) -> None:  # noqa: N802 - gRPC's
        """Answer with each change."""
        await self._tls.admit(context)
        await super().Watch(request, context)


def _ext_proc(process: Process, payloads: PayloadServer | None, tls: ServerTls | None) -> grpc.GenericRpcHandler:
    handler = _unary(process, tls) if payloads is None else _stream(payloads, tls)
    return grpc.method_handlers_generic_handler(EXT_PROC_SERVICE, {"Process": handler})


def _unary(process: Process, tls: ServerTls | None) -> "grpc.RpcMethodHandler[bytes, bytes]":
    async def handle(message: bytes, _context: Context) -> bytes:
        return await process(message)

    if tls is None:
        return grpc.unary_unary_rpc_method_handler(handle)
    admit = tls.admit

    async def handle_admitted(message: bytes, context: Context) -> bytes:
        await admit(context)
        return await process(message)

    return grpc.unary_unary_rpc_method_handler(handle_admitted)


def _stream(payloads: PayloadServer, tls: ServerTls | None) -> "grpc.RpcMethodHandler[bytes, bytes]":
    answers = payload_stream(payloads.process, payloads.preview)

    async def converse(messages: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        if tls is not None:
            await tls.admit(context)
        async for answer in answers(messages):
            yield answer

    return grpc.stream_stream_rpc_method_handler(converse)


def _access_log(open_log: OpenLog, tls: ServerTls | None) -> grpc.GenericRpcHandler:
    async def handle(messages: AsyncIterator[bytes], context: Context) -> bytes:
        if tls is not None:
            await tls.admit(context)
        stream = open_log()
        try:
            async for message in messages:
                stream.take(message)
        finally:
            stream.close()
        return _EMPTY

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(handle)
    return grpc.method_handlers_generic_handler(ACCESS_LOG_SERVICE, {"StreamAccessLogs": handler})
