"""Legal orders to a set of workers: one socket, and every worker obeys before the command ends."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.messages import processing_request
from support.sidecar import Setup, started
from workers.crew import Crew

from extproc.audit.show import read_records
from extproc.control.client import ask
from extproc.demo.process import python

pytestmark = pytest.mark.slow

_EMIRATI = processing_request(address="31.3.0.7:0")
_ORDER: dict[str, object] = {
    "region": "me-dxb",
    "reason": "injunction",
    "until": "2099-01-01",
    "approved_by": ["A", "B"],
}
_RELEASE: dict[str, object] = {"region": "me-dxb", "reason": "lifted", "approved_by": ["A", "C"]}


@pytest.fixture
async def crew(setup: Setup) -> AsyncIterator[Crew]:
    setup.options += ["--control", f"unix:{setup.root}/c.sock"]
    async with started(Crew(setup)) as running:
        yield running


async def _ask(crew: Crew, path: str, order: dict[str, object] | None = None) -> dict[str, Any]:
    return await asyncio.to_thread(ask, f"unix:{crew.setup.root}/c.sock", path, order)


async def _refused(crew: Crew) -> list[bool]:
    answers = [await crew.ask(worker, _EMIRATI) for worker in range(crew.workers)]
    return [answer.WhichOneof("response") == "immediate_response" for answer in answers]


async def test_an_order_is_in_force_in_every_worker_when_the_answer_comes(crew: Crew) -> None:
    assert await _refused(crew) == [False, False]
    began_s = time.monotonic()
    done = await _ask(crew, "/v1/suspend", _ORDER)
    assert done["in_force"] is True
    assert time.monotonic() - began_s < 1.0
    assert await _refused(crew) == [True, True]
    status = await _ask(crew, "/v1/status")
    assert (status["ready"], [log["worker"] for log in status["logs"]]) == (True, ["0", "1"])
    assert [order["id"] for order in status["orders"]] == done["ids"]
    assert (await _ask(crew, "/v1/resume", _RELEASE))["in_force"] is True
    assert await _refused(crew) == [False, False]
    assert await crew.stop() == 0
    command = [str(part) for part in python("extproc", "audit", "verify", crew.setup.log)]
    verified = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    found = [record.entry.override for record in read_records(crew.setup.log, kinds=frozenset({"override"}))]
    assert sorted((each.action, each.resumption.reason) for each in found) == [
        ("resumed", "lifted"),
        ("resumed", "lifted"),
        ("suspended", ""),
        ("suspended", ""),
    ]


async def test_a_worker_that_hangs_is_not_said_to_obey(crew: Crew) -> None:
    children = f"/proc/{crew.child.pid}/task/{crew.child.pid}/children"
    with open(children, encoding="ascii") as file:  # noqa: ASYNC230, PTH123 - the kernel answers at once
        hanging = int(file.read().split()[-1])
    os.kill(hanging, signal.SIGSTOP)
    try:
        assert (await _ask(crew, "/v1/suspend", _ORDER))["in_force"] is False
        status = await _ask(crew, "/v1/status")
        assert "worker 1 does not answer" in status["reasons"]
        assert len(status["logs"]) == 1
    finally:
        os.kill(hanging, signal.SIGCONT)
    await crew.until(lambda: _all_refused(crew))
    assert json.loads(json.dumps(await _ask(crew, "/v1/status")))["ready"] is True


async def _all_refused(crew: Crew) -> bool:
    return await _refused(crew) == [True, True]
