"""Workers as processes: when they are started again, and when they end the set. The processes are small scripts."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from extproc.core.ids import RegionId
from extproc.workers.counters import SharedCounters, create_block
from extproc.workers.crew import Crew
from extproc.workers.hub import Hub
from extproc.workers.summons import Summons, format_summons, parse_summons

pytestmark = pytest.mark.slow

_WRITES_ITS_ARGUMENT = """
import pathlib, sys, time
with pathlib.Path({folder!r}, "starts").open("a") as file:
    file.write(sys.argv[-1] + "\\n")
"""


class _Started:
    def __init__(self, script: str, workers: int, folder: Path) -> None:
        self.folder = folder
        self.block = create_block(workers=workers, catalogue=[RegionId("eu-fra")])
        self.hub = Hub((), counters=SharedCounters(self.block), clock=time.time, checks_models=False)
        self.registry = CollectorRegistry()
        self.crew = Crew(
            [sys.executable, "-c", _WRITES_ITS_ARGUMENT.format(folder=str(folder)) + script],
            block=self.block,
            hub=self.hub,
            tenure=self.block.descriptor,
            registry=self.registry,
        )
        self.keeping: asyncio.Future[int] = asyncio.ensure_future(self.crew.keep())

    def starts(self, worker: int = 0) -> list[Summons]:
        path = self.folder / "starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return [summons for summons in map(parse_summons, lines) if summons.index == worker]

    def restarts(self, worker: int = 0) -> float | None:
        return self.registry.get_sample_value("situs_worker_restarts_total", {"worker": str(worker)})

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - what other processes do gives no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _started(script: str, folder: Path, workers: int = 1) -> AsyncIterator[_Started]:
    started = _Started(script, workers, folder)
    try:
        yield started
    finally:
        started.keeping.cancel()
        await asyncio.gather(started.keeping, return_exceptions=True)
        await started.crew.stop(5)
        await started.until(lambda: not started.hub._seats)


_FOREVER = "\ntime.sleep(60)"


async def test_a_configuration_that_is_refused_at_the_start_ends_the_set(tmp_path: Path) -> None:
    async with _started("sys.exit(78 if sys.argv[-1].startswith('1,') else time.sleep(60))", tmp_path, 2) as started:
        assert await asyncio.wait_for(started.keeping, 20) == 78
        assert len(started.starts(1)) == 1
        await started.until(lambda: started.starts(0))


async def test_a_configuration_that_is_refused_later_waits_for_its_mending(tmp_path: Path) -> None:
    async with _started("sys.exit(78)", tmp_path) as started:
        started.crew.served(0)
        await started.until(lambda: len(started.starts()) == 3)
        assert not started.keeping.done()
        assert started.crew.last[0] == "exit code 78"


async def test_a_log_that_cannot_be_written_time_after_time_ends_the_set(tmp_path: Path) -> None:
    async with _started("sys.exit(74)", tmp_path) as started:
        assert await asyncio.wait_for(started.keeping, 30) == 74
        assert len(started.starts()) == 5


async def test_a_worker_that_ends_is_started_again_after_longer_and_longer_rests(tmp_path: Path) -> None:
    async with _started("sys.exit(70)", tmp_path) as started:
        await started.until(lambda: len(started.starts()) == 2)
        began_s = time.monotonic()
        await started.until(lambda: len(started.starts()) == 4)
        assert time.monotonic() - began_s > 0.5
        assert [each.again for each in started.starts()[:4]] == [False, True, True, True]
        assert started.restarts() == 3


async def test_a_steady_worker_begins_with_a_short_rest_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.workers.crew.STEADY_S", 0.0)
    async with _started("sys.exit(70)", tmp_path) as started:
        for number in range(1, 6):
            await started.until(lambda number=number: len(started.starts()) >= number)  # type: ignore[misc]
            started.crew.served(0)
        assert not started.keeping.done()
        assert started.restarts() is not None


async def test_a_worker_that_cannot_be_started_again_now_takes_no_other_with_it(tmp_path: Path) -> None:
    async with _started(_FOREVER, tmp_path, 2) as started:
        await started.until(lambda: started.starts(0) and started.starts(1))
        started.crew.served(0)
        command, started.crew._command = started.crew._command, (str(tmp_path / "nothing"),)
        started.crew._processes[0].send_signal(signal.SIGKILL)
        await started.until(lambda: started.crew.last.get(0) == "exit code 71")
        started.crew._command = command
        await started.until(lambda: len(started.starts(0)) == 2)
        assert not started.keeping.done()
        assert len(started.starts(1)) == 1


async def test_a_set_that_cannot_be_started_at_all_ends(tmp_path: Path) -> None:
    async with _started(_FOREVER, tmp_path) as started:
        started.crew._command = (str(tmp_path / "nothing"),)  # before the first of them was started
        with pytest.raises(FileNotFoundError):
            await asyncio.wait_for(started.keeping, 20)


async def test_what_a_killed_worker_has_counted_is_forgotten(tmp_path: Path) -> None:
    async with _started(_FOREVER, tmp_path, 2) as started:
        await started.until(lambda: started.starts(0) and started.starts(1))
        started.block.rows[0][0] = 7
        started.block.rows[1][0] = 5
        started.crew._processes[0].send_signal(signal.SIGKILL)
        await started.until(lambda: len(started.starts(0)) == 2)
        assert list(SharedCounters(started.block).totals()) == [5]
        assert started.crew.last == {0: "signal 9"}
        assert len(started.starts(1)) == 1


async def test_all_are_stopped_together_and_the_stubborn_ones_killed(tmp_path: Path) -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _WRITES_ITS_ARGUMENT + _FOREVER
    script = stubborn.format(folder=str(tmp_path))
    async with _started(script, tmp_path, 2) as started:
        await started.until(lambda: len(started.starts(0)) == 2 and len(started.starts(1)) == 2)
        started.keeping.cancel()
        await asyncio.gather(started.keeping, return_exceptions=True)
        processes = list(started.crew._processes.values())
        await started.crew.stop(0.3)
        assert [await process.wait() for process in processes] == [-signal.SIGKILL] * 2


def test_a_summons_is_read_as_it_was_written() -> None:
    for again in (False, True):
        summons = Summons(index=3, channel=7, block=8, tenure=9, again=again)
        assert parse_summons(format_summons(summons)) == summons
    with pytest.raises(ValueError, match="not what a supervisor writes"):
        parse_summons("1,2,first")
