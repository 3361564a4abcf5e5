"""Mutual TLS on real sockets: who is answered, and what changes while connections live."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import HttpHeaders, ProcessingRequest
from grpc_health.v1 import health_pb2
from support.certificates import Authority, Leaf, bundle, write_atomically

from extproc.names import ACCESS_LOG_SERVICE, EXT_PROC_SERVICE
from extproc.tls.credentials import CredentialFiles, load_credentials
from extproc.tls.holder import CredentialHolder
from extproc.wire.payload import Body
from extproc.wire.server import LogStream, PayloadServer, WireServer
from extproc.wire.tls import ServerTls, Stranger

SITUS, ENVOY, OTHER = (f"spiffe://acme.example/{name}" for name in ("situs", "envoy", "other"))
NAME = "situs.example"
"""gRPC's client in Python knows servers by their names only."""
PROCESS = f"/{EXT_PROC_SERVICE}/Process"
LOG = f"/{ACCESS_LOG_SERVICE}/StreamAccessLogs"
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"

CA, FOREIGN = Authority(), Authority(name="somebody else's")
ENVOYS = CA.leaf(ENVOY)


async def echo(message: bytes) -> bytes:
    return message


@dataclass(kw_only=True)
class World:
    """A server whose files a test replaces."""

    folder: Path
    server: WireServer
    holder: CredentialHolder
    refused: list[tuple[Stranger, str]] = field(default_factory=list)
    logged: list[bytes] = field(default_factory=list)

    async def replace(self, leaf: Leaf, *authorities: Authority) -> None:
        leaf.write(self.folder, *authorities)
        assert await self.holder.reload()

    def channel(self, leaf: Leaf | None, *authorities: Authority) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            bundle(*(authorities or (CA,))),
            private_key=None if leaf is None else leaf.key,
            certificate_chain=None if leaf is None else leaf.certificate,
        )
        options = [("grpc.ssl_target_name_override", NAME), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(self.server.address, credentials, options=options)

    async def ask(self, leaf: Leaf | None, *authorities: Authority) -> bytes | grpc.StatusCode:
        """Ask on a new connection."""
        async with self.channel(leaf, *authorities) as channel:
            return await ask(channel)


async def ask(channel: grpc.aio.Channel) -> bytes | grpc.StatusCode:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PROCESS)
    try:
        return await method(b"x", timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code()


@contextlib.asynccontextmanager
async def serving(folder: Path, *, payloads: PayloadServer | None = None, **server: str) -> AsyncIterator[World]:
    own = CA.leaf(SITUS, hosts=[NAME]).write(folder, CA)
    files = CredentialFiles(certificate=own.certificate, key=own.key, authorities=own.authorities)
    holder = CredentialHolder(files, load_credentials(files))
    refused: list[tuple[Stranger, str]] = []
    logged: list[bytes] = []
    tls = ServerTls(lambda: holder.current, frozenset({ENVOY}), refused=lambda why, said: refused.append((why, said)))
    started = await WireServer.start(
        server.get("listen", "127.0.0.1:0"),
        process=echo,
        open_log=lambda: LogStream(take=logged.append),
        payloads=payloads,
        tls=tls,
    )
    try:
        yield World(folder=folder, server=started, holder=holder, refused=refused, logged=logged)
    finally:
        await started.drain(0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path) as running:
        yield running


async def test_the_right_peer_is_answered(world: World) -> None:
    assert await world.ask(ENVOYS) == b"x"
    assert await world.ask(CA.leaf(ENVOY, hosts=["envoy.example"])) == b"x"
    assert world.refused == []


async def test_intermediates_come_behind_the_certificate(world: World) -> None:
    issuing = Authority(name="issuing", above=CA)
    assert await world.ask(issuing.leaf(ENVOY)) == b"x"
    assert await world.ask(issuing.leaf(OTHER)) is grpc.StatusCode.PERMISSION_DENIED
    await world.replace(issuing.leaf(SITUS, hosts=[NAME]), CA)
    assert await world.ask(ENVOYS) == b"x"


def _in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize(
    "leaf",
    [
        pytest.param(None, id="none"),
        pytest.param(FOREIGN.leaf(ENVOY), id="another authority"),
        pytest.param(CA.leaf(ENVOY, days=-1), id="expired"),
        pytest.param(CA.leaf(ENVOY, not_before=_in_an_hour()), id="not yet valid"),
    ],
)
async def test_who_proves_nothing_gets_no_connection(world: World, leaf: Leaf | None) -> None:
    assert await world.ask(leaf) is grpc.StatusCode.UNAVAILABLE
    assert world.refused == []


async def test_a_server_of_another_authority_is_not_asked(world: World) -> None:
    assert await world.ask(ENVOYS, FOREIGN) == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("leaf", "code", "why", "said"),
    [
        (CA.leaf(OTHER), grpc.StatusCode.PERMISSION_DENIED, Stranger.ANOTHER, f"it proves to be {OTHER}"),
        (CA.leaf(f"{ENVOY}/a"), grpc.StatusCode.PERMISSION_DENIED, Stranger.ANOTHER, f"it proves to be {ENVOY}/a"),
        (CA.leaf(), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "has no URI"),
        (CA.leaf(hosts=["a.example"]), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "has no URI"),
        # A name that looks like one is a name.
        (CA.leaf(hosts=[ENVOY]), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "has no URI"),
        (CA.leaf(ENVOY, OTHER), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "has 2 URIs"),
        (CA.leaf(OTHER, ENVOY), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "has 2 URIs"),
        (CA.leaf(ENVOY, ENVOY), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "has 2 URIs"),
        (CA.leaf("https://acme.example/envoy"), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "is no SPIFFE id"),
        (CA.leaf(f"{ENVOY}?a"), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "is no SPIFFE id"),
        (CA.leaf(f"{ENVOY}\0.evil"), grpc.StatusCode.UNAUTHENTICATED, Stranger.NOBODY, "is no SPIFFE id"),
    ],
)
async def test_who_proves_another_identity_is_not_answered(
    world: World, leaf: Leaf, code: grpc.StatusCode, why: Stranger, said: str
) -> None:
    async with world.channel(leaf) as channel:
        for method, message in ((PROCESS, b"x"), (HEALTH, b"")):
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(message, timeout=10)
            assert caught.value.code() is code
            assert "spiffe" not in str(caught.value.details())
        log: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(LOG)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await log(iter([b"entry"]), timeout=10)
        assert caught.value.code() is code
        watch: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(WATCH)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch(b"", timeout=10).read()
        assert caught.value.code() is code
    assert [each for each, _ in world.refused] == [why] * 4
    assert all(said in told for _, told in world.refused)
    assert world.logged == []


