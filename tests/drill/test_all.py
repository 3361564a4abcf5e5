"""Every scenario, on a system with a real Envoy: started for it, and a live one.

Machines are shared, so how fast anything came back is no test's business here; what must never happen is.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from support.processes import left_behind

from extproc.core.ids import RegionId
from extproc.demo.places import ADDRESSES
from extproc.demo.plan import Plan
from extproc.demo.process import python
from extproc.demo.visits import Digits
from extproc.demo.world import World, running_world
from extproc.drill.scenarios import Scenario
from extproc.policy.override_file import load_orders

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_RATE = "50"
_LIMIT_S = 240


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return _run_command([str(word) for word in python("extproc", *words)])


def _run_command(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)


def _check(result: dict[str, object], said: str) -> None:
    """What must be so of every scenario, however slow the machine."""
    assert result["outside_permitted"] == [], said
    assert result["records_lost"] == [], said
    assert not any("decided over" in fault for fault in result["faults"]), said  # type: ignore[attr-defined]


@pytest.mark.timeout(400)
def test_all_scenarios_on_a_system_that_is_started_for_them(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    root, report = tmp_path / "d", tmp_path / "drill.json"
    done = _run(
        "drill", "--all", "--rate", _RATE, "--dir", root, "--models", digits_store, "--envoy", envoy_binary,
        "--report", report, "--json",
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode in {0, 5}, said
    assert json.loads(done.stdout) == json.loads(report.read_text())
    results = {each["scenario"]: each for each in json.loads(report.read_text())["scenarios"]}
    assert list(results) == [scenario.value for scenario in Scenario]
    for result in results.values():
        _check(result, said)
        assert result["by_the_cells_own_accounts"] is True
        assert result["requests"] > 100, said
        assert result["recovery_s"] is None or result["recovery_s"] < 60, said
    assert results["sidecar-kill"]["interrupted"] is True
    assert results["sidecar-kill"]["failed"] > 0, said
    assert results["suspension"]["region"] in {"eu-fra", "eu-ams"}
    assert done.returncode == (0 if all(each["passed"] for each in results.values()) else 5)

    verified = _run("audit", "verify", root / "log")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    shown = _run("audit", "show", root / "log", "--kind", "drill", "--json")
    entries = [json.loads(line)["drill"] for line in shown.stdout.splitlines()]
    assert [each["scenario"] for each in entries] == list(results)
    assert {each["report"] for each in entries} == {sha256(report.read_bytes()).hexdigest()}
    assert left_behind(root) == []


@pytest.mark.timeout(120)
def test_interrupted_it_leaves_no_process_behind(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> None:
    root = tmp_path / "d"
    words = python(
        "extproc", "drill", "brown-out", "--dir", root, "--models", digits_store, "--envoy", envoy_binary
    )  # fmt: skip
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "steady load" not in (line := process.stderr.readline()):
        assert line, "it ended by itself"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert left_behind(root) == []


@pytest.fixture
async def world(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> AsyncIterator[World]:
    plan = Plan(service_s=0.02)
    async with running_world(tmp_path / "w", models=digits_store, envoy=str(envoy_binary), plan=plan) as running:
        (tmp_path / "body.json").write_bytes(Digits(running.folder.samples).body(0))
        yield running


def _live(world: World, tmp_path: Path, *words: str | Path) -> list[str]:
    folder = world.folder
    return [str(word) for word in python(
        "extproc", "drill", "--live", "--yes", "--rate", _RATE, "--url", f"{world.url}/v2/models/digits/infer",
        "--header", "content-type: application/json", "--header", f"x-forwarded-for={ADDRESSES['DE']}",
        "--body", tmp_path / "body.json", "--policy", folder.policy, "--overrides", folder.overrides,
        "--approved-by", "A. Counsel", "--approved-by", "B. Officer", "--log", folder.log,
        "--key", tmp_path / "keeper" / "keeper.key", "--report", tmp_path / "drill.md", "--json", *words,
    )]  # fmt: skip


def _order(way: Path, line: str) -> str:
    return (
        f"{sys.executable} -c \"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{way}'); "
        f"s.sendall(b'{line}\\n'); assert s.recv(9) == b'ok\\n'\""
    )


@pytest.mark.timeout(300)
async def test_a_live_system_is_drilled_by_its_own_means_and_by_its_operators(world: World, tmp_path: Path) -> None:
    way = world.ways[RegionId("eu-fra")].control
    words = ("--break", _order(way, "cut"), "--mend", _order(way, "mend"), "suspension", "reload", "region-loss")
    done = await asyncio.to_thread(_run_command, _live(world, tmp_path, *words))
    said = done.stdout + done.stderr
    assert done.returncode in {0, 5}, said
    results = {each["scenario"]: each for each in json.loads(done.stdout)["scenarios"]}
    assert list(results) == ["suspension", "reload", "region-loss"]
    for result in results.values():
        _check(result, said)
        assert result["by_the_cells_own_accounts"] is False
    assert "the operator's command" in results["region-loss"]["done"]
    assert load_orders(world.folder.overrides).suspensions == ()
    assert (tmp_path / "drill.md").read_text().startswith("# Drill of ")
    await world.stop()
    verified = world.run_situs("audit", "verify", world.folder.log, expect=None)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _interrupt_once_ordered(command: list[str], overrides: Path) -> tuple[int, str]:
    """Run until there is an order in the override file, then send what Ctrl-C sends."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end_s = time.monotonic() + 60
    while not load_orders(overrides).suspensions and time.monotonic() < end_s:
        time.sleep(0.05)
    assert load_orders(overrides).suspensions
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.timeout(120)
async def test_ctrl_c_lifts_the_order_of_a_live_drill(world: World, tmp_path: Path) -> None:
    overrides = world.folder.overrides
    code, said = await asyncio.to_thread(_interrupt_once_ordered, _live(world, tmp_path, "suspension"), overrides)
    assert code == 130, said
    assert load_orders(overrides).suspensions == ()
    assert not (tmp_path / "drill.md").exists()
