"""What a real Envoy does with payloads and the answers to them: the measurements on which the stream handler rests."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import httpx
import pytest
import pytest_asyncio
from wire.payload_world import LIMIT, MESSAGE_S, TELL, World, running_payload_world

from extproc.mesh.section import EnvoyVersion
from extproc.names import CONTENT_ENCODING, DECISION_HEADER, REFUSAL_CONTENT_TYPE
from extproc.wire.payload import Body

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROTOCOLS = pytest.mark.parametrize("protocol", ["http1", "http2"])


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[EnvoyVersion.V1_40, EnvoyVersion.V1_36])
async def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    oldest: EnvoyVersion = request.param
    binary = request.getfixturevalue("envoy_binary" if oldest is EnvoyVersion.V1_40 else "oldest_envoy")
    async with running_payload_world(binary, tmp_path_factory.mktemp("payload"), oldest) as running:
        yield running
        assert "envoy_bug" not in running.log.read_text()


@pytest.fixture
def world(started: World) -> World:
    started.forget()
    return started


def client_of(world: World, protocol: str) -> httpx.AsyncClient:
    return world.http1 if protocol == "http1" else world.http2


def content(size: int) -> bytes:
    """Give bytes in which no part is like another, so that one which came twice, or not at all, is noticed."""
    return Random(size).randbytes(size)


async def chunks(whole: bytes, size: int, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
        await asyncio.sleep(pause_s)


def served(world: World) -> list[int]:
    """Give the hash of each body that reached the cell: a difference of megabytes is no good to read."""
    return [hash(body) for body, _ in world.cell.requests]


def only_body(world: World) -> Body | None:
    ((_, body),) = world.recorder.asked
    return body


async def post_with_trailers(url: str, whole: bytes, pause_s: float) -> int:
    """Send a body over HTTP/2, and after a pause trailers, which no client of ours can; give the status."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    wire = h2.connection.H2Connection(h2.config.H2Configuration())
    status = 0

    async def receive() -> bool:
        nonlocal status
        writer.write(wire.data_to_send())
        events = wire.receive_data(await asyncio.wait_for(reader.read(1 << 16), 5))
        writer.write(wire.data_to_send())
        for event in events:
            if isinstance(event, h2.events.ResponseReceived):
                status = int(dict(event.headers)[b":status"])
        return any(isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)) for event in events)

    wire.initiate_connection()
    stream = wire.get_next_available_stream_id()
    head = [(":method", "POST"), (":path", place.path), (":scheme", "http"), (":authority", "x")]
    wire.send_headers(stream, head)
    while whole:
        room = min(wire.local_flow_control_window(stream), wire.max_outbound_frame_size)
        if not room:
            await receive()
            continue
        wire.send_data(stream, whole[:room])
        whole = whole[room:]
    writer.write(wire.data_to_send())
    await asyncio.sleep(pause_s)
    wire.send_headers(stream, [("x-trailer", "1")], end_stream=True)
    while not await receive():
        pass
    writer.close()
    return status


@PROTOCOLS
async def test_without_a_body_the_headers_are_answered(world: World, protocol: str) -> None:
    answer = await client_of(world, protocol).get(world.url)
    assert (answer.status_code, answer.headers[DECISION_HEADER]) == (200, world.recorder.decision)
    assert only_body(world) is None


@PROTOCOLS
async def test_a_small_body_is_whole_and_steers(world: World, protocol: str) -> None:
    answer = await client_of(world, protocol).post(world.url, json={"a": 1})
    assert (answer.status_code, answer.headers[DECISION_HEADER]) == (200, world.recorder.decision)
    assert only_body(world) == Body(data=b'{"a":1}', complete=True, encoded=False)
    ((body, headers),) = world.cell.requests
    assert body == b'{"a":1}'
    if world.oldest is EnvoyVersion.V1_36:
        assert headers["transfer-encoding"] == "chunked"  # it cannot be told otherwise
    else:
        assert headers["content-length"] == "7"  # Envoy would remove it if it were not told otherwise


async def test_the_decision_of_a_body_is_in_the_log(world: World) -> None:
    await world.http1.post(world.url, json={"a": 1})
    for _ in range(500):
        if world.recorder.decision in world.recorder.decisions_logged:
            break
        await asyncio.sleep(0.02)
    assert world.recorder.decisions_logged.count(world.recorder.decision) == 1


@PROTOCOLS
async def test_an_empty_body_of_unknown_length_is_a_body(world: World, protocol: str) -> None:
    answer = await client_of(world, protocol).post(world.url, content=chunks(b"", 1))
    assert answer.status_code == 200
    assert only_body(world) == Body(data=b"", complete=True, encoded=False)


@PROTOCOLS
async def test_a_body_of_many_chunks_comes_in_one_message(world: World, protocol: str) -> None:
    whole = content(5000)
    answer = await client_of(world, protocol).post(world.url, content=chunks(whole, 1000))
    assert answer.status_code == 200
    assert only_body(world) == Body(data=whole, complete=True, encoded=False)
    assert served(world) == [hash(whole)]


@PROTOCOLS
async def test_a_slow_client_does_not_run_into_the_message_timeout(world: World, protocol: str) -> None:
    whole = content(400)
    answer = await client_of(world, protocol).post(world.url, content=chunks(whole, 100, MESSAGE_S / 2))
    assert answer.status_code == 200
    assert only_body(world) == Body(data=whole, complete=True, encoded=False)
    assert served(world) == [hash(whole)]