async def test_a_stranger_after_a_peer_and_a_peer_after_a_stranger(world: World) -> None:
    """What one connection has proven says nothing of the next, not even from one address and port."""
    strange = CA.leaf(OTHER)
    for _ in range(3):
        assert await world.ask(ENVOYS) == b"x"
        assert await world.ask(strange) is grpc.StatusCode.PERMISSION_DENIED
    async with world.channel(ENVOYS) as peer, world.channel(strange) as stranger:
        for _ in range(3):
            assert await ask(peer) == b"x"
            assert await ask(stranger) is grpc.StatusCode.PERMISSION_DENIED


async def test_all_services_answer_a_peer(world: World) -> None:
    async with world.channel(ENVOYS) as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HEALTH)
        answer = health_pb2.HealthCheckResponse.FromString(await check(b"", timeout=10))
        assert answer.status is health_pb2.HealthCheckResponse.SERVING
        watch: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(WATCH)
        call = watch(b"", timeout=10)
        first = await call.read()
        assert isinstance(first, bytes)
        assert health_pb2.HealthCheckResponse.FromString(first) == answer
        call.cancel()
        log: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(LOG)
        assert await log(iter([b"entry"]), timeout=10) == b""
    assert world.logged == [b"entry"]


async def test_payload_streams_are_held_to_it_too(tmp_path: Path) -> None:
    answered: list[Body | None] = []

    async def process(_headers: bytes, body: Body | None) -> bytes:
        answered.append(body)
        return b"steered"

    async def preview(_headers: bytes) -> bytes | None:
        raise AssertionError("there is no body to wait for")

    headers = ProcessingRequest(request_headers=HttpHeaders(end_of_stream=True)).SerializeToString()
    async with serving(tmp_path, payloads=PayloadServer(process=process, preview=preview)) as world:
        for leaf, code in ((ENVOYS, grpc.StatusCode.OK), (CA.leaf(OTHER), grpc.StatusCode.PERMISSION_DENIED)):
            async with world.channel(leaf) as channel:
                method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(PROCESS)
                call = method(iter([headers]), timeout=10)
                with contextlib.suppress(grpc.aio.AioRpcError):
                    assert await call.read() == b"steered"
                    assert await call.read() is grpc.aio.EOF
                assert await call.code() is code
        assert answered == [None]


