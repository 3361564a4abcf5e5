"""Probes of real cells, and of servers that say anything."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from signals.servers import HANG, http, serving

from extproc.core.fitness import SHOWN_FOR_S, Shown
from extproc.core.ids import Country, ModelId, RegionId
from extproc.core.routing.health import Outcome
from extproc.core.tables import Approval, Region
from extproc.demo.world import free_port
from extproc.signals.asking import MOST_BYTES, Silence, asking
from extproc.signals.board import CellsSeen
from extproc.signals.cells import LATE_S, FirstRound, RegionProbe, probe_forever
from inference.testing import running_cell

FRA, IAD = RegionId("eu-fra"), RegionId("us-iad")
DIGITS, OTHER = ModelId("digits"), ModelId("other")
READY, MODEL = "/v2/health/ready", "/v2/models/digits"
AT_S = 1_800_000_000.0
DIGEST = "sha256:" + "0" * 64


class Clock:
    """Unix seconds that a test moves."""

    now_s = AT_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for late answers than is good in service: the machine may have much to do beside the tests."""
    monkeypatch.setattr("extproc.signals.cells.LATE_S", 0.9)


@contextlib.asynccontextmanager
async def probing(*places: str, region: RegionId = FRA, clock: Clock | None = None) -> AsyncIterator[RegionProbe]:
    async with asking(32) as asker, asyncio.TaskGroup() as group:
        yield RegionProbe(region, places, asker, group, clock=clock or Clock())


async def look(*places: str, models: Sequence[ModelId] = (), region: RegionId = FRA) -> CellsSeen:
    async with probing(*places, region=region) as probe:
        return await probe.look(models)


@pytest.mark.slow
async def test_a_cell_is_asked_whether_it_is_ready_and_where_it_is_and_what_it_serves(digits_store: Path) -> None:
    arguments = ["--region", "eu-fra", "--jurisdiction", "DE", "--models", str(digits_store)]
    nobody = f"127.0.0.1:{free_port()}"
    with running_cell(arguments) as cell:
        here = cell.url.removeprefix("http://")
        seen = await look(here, models=[DIGITS, OTHER])
        assert (seen.outcome, seen.latency_s > 0) == (Outcome.OK, True)
        (shown,) = seen.shown[DIGITS]
        assert (shown.at_s, shown.has_model, shown.version) == (AT_S, True, "1")
        assert shown.digest is not None
        assert shown.digest.startswith("sha256:")
        assert seen.shown[OTHER] == (Shown(at_s=AT_S, has_model=False),)
        assert seen.load is not None
        assert (seen.load.utilization, seen.load.queued, seen.load.at_s) == (0.0, 0.0, AT_S)

        assert (await look(nobody, here)).outcome is Outcome.OK
        assert (await look(nobody)).outcome is Outcome.UNREACHED
        # A cell of another region among ours: nothing may be routed there.
        assert (await look(here, region=IAD)).outcome is Outcome.UNREACHED
        assert (await look(nobody, here, region=IAD)).outcome is Outcome.UNREACHED


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (http(), Outcome.OK),
        (http(body=b"x" * (MOST_BYTES + 1)), Outcome.OK),
        (http(body=b"\x1f\x8b not packed", content_encoding="gzip"), Outcome.OK),
        (http(set_cookie="a=b"), Outcome.OK),
        (http(endpoint_load_metrics="TEXT application_utilization=NaN"), Outcome.OK),
        (http(x_situs_region="eu-fra"), Outcome.OK),
        (http(x_situs_region="us-iad"), Outcome.UNREACHED),
        (
            b"HTTP/1.1 200 OK\r\nx-situs-region: eu-fra\r\nx-situs-region: us-iad\r\ncontent-length: 0\r\n\r\n",
            Outcome.UNREACHED,
        ),
        (http(status=503), Outcome.FAILED),
        (http(status=204), Outcome.FAILED),
        (http(status=301, location="http://127.0.0.1:1/"), Outcome.FAILED),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", Outcome.FAILED),
        (b"\x00" * 1000, Outcome.FAILED),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000, Outcome.FAILED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", Outcome.FAILED),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", Outcome.FAILED),
        (b"HTTP/1.1 999999 OK\r\n\r\n", Outcome.FAILED),
        (b" ", Outcome.FAILED),
    ],
)
async def test_what_a_server_says_of_its_readiness(said: bytes, outcome: Outcome) -> None:
    async with serving(said) as server:
        assert (await look(server.place)).outcome is outcome
        assert all(b"cookie" not in request for request in server.requests)


