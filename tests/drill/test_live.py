"""What is done to a live system, by which means, and what is refused."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from drill.test_play import _POLICY

from extproc.core.ids import RegionId
from extproc.drill.errors import CannotError, DrillError
from extproc.drill.live import LiveSystem, Means, Request, check_means
from extproc.drill.orders import resume, suspend
from extproc.drill.scenarios import Scenario
from extproc.policy.override_file import load_orders

_A = RegionId("a")
_TWO = ("A. Counsel", "B. Officer")


@pytest.fixture
def means(tmp_path: Path) -> Means:
    policy, overrides = tmp_path / "policy.yaml", tmp_path / "overrides.yaml"
    policy.write_text(_POLICY)
    overrides.write_text("apiVersion: situs/v1\noverrides: []\n")
    return Means(policy=policy, log=tmp_path / "log", overrides=overrides, approved_by=_TWO)


@pytest.fixture
async def system(means: Means) -> AsyncIterator[LiveSystem]:
    async with LiveSystem(Request(url="http://127.0.0.1:9/"), means) as system:
        yield system


def _means(**other: object) -> Means:
    return Means(policy=Path("p"), log=Path("l"), **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scenarios", "means", "says"),
    [
        ([Scenario.REGION_LOSS], _means(), "give --break and --mend"),
        ([Scenario.GEO_LOSS], _means(break_command="x"), "give --break and --mend"),
        ([Scenario.SIDECAR_KILL, Scenario.BROWN_OUT], _means(break_command="x", mend_command="y"), "one by one"),
        ([Scenario.RELOAD], _means(break_command="x", mend_command="y"), "are for brown-out"),
        ([Scenario.SUSPENSION], _means(approved_by=_TWO), "give --overrides"),
        ([Scenario.SUSPENSION], _means(overrides=Path("o"), approved_by=("A", "A")), "two approvers"),
        ([Scenario.SUSPENSION], _means(overrides=Path("o"), approved_by=("A", " a ")), "two approvers"),
        ([Scenario.SUSPENSION], _means(overrides=Path("o"), approved_by=("A", "")), "two approvers"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(scenarios: list[Scenario], means: Means, says: str) -> None:
    with pytest.raises(CannotError, match=says):
        check_means(scenarios, means)


def test_what_can_be_done_is_not_refused(means: Means) -> None:
    check_means([Scenario.SUSPENSION, Scenario.RELOAD], means)
    check_means([Scenario.SUSPENSION, Scenario.BROWN_OUT], _means(
        overrides=Path("o"), approved_by=_TWO, break_command="x", mend_command="y"
    ))  # fmt: skip


async def test_a_legal_order_ends_by_itself_and_is_lifted_alone(system: LiveSystem, means: Means) -> None:
    assert means.overrides is not None
    other = suspend(means.overrides, _A, ("C", "D"))
    fault = system.fault(Scenario.SUSPENSION, _A)
    fault.strike()
    first, order = load_orders(means.overrides).suspensions
    assert (first.id, order.name, order.approved_by) == (other, "a", _TWO)
    assert order.until_s is not None
    assert 0 < order.until_s - order.from_s <= 600
    fault.mend()
    orders = load_orders(means.overrides)
    assert [each.id for each in orders.suspensions] == [other]
    assert [(each.order, each.approved_by) for each in orders.resumptions] == [(order.id, _TWO)]
    resume(means.overrides, other, _TWO)
    assert load_orders(means.overrides).suspensions == ()


@pytest.mark.slow
async def test_a_reload_changes_when_the_policy_was_written_and_not_a_byte(system: LiveSystem, means: Means) -> None:
    os.utime(means.policy, (1, 1))
    fault = system.fault(Scenario.RELOAD, _A)
    await asyncio.to_thread(fault.strike)
    fault.mend()
    assert means.policy.stat().st_mtime > 1
    assert means.policy.read_text() == _POLICY


def _command(tmp_path: Path, word: str, code: int = 0) -> str:
    script = tmp_path / f"{word}.py"
    script.write_text(
        "import os, sys\n"
        f"open({str(tmp_path / 'said')!r}, 'a').write('{word} ' + os.environ['SITUS_DRILL_REGION'] + '\\n')\n"
        f"print('what it says'); sys.exit({code})\n"
    )
    return f"{sys.executable} {script}"


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [Scenario.REGION_LOSS, Scenario.GEO_LOSS])
async def test_the_operators_commands_break_and_mend(tmp_path: Path, means: Means, scenario: Scenario) -> None:
    commanded = Means(
        policy=means.policy,
        log=means.log,
        break_command=_command(tmp_path, "break"),
        mend_command=_command(tmp_path, "mend"),
    )
    async with LiveSystem(Request(url="http://127.0.0.1:9/"), commanded) as system:
        fault = system.fault(scenario, _A)
        await asyncio.to_thread(fault.strike)
        await asyncio.to_thread(fault.mend)
        assert "break.py" in fault.done
        assert (tmp_path / "said").read_text() == "break a\nmend a\n"
        # The reload beside it is not done by the commands.
        system.fault(Scenario.RELOAD, _A)
        with pytest.raises(CannotError, match="has no region elsewhere"):
            system.fault(scenario, RegionId("elsewhere"))


@pytest.mark.slow
async def test_a_command_that_fails_says_what_it_said(tmp_path: Path, means: Means) -> None:
    commanded = Means(
        policy=means.policy, log=means.log, break_command=_command(tmp_path, "break", 3), mend_command="/no/such/thing"
    )
    async with LiveSystem(Request(url="http://127.0.0.1:9/"), commanded) as system:
        fault = system.fault(Scenario.BROWN_OUT, _A)
        with pytest.raises(DrillError, match=r"exit code 3; nothing more was done.*what it says"):
            await asyncio.to_thread(fault.strike)
        with pytest.raises(DrillError, match="mend it by hand, now"):
            fault.mend()


@pytest.mark.slow
async def test_answers_are_read_by_their_headers(means: Means) -> None:
    head = "x-situs-region: a\r\nx-situs-decision: d-1\r\ncontent-length: {}\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            if b"authorization: Bearer x" not in request:
                body, status = b'{"reason": "unknown_tenant"}', "403 Forbidden"
            elif request.startswith(b"POST"):
                assert await reader.readexactly(4) == b"body"
                body, status = b'{"outputs": "not what the demo has"}', "200 OK"
            else:
                body, status = b"<html>", "502 Bad Gateway"
            writer.write(f"HTTP/1.1 {status}\r\n{head.format(len(body))}".encode() + body)
            await writer.drain()

    server = await asyncio.start_server(lambda r, w: _quietly(answer(r, w), w), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2"
    token = (("authorization", "Bearer x"),)
    for request, status, reason in (
        (Request(url=url, headers=token, body=b"body"), 200, None),
        (Request(url=url, headers=token), 502, None),
        (Request(url=url), 403, "unknown_tenant"),
    ):
        async with LiveSystem(request, means) as system:
            got = await system.send(0)
            assert (got.status, got.reason, got.region, got.decision) == (status, reason, "a", "d-1")
            assert got.latency_s > 0
    server.close()
    await server.wait_closed()
    async with LiveSystem(Request(url=url), means) as system:
        assert (await system.send(0)).status == 0


async def _quietly(answering: object, writer: asyncio.StreamWriter) -> None:
    try:
        await answering  # type: ignore[misc]
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
