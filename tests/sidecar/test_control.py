"""Legal orders to a real sidecar, through its socket and through its file: obeyed within a second, and recorded."""

import asyncio
import json
import os
import resource
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.messages import processing_request
from support.sidecar import Setup, Sidecar, started

from extproc.audit.show import read_records
from extproc.control.client import ask
from extproc.control.errors import ControlError
from extproc.core.overrides import Resumption, Suspension
from extproc.demo.process import python
from extproc.ledger.entries import resumption_from_proto, suspension_from_proto
from extproc.policy.override_file import load_orders

pytestmark = pytest.mark.slow

_EMIRATI = processing_request(address="31.3.0.7:0")
_PULL = ("--reason", "injunction", "--until", "2099-01-01", "--approved-by", "A", "--approved-by", "B")
_RELEASE = ("--reason", "lifted", "--approved-by", "A", "--approved-by", "C")
_WITHIN_S = 1.0
_AT_ONCE_S = 0.1


@pytest.fixture
async def sidecar(setup: Setup) -> AsyncIterator[Sidecar]:
    setup.options += ["--control", f"unix:{setup.root}/c.sock"]
    async with started(Sidecar(setup)) as running:
        yield running


def _way(sidecar: Sidecar, way: str) -> list[str]:
    root = sidecar.setup.root
    return ["--control", f"unix:{root}/c.sock"] if way == "socket" else ["--overrides", str(root / "overrides.yaml")]


async def _situs(*arguments: str | Path, expect: int | None = 0) -> str:
    command = [str(part) for part in python("extproc", *arguments)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert expect is None or done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


async def _is_refused(sidecar: Sidecar) -> bool:
    answered: str | None = (await sidecar.process(_EMIRATI)).WhichOneof("response")
    return answered == "immediate_response"


async def _until(sidecar: Sidecar, *, refused: bool) -> float:
    """Wait until it is so; give how long after the command's end that was, in seconds."""
    began_s = time.monotonic()
    while await _is_refused(sidecar) is not refused:
        assert time.monotonic() - began_s < _WITHIN_S
        await asyncio.sleep(0.01)
    return time.monotonic() - began_s


async def _recorded(sidecar: Sidecar) -> list[tuple[str, Suspension, Resumption | None]]:
    """Stop the sidecar, see that its log verifies, and give what it holds of orders."""
    assert await sidecar.stop() == 0
    await _situs("audit", "verify", sidecar.setup.log)
    found = [record.entry.override for record in read_records(sidecar.setup.log, kinds=frozenset({"override"}))]
    return [(each.action, suspension_from_proto(each.suspension), resumption_from_proto(each)) for each in found]


@pytest.mark.parametrize("way", ["socket", "file"])
async def test_an_order_holds_within_a_second_and_is_recorded(sidecar: Sidecar, way: str) -> None:
    assert not await _is_refused(sidecar)
    said = await _situs("suspend", "me-dxb", *_way(sidecar, way), *_PULL)
    pulled_s = await _until(sidecar, refused=True)
    (order,) = load_orders(sidecar.setup.overrides).suspensions
    said += await _situs("resume", "me-dxb", *_way(sidecar, way), *_RELEASE)
    released_s = await _until(sidecar, refused=False)
    if way == "socket":
        assert said.count("; in force") == 2
        assert max(pulled_s, released_s) < _AT_ONCE_S  # it answered when it was so
        event = next(line for line in sidecar.child.last_words().splitlines() if "an order was given" in line)
        assert json.loads(event)["uid"] == os.geteuid()
    (pulled, suspension, none), (released, ended, resumption) = await _recorded(sidecar)
    assert (pulled, suspension, none) == ("suspended", order, None)
    assert (released, ended) == ("resumed", order)
    assert resumption is not None
    assert (resumption.reason, resumption.approved_by) == ("lifted", ("A", "C"))


async def test_an_order_that_was_taken_away_by_hand_is_recorded_without_a_reason(sidecar: Sidecar) -> None:
    await _situs("suspend", "me-dxb", *_way(sidecar, "socket"), *_PULL)
    sidecar.setup.overrides.write_text("apiVersion: situs/v1\noverrides: []\n")
    await _until(sidecar, refused=False)
    (_, (released, _, resumption)) = await _recorded(sidecar)
    assert (released, resumption) == ("resumed", None)


async def test_status_says_what_is_so(sidecar: Sidecar) -> None:
    await sidecar.process(_EMIRATI)
    await _situs("suspend", "me-dxb", *_way(sidecar, "socket"), *_PULL)
    document = json.loads(await _situs("status", *_way(sidecar, "socket"), "--json"))
    assert document["ready"] is True
    (region,) = (each for each in document["regions"] if each["region"] == "me-dxb")
    assert region["suspended_by"] == [order["id"] for order in document["orders"]]
    assert region["in_flight"] is None  # no Envoy reports
    (log,) = document["logs"]
    assert "/test/0" in log["origin"]
    assert log["size"] > 3
    assert log["awaited"] >= 1
    said = await _situs("status", *_way(sidecar, "socket"))
    assert "suspended by LT-" in said


async def test_an_order_that_cannot_be_recorded_is_not_said_to_be_in_force(sidecar: Sidecar) -> None:
    for _ in range(8):
        await sidecar.process(_EMIRATI)
    assert sidecar.child.pid is not None
    # The file of orders is shorter than that, and the log's is longer, so only the log cannot be written.
    resource.prlimit(sidecar.child.pid, resource.RLIMIT_FSIZE, (1024, 1024))
    order = {"region": "me-dxb", "reason": "r", "until": "2099-01-01", "approved_by": ["A", "B"]}
    try:
        told = await asyncio.to_thread(ask, f"unix:{sidecar.setup.root}/c.sock", "/v1/suspend", order)
    except ControlError as broken_off:
        assert "may have been written" in str(broken_off)  # noqa: PT017 - either is an honest answer
    else:
        assert told["in_force"] is False
    assert len(load_orders(sidecar.setup.overrides).suspensions) == 1
    process = sidecar.child._process
    assert process is not None
    assert await asyncio.to_thread(process.wait, 30) == 74


async def test_it_refuses_to_start_where_orders_could_not_be_taken(setup: Setup) -> None:
    address = f"unix:{setup.root}/c.sock"
    code, said = setup.refused("--control", address, without="--overrides")
    assert (code, "name it with --overrides" in said) == (78, True)
    code, said = setup.refused("--control-user", "root")
    assert (code, "Mend: give that too" in said) == (78, True)
    code, said = setup.refused("--control", address, "--control-user", "nobody-of-that-name")
    assert (code, "knows no such user" in said) == (78, True)
    code, said = setup.refused("--control", "127.0.0.1:1")
    assert (code, "Mend: write unix:/path" in said) == (78, True)


async def test_the_socket_goes_with_the_sidecar_and_a_stale_one_is_replaced(sidecar: Sidecar) -> None:
    path = sidecar.setup.root / "c.sock"
    sidecar.child.kill()
    assert path.exists()
    assert "its sidecar has ended" in await _situs("status", *_way(sidecar, "socket"), expect=78)
    sidecar.child.start()
    await sidecar.until(sidecar.ready)
    await _situs("status", *_way(sidecar, "socket"))
    assert await sidecar.stop() == 0
    assert not path.exists()