@pytest.mark.slow
async def test_one_that_never_answers_has_failed_after_a_second() -> None:
    async with serving(HANG) as server:
        began_s = time.monotonic()
        assert (await look(server.place)).outcome is Outcome.FAILED
        assert time.monotonic() - began_s < 1.5


@pytest.mark.slow
async def test_a_drip_of_bytes_is_not_an_answer() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with listening, asking(1) as asker:
        began_s = time.monotonic()
        assert await asker.ask(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/") is Silence.FAILED
        assert time.monotonic() - began_s < 1.5
        await asyncio.sleep(0.1)  # the drip notices


@pytest.mark.slow
async def test_one_that_hangs_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.signals.cells.LATE_S", LATE_S)
    async with serving(http()) as good, serving(HANG) as hangs, probing(good.place, hangs.place) as probe:
        began_s = time.monotonic()
        assert (await probe.look([DIGITS])).outcome is Outcome.OK
        assert time.monotonic() - began_s < 0.9
        assert (await probe.look([DIGITS])).outcome is Outcome.OK
        # While its first question waits it is not asked again.
        assert sorted(hangs.asked) == [READY, MODEL]


def cell(ready: bytes, model: bytes) -> "dict[str, bytes]":
    return {READY: ready, MODEL: model}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (http(x_situs_model_version="3", x_situs_model_digest=DIGEST), Shown(at_s=AT_S, version="3", digest=DIGEST)),
        (http(body=b'{"versions": ["3"]}'), Shown(at_s=AT_S, version="3")),
        (http(body=b'{"versions": ["3"]}', x_situs_model_version="4"), Shown(at_s=AT_S, version="4")),
        (http(body=b'{"versions": ["3", "4"]}'), Shown(at_s=AT_S)),
        (http(body=b'{"versions": [3]}'), Shown(at_s=AT_S)),
        (http(body=b'{"versions": "3"}'), Shown(at_s=AT_S)),
        (http(body=b'{"versions": [{"a": []}]}'), Shown(at_s=AT_S)),
        (http(body=b"[]"), Shown(at_s=AT_S)),
        (http(body=b""), Shown(at_s=AT_S)),
        (http(body=b"[" * 50_000), Shown(at_s=AT_S)),
        (http(body=b"\xff\xfe{"), Shown(at_s=AT_S)),
        (http(body=b'{"versions": ["3"]}' + b" " * MOST_BYTES), Shown(at_s=AT_S)),
        (http(x_situs_model_version="3" * 1000), Shown(at_s=AT_S, version="3" * 200)),
        (http(status=404), Shown(at_s=AT_S, has_model=False)),
        # Ready, and silent: whatever it serves was approved by nobody.
        (http(status=500), Shown(at_s=AT_S)),
        (http(status=302, location=READY), Shown(at_s=AT_S)),
        (b"garbage\r\n\r\n", Shown(at_s=AT_S)),
    ],
)
async def test_what_a_server_says_of_a_model(said: bytes, shown: Shown) -> None:
    async with serving(cell(http(), said).__getitem__) as server:
        assert (await look(server.place, models=[DIGITS])).shown == {DIGITS: (shown,)}


async def test_one_that_is_not_ready_and_silent_has_shown_nothing() -> None:
    async with serving(http(status=503)) as server:
        seen = await look(server.place, models=[DIGITS])
    assert (seen.outcome, seen.shown) == (Outcome.FAILED, {})


async def test_the_word_of_a_cell_stays_while_it_does_not_answer_and_ages() -> None:
    """Else a cell that serves what is not approved could be forgotten by answering late, and be sent requests."""
    first, second = cell(http(), http(x_situs_model_version="1")), cell(http(), http(x_situs_model_version="2"))
    clock = Clock()
    async with (
        serving(first.__getitem__) as one,
        serving(second.__getitem__) as other,
        probing(one.place, other.place, clock=clock) as probe,
    ):
        words = Shown(at_s=AT_S, version="1"), Shown(at_s=AT_S, version="2")
        assert (await probe.look([DIGITS])).shown == {DIGITS: words}
        second[READY] = second[MODEL] = http(status=503)
        clock.now_s += 1
        assert (await probe.look([DIGITS])).shown == {DIGITS: (replace(words[0], at_s=AT_S + 1), words[1])}


async def test_the_highest_load_of_any_cell_is_the_regions() -> None:
    def answer(load: str) -> bytes:
        return http(endpoint_load_metrics=load)

    async with (
        serving(answer("TEXT application_utilization=0.4,named_metrics.queue_depth=9")) as one,
        serving(answer("TEXT application_utilization=0.9,named_metrics.queue_depth=2")) as other,
        serving(answer("TEXT")) as third,
    ):
        seen = await look(one.place, other.place, third.place)
        assert seen.load is not None
        assert (seen.load.utilization, seen.load.queued, seen.load.at_s) == (0.9, 2.0, AT_S)