@PROTOCOLS
async def test_a_body_of_exactly_the_limit_is_whole(world: World, protocol: str) -> None:
    whole = content(LIMIT)
    answer = await client_of(world, protocol).post(world.url, content=whole)
    assert answer.status_code == 200
    body = only_body(world)
    assert body is not None
    assert (hash(body.data), body.complete) == (hash(whole), True)
    assert served(world) == [hash(whole)]


@PROTOCOLS
@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT, 3 * LIMIT, 1 << 20, 3 << 20])
@pytest.mark.parametrize(("chunk", "pause_s"), [(0, 0.0), (1 << 16, 0.0), (1 << 13, 0.0005)])
async def test_of_a_long_body_the_beginning_is_sent_and_exactly_all_of_it_served(
    world: World, protocol: str, *, size: int, chunk: int, pause_s: float
) -> None:
    whole = content(size)
    answer = await client_of(world, protocol).post(world.url, content=chunks(whole, chunk, pause_s) if chunk else whole)
    assert (answer.status_code, answer.headers[DECISION_HEADER]) == (200, world.recorder.decision)
    body = only_body(world)
    assert body is not None
    assert len(body.data) > LIMIT
    assert whole.startswith(body.data)
    # ENVOY: one that is just over the limit may be there as a whole and not be called so.
    assert not body.complete or len(body.data) == size
    assert len(body.data) <= 2 * LIMIT
    assert served(world) == [hash(whole)]


@PROTOCOLS
async def test_a_refusal_after_the_body_reaches_the_client_and_no_cell(world: World, protocol: str) -> None:
    answer = await client_of(world, protocol).post(world.url, json={"a": 1}, headers={TELL: "deny"})
    assert (answer.status_code, answer.headers[DECISION_HEADER]) == (451, world.recorder.decision)
    assert answer.headers["content-type"] == REFUSAL_CONTENT_TYPE
    assert world.cell.requests == []


async def test_a_refusal_of_a_long_body_reaches_no_cell(world: World) -> None:
    answer = await world.http1.post(world.url, content=b"x" * (2 << 20), headers={TELL: "deny"})
    assert answer.status_code == 451
    assert world.cell.requests == []


@pytest.mark.parametrize(("coding", "encoded"), [("gzip", True), ("identity", False)])
async def test_the_content_coding_is_forwarded(world: World, coding: str, *, encoded: bool) -> None:
    answer = await world.http1.post(world.url, content=b"\x1f\x8b", headers={CONTENT_ENCODING: coding})
    assert answer.status_code == 200
    assert only_body(world) == Body(data=b"\x1f\x8b", complete=True, encoded=encoded)


async def test_only_what_the_policy_reads_is_forwarded(world: World) -> None:
    await world.http1.post(world.url, json={}, headers={"cookie": "c", "authorization": "a", TELL: "DE"})
    ((headers, _),) = world.recorder.asked
    assert set(headers) == {":path", TELL}


async def test_the_message_timeout_holds_for_the_body_and_reaches_no_cell(world: World) -> None:
    before = world.recorder.given_up
    answer = await world.http1.post(world.url, json={}, headers={TELL: "hang"})
    assert answer.status_code == 504
    assert world.cell.requests == []
    for _ in range(500):
        if world.recorder.given_up > before:
            break
        await asyncio.sleep(0.02)
    assert world.recorder.given_up == before + 1


@PROTOCOLS
@pytest.mark.parametrize(("chunk", "pause_s"), [(0, 0.0), (1 << 13, 0.0), (1 << 13, 0.005)])
@pytest.mark.parametrize("size", [1000, LIMIT])
async def test_a_whole_body_is_tried_again(world: World, protocol: str, size: int, chunk: int, pause_s: float) -> None:
    world.cell.statuses.append(503)
    whole = content(size)
    answer = await client_of(world, protocol).post(world.url, content=chunks(whole, chunk, pause_s) if chunk else whole)
    if world.oldest is EnvoyVersion.V1_36 and size == LIMIT and answer.status_code != httpx.codes.OK:
        # This one gives up keeping a body of exactly the limit, depending on the pieces in which it comes.
        assert served(world) == [hash(whole)]
        return
    assert answer.status_code == 200
    assert served(world) == [hash(whole)] * 2


@PROTOCOLS
async def test_a_long_body_is_not_tried_again(world: World, protocol: str) -> None:
    world.cell.statuses.append(503)
    whole = content(4 * LIMIT)
    answer = await client_of(world, protocol).post(world.url, content=whole)
    assert answer.status_code == 503
    assert served(world) == [hash(whole)]


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
@pytest.mark.parametrize("size", [1, 1000, 1 << 16, LIMIT, LIMIT + 1, 4 * LIMIT])
async def test_a_body_before_trailers_is_served_exactly_once(world: World, size: int, pause_s: float) -> None:
    """Envoy would send what it kept for a retry again behind it, so such a body is not kept."""
    whole = content(size)
    assert await post_with_trailers(world.url, whole, pause_s) == 200
    assert served(world) == [hash(whole)]


async def test_no_answer_was_refused_or_spurious(world: World) -> None:
    """Last, over all that went before: Envoy took every answer for what it was."""
    await world.http1.post(world.url, json={})
    for counter in ("spurious_msgs_received", "rejected_header_mutations", "streams_failed"):
        assert await world.counter(f"http.situs.ext_proc.{counter}") == 0