async def test_plain_connections_fail(world: World) -> None:
    async with grpc.aio.insecure_channel(world.server.address) as channel:
        assert await ask(channel) is grpc.StatusCode.UNAVAILABLE


async def test_a_name_with_two_addresses_shows_the_same_on_both(tmp_path: Path) -> None:
    async with serving(tmp_path, listen="localhost:0") as world:
        for _ in range(3):
            assert await world.ask(ENVOYS) == b"x"
        await world.replace(FOREIGN.leaf(SITUS, hosts=[NAME]), FOREIGN)
        assert await world.ask(FOREIGN.leaf(ENVOY), FOREIGN) == b"x"


async def test_new_connections_are_made_by_the_new_files_and_old_ones_go_on(world: World) -> None:
    async with world.channel(ENVOYS) as lasting:
        assert await ask(lasting) == b"x"
        await world.replace(FOREIGN.leaf(SITUS, hosts=[NAME]), FOREIGN)
        assert await world.ask(FOREIGN.leaf(ENVOY), FOREIGN) == b"x"
        assert await world.ask(ENVOYS, FOREIGN) is grpc.StatusCode.UNAVAILABLE
        assert await world.ask(ENVOYS) is grpc.StatusCode.UNAVAILABLE
        assert await ask(lasting) == b"x"


async def test_a_broken_replacement_changes_nothing(world: World) -> None:
    write_atomically(world.holder.files.key, ENVOYS.key)
    assert await world.holder.reload()
    assert world.holder.stale
    assert await world.ask(ENVOYS) == b"x"


async def test_authorities_change_by_way_of_both(world: World) -> None:
    own, next_envoys = CA.leaf(SITUS, hosts=[NAME]), FOREIGN.leaf(ENVOY)
    assert await world.ask(next_envoys) is grpc.StatusCode.UNAVAILABLE
    await world.replace(own, CA, FOREIGN)
    assert (await world.ask(ENVOYS), await world.ask(next_envoys)) == (b"x", b"x")
    await world.replace(own, FOREIGN)
    assert (await world.ask(ENVOYS), await world.ask(next_envoys)) == (grpc.StatusCode.UNAVAILABLE, b"x")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_session_is_resumed(world: World, version: ssl.TLSVersion) -> None:
    """Who resumes one proves nothing anew: an authority that was removed would still be good for hours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(cadata=CA.pem.decode())
    files = ENVOYS.write(world.folder / "envoy", CA)
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["h2"])
    host, _, port = world.server.address.rpartition(":")

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection((host, int(port)), timeout=10) as plain,
            context.wrap_socket(plain, session=session) as connection,
        ):
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            assert connection.recv(100)
            return connection.session, connection.session_reused

    session, _ = await asyncio.to_thread(connect, None)
    assert session is not None
    assert session.has_ticket
    _, is_resumed = await asyncio.to_thread(connect, session)
    assert not is_resumed