async def test_a_cell_that_said_that_it_is_elsewhere_is_believed_while_it_is_silent() -> None:
    said = cell(http(x_situs_region="us-iad"), http())
    clock = Clock()
    async with (
        serving(http()) as good,
        serving(said.__getitem__) as other,
        probing(good.place, other.place, clock=clock) as probe,
    ):
        assert (await probe.look([])).outcome is Outcome.UNREACHED
        said[READY] = http(status=503, x_situs_region="us-iad")
        assert (await probe.look([])).outcome is Outcome.UNREACHED
        said[READY] = b"garbage\r\n\r\n"
        clock.now_s += SHOWN_FOR_S - 1
        assert (await probe.look([])).outcome is Outcome.UNREACHED
        clock.now_s += 2
        assert (await probe.look([])).outcome is Outcome.OK


@pytest.mark.parametrize(("count", "most"), [(3, 3), (20, 8), (80, 16)])
@pytest.mark.slow
async def test_connections_are_kept_and_many_models_have_their_turn(count: int, most: int) -> None:
    models = [ModelId(f"m{n:03}") for n in range(count)]
    async with serving(http(x_situs_model_version="1")) as server, probing(server.place) as probe:
        async with asyncio.timeout(30):
            while len((await probe.look(models)).shown) < count:
                asked = [path for path in server.asked if path != READY]
                assert len(asked) <= most * server.asked.count(READY)
                assert len(asked) == len(set(asked))
        assert server.connections <= 5


async def test_a_connection_that_the_server_ended_is_not_an_outage() -> None:
    async with serving(http(connection="close")) as server, probing(server.place) as probe:
        assert [(await probe.look([])).outcome for _ in range(5)] == [Outcome.OK] * 5


async def test_the_models_are_those_of_the_policy_in_force() -> None:
    bound = {DIGITS: Approval(version="1"), OTHER: Approval()}
    policy = Region(id=FRA, country=Country("DE"), cluster="eu-fra", models=bound)
    seen: asyncio.Queue[tuple[RegionId, CellsSeen]] = asyncio.Queue()
    async with serving(http(x_situs_model_version="1")) as server:
        work = probe_forever(
            {FRA: [server.place]}, lambda: (policy,), lambda *said: seen.put_nowait(said), clock=lambda: AT_S
        )
        task = asyncio.create_task(work)
        try:
            async with asyncio.timeout(5):
                region, cells = await seen.get()
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert (region, cells.outcome) == (FRA, Outcome.OK)
        assert cells.shown == {DIGITS: (Shown(at_s=AT_S, version="1"),)}
        assert sorted(server.asked) == [READY, MODEL]


async def test_the_first_round_is_over_when_every_region_was_looked_at() -> None:
    told: list[RegionId] = []
    first = FirstRound([FRA, IAD], lambda region, _seen: told.append(region))
    waiting = asyncio.create_task(first.wait())
    seen = CellsSeen(outcome=Outcome.UNREACHED, latency_s=0.0)
    first(FRA, seen)
    first(FRA, seen)
    await asyncio.sleep(0)
    assert not waiting.done()
    first(IAD, seen)
    await asyncio.wait_for(waiting, 1)
    assert told == [FRA, FRA, IAD]


@pytest.mark.slow
async def test_the_first_round_is_not_waited_for_for_ever() -> None:
    await asyncio.wait_for(FirstRound([FRA], lambda _region, _seen: None).wait(), 5)


@pytest.mark.slow
async def test_a_region_that_is_down_is_asked_more_often_until_it_was_up_for_a_while() -> None:
    said = {READY: http(status=503)}
    rounds: asyncio.Queue[Outcome] = asyncio.Queue()
    async with serving(lambda path: said[path]) as server:
        work = probe_forever(
            {FRA: [server.place]}, tuple, lambda _region, seen: rounds.put_nowait(seen.outcome), clock=lambda: AT_S
        )
        task = asyncio.create_task(work)
        try:
            async with asyncio.timeout(10):
                assert await rounds.get() is Outcome.FAILED
                said[READY] = http()
                began_s = time.monotonic()
                assert [await rounds.get() for _ in range(3)] == [Outcome.OK] * 3
                assert 1.4 <= time.monotonic() - began_s < 2.5
                # Two more at most come so soon; then the period is a second again.
                for _ in range(2):
                    await rounds.get()
                began_s = time.monotonic()
                await rounds.get()
                assert time.monotonic() - began_s > 0.8
        finally:
            task.cancel()
            await asyncio.wait([task])
