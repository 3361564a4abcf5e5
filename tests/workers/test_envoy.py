"""Two workers behind a real Envoy: requests go on while one of them is killed, and both logs prove all of it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from workers.world import CrewWorld, running_crew_world

from extproc.demo.story import decisions_of
from extproc.demo.visits import VISITS, Answer, Digits, Visitor

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

_REQUESTS = 600
_PER_S = 75.0
_GERMANY = VISITS[0]


@pytest.fixture
async def crew_world(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> AsyncIterator[CrewWorld]:
    async with running_crew_world(tmp_path, models=digits_store, envoy=str(envoy_binary)) as running:
        yield running


async def test_a_killed_worker_stops_nothing_and_loses_nothing(crew_world: CrewWorld) -> None:
    world = crew_world
    digits = Digits(world.folder.models / "digits" / "samples.json")
    answers: list[Answer] = []
    killed = asyncio.Event()

    async def kill() -> None:
        while len(answers) < _REQUESTS // 3:  # noqa: ASYNC110 - the answers come from many tasks
            await asyncio.sleep(0.01)
        os.kill(world.worker_pid(1), signal.SIGKILL)
        killed.set()

    async with Visitor(world.url, world.issuer, digits) as visitor, asyncio.TaskGroup() as group:
        group.create_task(kill())
        loop = asyncio.get_running_loop()
        began_s = loop.time()

        async def one(index: int) -> None:
            answers.append(await visitor.send(_GERMANY, index))

        for index in range(_REQUESTS):
            group.create_task(one(index))
            await asyncio.sleep(max(0.0, began_s + (index + 1) / _PER_S - loop.time()))
    assert killed.is_set()

    # Service went on: what the killed worker had in hand was asked of the other one.
    assert len(answers) == _REQUESTS
    shed = [answer for answer in answers if answer.reason == "spill_refused"]  # by a machine that has other work
    failed = [answer for answer in answers if answer.status != 200 and answer not in shed]
    assert len(failed) <= 3, failed
    assert len(shed) < _REQUESTS / 10

    async def back() -> bool:
        return (await world.samples("situs_workers_up")).get("") == 2.0

    await world.until(back, "the killed worker is back")
    restarts = await world.samples("situs_worker_restarts_total")
    assert restarts == {"0": 0.0, "1": 1.0}
    assert sum((await world.samples("situs_violations_total")).values()) == 0
    found = await world.samples("situs_deliveries_total", finding="matched")
    assert min(found.values()) > 0, found

    # Reports reach either worker, and are recorded by the one that decided: only those of the dead one are not matched.
    elsewhere = sum((await world.samples("situs_deliveries_total", finding="decided_elsewhere")).values())
    assert elsewhere < 50, elsewhere

    await world.stop()
    verified = world.run_situs("audit", "verify", world.folder.log, expect=None)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    decided = set(decisions_of(world))
    released = {received.decision for received in world.received()}
    assert released <= decided, released - decided
    assert len(released) >= _REQUESTS - len(failed) - len(shed)
