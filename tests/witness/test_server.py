"""A witness on the network: statuses, limits, strangers."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from witness.world import NOW_S, ORIGIN, Bench, MemoryLog, bench, limits, serving, witness_key

from extproc.notes.note import open_note
from extproc.witness.errors import DivergedError, StateError, WitnessError
from extproc.witness.http import TEXT, Request, Response, start_http_server
from extproc.witness.request import monitor_path
from extproc.witness.server import CHECKPOINT_BYTES, DELEGATIONS_BYTES, STATUSES, WitnessServer, start_witness

LOG = MemoryLog()
ROOT = LOG.key.verifier("acme/prod")


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "state.sqlite", ROOT)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def raw(address: str, data: bytes, *, end: bool = False) -> bytes:
    """Say something as it is, and give all that is answered until the other side closes."""
    async with connected(address) as (reader, writer):
        writer.write(data)
        if end:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)


def calling(server: WitnessServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://{server.address}", trust_env=False)


def test_every_error_has_its_status() -> None:
    kinds = {kind for kind in WitnessError.__subclasses__() if kind is not DivergedError}
    assert set(STATUSES) == kinds
    assert sorted(status.value for status in STATUSES.values()) == [400, 403, 404, 409, 422, 503]


async def test_what_the_specification_asks(made: Bench) -> None:
    async with serving(made) as server, calling(server) as client:

        async def post(body: bytes) -> tuple[int, str, bytes]:
            answer = await client.post("/add-checkpoint", content=body)
            return answer.status_code, answer.headers["content-type"], answer.content

        assert (await client.get(monitor_path(ORIGIN))).status_code == 404
        status, _, body = await post(LOG.request(0, 5))
        assert status == 200
        assert body.startswith("— witness.example/w1 ".encode())
        assert body.endswith(b"\n")
        assert await post(LOG.request(0, 9)) == (409, "text/x.tlog.size", b"5\n")
        assert (await post(LOG.request(5, 9)))[0] == 200
        assert (await post(b"nonsense"))[0] == 400
        assert (await post(LOG.request(0, 5).replace(b"old 0", b"old 9")))[0] == 400
        assert (await post(MemoryLog().request(0, 5)))[0] == 403
        assert (await post(MemoryLog(origin="other").request(0, 5)))[0] == 404
        assert (await post(LOG.fork(2).request(9, 9)))[0] == 422
        assert (await post(LOG.fork(2).request(9, 12)))[0] == 422
        shown = await client.get(monitor_path(ORIGIN))
        note = open_note(shown.content, [LOG.key.verifier(ORIGIN), made.key.verifier])
        assert len(note.signatures) == 2
        assert note.text == open_note(LOG.checkpoint(9), [LOG.key.verifier(ORIGIN)]).text


async def test_many_at_once_for_one_log(made: Bench) -> None:
    """Twelve histories ask at the same moment: one gets its cosignature, and all others learn the size."""
    histories = [LOG]
    for _ in range(11):
        histories.append(histories[-1].fork(0))
    bodies = [log.request(0, 5) for log in histories]
    async with serving(made) as server, calling(server) as client:
        answers = await asyncio.gather(*(client.post("/add-checkpoint", content=body) for body in bodies))
    assert sorted(each.status_code for each in answers) == [200] + [409] * 11
    assert {each.text for each in answers if each.status_code == 409} == {"5\n"}


async def test_other_paths(made: Bench) -> None:
    async with serving(made) as server, calling(server) as client:
        answer = await client.get("/add-checkpoint")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert (await client.post("/metrics")).status_code == 405
        assert (await client.get("/")).status_code == 404
        assert (await client.get("/heads")).status_code == 404, "nobody said that heads may be seen"
        assert (await client.get("/healthz?why")).text == "well\n"
        await client.post("/add-checkpoint", content=LOG.request(0, 5))
        metrics = (await client.get("/metrics")).text
        assert 'situs_witness_requests_total{path="/add-checkpoint",status="200"} 1.0' in metrics
        assert "situs_witness_logs 1.0" in metrics
        assert "situs_witness_forks 0.0" in metrics


async def test_heads_where_they_may_be_seen(made: Bench) -> None:
    made.witness.add_checkpoint(LOG.request(0, 5))
    async with serving(made, heads=True) as server, httpx.AsyncClient(trust_env=False) as client:
        seen = await client.get(f"http://{server.address}/heads")
    assert seen.json() == {
        "heads": [{"origin": ORIGIN, "size": 5, "root": LOG.head(5).root.hex(), "cosigned_at_s": NOW_S}],
        "forks": [],
    }


async def test_reasons_for_not_being_well(made: Bench) -> None:
    server = await start_witness(
        "127.0.0.1:0", made.witness, logs=made.logs, state=made.state, why_not_well=lambda: ["the root log stopped"]
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{server.address}/healthz")
        assert (answer.status_code, answer.text) == (503, "the root log stopped\n")
        made.state.close()
        answer = await client.get(f"http://{server.address}/healthz")
        assert answer.status_code == 503
        answer = await client.post(f"http://{server.address}/add-checkpoint", content=LOG.request(0, 5))
        assert (answer.status_code, answer.text.count(":")) == (503, 2)
    await server.stop()


async def test_what_fails_within_ends_no_witness(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(made) as server, calling(server) as client:
        with monkeypatch.context() as patch:
            patch.setattr(made.state, "transaction", lambda: 1 / 0)
            answer = await client.post("/add-checkpoint", content=LOG.request(0, 5))
            assert answer.status_code == 500
            assert "ZeroDivision" not in answer.text
        assert (await client.post("/add-checkpoint", content=LOG.request(0, 5))).status_code == 200


async def test_a_connection_is_kept(made: Bench) -> None:
    one = b"GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n"
    async with serving(made) as server:
        answer = await raw(server.address, one * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 4


async def test_huge_bodies(made: Bench) -> None:
    async with serving(made) as server, calling(server) as client:
        stated = await raw(
            server.address, b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 9999999\r\n\r\n"
        )
        assert stated.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in stated
        for path, size in (("/add-checkpoint", CHECKPOINT_BYTES), ("/add-delegations", DELEGATIONS_BYTES)):
            assert (await client.post(path, content=bytes(size))).status_code == 400
            assert (await client.post(path, content=bytes(size + 1))).status_code == 413

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield bytes(4096)

        assert (await client.post("/add-checkpoint", content=endless())).status_code == 413
        assert (await client.get("/healthz")).status_code == 200


async def test_a_body_in_chunks_and_one_that_is_announced(made: Bench) -> None:
    body = LOG.request(0, 5)
    chunked = b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    async with serving(made) as server:
        answer = await raw(server.address, chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert answer.startswith(b"HTTP/1.1 200 ")
        body = LOG.request(5, 6)
        head = b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"
        async with connected(server.address) as (reader, writer):
            writer.write(head % len(body))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello of TLS\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: w\r\nlong: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 40_000,
    ],
)
async def test_what_is_no_request(made: Bench, data: bytes) -> None:
    async with serving(made) as server:
        answer = await raw(server.address, data)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
        assert b"connection: close" in answer


async def test_whoever_goes_away_in_the_middle(made: Bench) -> None:
    async with serving(made) as server:
        for data in (b"", b"POST", b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 10\r\n\r\nabc"):
            answer = await raw(server.address, data, end=True)
            assert not answer or answer.startswith(b"HTTP/1.1 400 ")
        assert (await raw(server.address, b"GET /healthz HTTP/1.0\r\n\r\n")).endswith(b"well\n")


@pytest.mark.slow
async def test_slow_clients(made: Bench) -> None:
    async with serving(made, bounds=limits(request_s=0.2, idle_s=0.3)) as server:
        assert (await raw(server.address, b"POST /add-checkpoint HTTP/1.1\r\n")).startswith(b"HTTP/1.1 408 ")
        assert await raw(server.address, b"") == b"", "one that says nothing is closed"
        # One byte at a time keeps no connection: the time counts from the first byte to the last.
        async with connected(server.address) as (reader, writer):
            answer = asyncio.create_task(reader.read())
            sent = 0
            for byte in b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 1000\r\n\r\n" + bytes(1000):
                if answer.done() or writer.is_closing():
                    break
                writer.write(bytes([byte]))
                sent += 1
                await asyncio.sleep(0.02)
            assert (await asyncio.wait_for(answer, 5)).startswith(b"HTTP/1.1 408 ")
            assert sent < 200


async def test_connections_are_bounded(made: Bench) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n"
    async with serving(made, bounds=limits(connections=2)) as server:
        async with AsyncExitStack() as held:
            for _ in range(2):
                reader, writer = await held.enter_async_context(connected(server.address))
                writer.write(ask)
                assert (await reader.readuntil(b"well\n")).startswith(b"HTTP/1.1 200 ")
            assert await raw(server.address, b"") == b"", "one more is closed at once"
        answer = b""
        async with asyncio.timeout(5):
            while not answer:
                answer = await raw(server.address, b"GET /healthz HTTP/1.0\r\n\r\n")
        assert answer.endswith(b"well\n")


async def test_what_is_under_way_ends_and_then_the_server() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_: Request) -> Response:
        begun.set()
        await go_on.wait()
        return Response(status=HTTPStatus.OK, body=b"done\n", content_type=TEXT)

    server = await start_http_server("127.0.0.1:0", answer, limits=limits(stop_s=5))
    async with connected(server.address) as (idle, _):
        asked = asyncio.create_task(raw(server.address, b"GET / HTTP/1.1\r\nhost: w\r\n\r\n"))
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        assert await idle.read() == b"", "those who ask nothing are closed at once"
        go_on.set()
        said = await asked
        await stopping
    assert said.endswith(b"done\n")
    assert b"connection: close" in said
    with pytest.raises(OSError, match="Connect call failed"):
        await raw(server.address, b"")


async def test_what_does_not_end_is_cut_off() -> None:
    begun = asyncio.Event()

    async def answer(_: Request) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    server = await start_http_server("127.0.0.1:0", answer, limits=limits(stop_s=0.05))
    asked = asyncio.create_task(raw(server.address, b"GET / HTTP/1.1\r\nhost: w\r\n\r\n"))
    await begun.wait()
    await server.stop()
    assert await asked == b""


@pytest.mark.parametrize("listen", ["127.0.0.1:x", "127.0.0.1:99999", "127.0.0.1", "203.0.113.7:1"])
async def test_a_place_where_nobody_can_listen(made: Bench, listen: str) -> None:
    with pytest.raises(OSError, match="Mend: choose a free host:port"):
        await start_witness(listen, made.witness, logs=made.logs, state=made.state)


def make_certificate(key: Path, certificate: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-days", "1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.slow
async def test_over_tls(made: Bench, tmp_path: Path) -> None:
    key, certificate = tmp_path / "tls.pem", tmp_path / "cert.pem"
    await asyncio.to_thread(make_certificate, key, certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await start_witness("127.0.0.1:0", made.witness, logs=made.logs, state=made.state, tls=context)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with httpx.AsyncClient(verify=trusting, trust_env=False) as client:
        answer = await client.post(f"https://{server.address}/add-checkpoint", content=LOG.request(0, 5))
        assert answer.status_code == 200
    await server.stop()


def test_the_state_may_not_be_another_keys(tmp_path: Path) -> None:
    bench(tmp_path / "s", ROOT, key=witness_key("a")).state.close()
    with pytest.raises(StateError, match="belongs to the witness a"):
        bench(tmp_path / "s", ROOT, key=witness_key("b"))
