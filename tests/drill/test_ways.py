"""A way to a region that is slowed, stopped and cut while it is used."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from extproc.demo.folder import Folder
from extproc.demo.process import ProcessFailedError
from extproc.demo.relay import Way as Relayed
from extproc.demo.ways import Way, way_to

pytestmark = pytest.mark.slow

_RTT_S = 0.02


class _Echo:
    """Says back what it hears, on every connection; knows when all have ended."""

    def __init__(self) -> None:
        self._answering: set[asyncio.Task[object] | None] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answering.add(asyncio.current_task())
        with suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def ended(self) -> None:
        await asyncio.gather(*(task for task in self._answering if task is not None))


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    folder, echo = Folder(root=tmp_path), _Echo()
    (tmp_path / "processes").mkdir()
    server = await asyncio.start_server(echo.answer, "127.0.0.1", 0)
    way = way_to("eu-fra", server.sockets[0].getsockname()[1], _RTT_S, folder)
    way.relay.start()
    try:
        for _ in range(1000):
            if way.control.exists():
                break
            await asyncio.sleep(0.01)
        yield way
    finally:
        way.relay.kill()
        await echo.ended()
        server.close()
        await server.wait_closed()


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self) -> float:
        began_s = time.monotonic()
        self._writer.write(b"x")
        async with asyncio.timeout(30):
            if await self._reader.read(1) != b"x":
                raise ConnectionResetError
        return time.monotonic() - began_s

    async def close(self) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


async def _connect(way: Way) -> _Client:
    return _Client(*await asyncio.open_connection("127.0.0.1", way.port))


async def test_it_is_slower_from_now_on_and_as_before_when_mended(way: Way) -> None:
    client = await _connect(way)
    await client.ask()
    assert await client.ask() >= _RTT_S
    await asyncio.to_thread(way.slow, 10.0)
    assert await client.ask() >= 10 * _RTT_S
    await asyncio.to_thread(way.mend)
    assert min([await client.ask() for _ in range(20)]) < 5 * _RTT_S
    await client.close()


async def test_what_a_pause_holds_back_comes_when_it_ends_and_nothing_breaks(way: Way) -> None:
    client = await _connect(way)
    await client.ask()
    await asyncio.to_thread(way.pause)
    asked = asyncio.create_task(client.ask())
    await asyncio.sleep(0.3)
    assert not asked.done()
    await asyncio.to_thread(way.resume)
    assert await asked >= 0.25
    assert await client.ask() >= _RTT_S
    await client.close()


async def test_cut_it_breaks_every_connection_and_each_new_one(way: Way) -> None:
    client = await _connect(way)
    await client.ask()
    await asyncio.to_thread(way.cut)
    with pytest.raises(ConnectionError):
        await client.ask()
    new = await _connect(way)
    with pytest.raises(ConnectionError):
        await new.ask()
    await asyncio.to_thread(way.mend)
    again = await _connect(way)
    assert await again.ask() >= _RTT_S
    for each in (client, new, again):
        await each.close()


async def test_a_way_that_is_not_there_says_so(way: Way) -> None:
    way.relay.kill()
    with pytest.raises(ProcessFailedError, match="does not obey"):
        await asyncio.to_thread(way.pause)


async def test_what_is_no_order_is_refused_and_changes_nothing() -> None:
    way = Relayed(0.1)
    for line in ("delay", "delay x", "delay -1", "delay nan", "delay 1e9", "stop", "", "pause now"):
        assert way.obey(line).startswith("no: "), line
    assert (way.one_way_s, way.is_open.is_set(), way.is_cut) == (0.05, True, False)
    assert way.obey("delay 0.4\n") == "ok"
    assert way.one_way_s == 0.2
