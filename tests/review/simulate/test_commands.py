"""`situs policy simulate` and `shadow-report`, as they are run."""

import argparse
import json
from pathlib import Path

import pytest
from review.simulate_logs import LogMaker, demo, demo_text, request

from extproc.cli.policy import simulate

DPF = ("    mechanisms: {dpf: true}\n", "")


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    async with LogMaker(tmp_path / "log", demo(), shadow=demo(DPF)) as made:
        await made.decide(request(), request(place="AE"))
    return tmp_path / "log"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(demo_text(DPF))
    return path


def _run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    simulate.register(parser.add_subparsers())
    args = parser.parse_args(list(map(str, words)))
    code: int = args.run(args)
    return code


def test_simulate(log: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("simulate", policy, "--log", log) == 0
    out = capsys.readouterr().out
    assert "Nothing was verified: run `situs audit verify` first." in out
    assert "could no longer go to us-iad" in " ".join(out.split())
    assert _run("simulate", policy, "--log", log, "--from", "2026-11-25", "--to", "2026-11-25", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["decisions"], told["moves"]["narrower"]) == (False, 2, 1)
    (group,) = told["groups"]
    assert (group["lost"], group["count"], group["share"], group["move"]) == (["us-iad"], 1, 0.5, "narrower")


def test_shadow_report(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("shadow-report", log) == 0
    assert "50.0% narrower" in " ".join(capsys.readouterr().out.split())
    assert _run("shadow-report", log, "--json") == 0
    (shadow,) = json.loads(capsys.readouterr().out)["shadows"]
    assert shadow["differences"] == {"narrower": 1, "same": 1}
    assert shadow["groups"][0]["lost"] == ["us-iad"]


def test_what_cannot_be_done(log: Path, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = tmp_path / "nothing"
    assert _run("simulate", policy, "--log", nothing) == 1
    assert _run("simulate", policy, "--log", log, "--from", "2099-01-01") == 1
    assert _run("simulate", policy, "--log", log, "--from", "someday") == 1
    assert _run("simulate", nothing, "--log", log) == 78
    assert _run("shadow-report", nothing) == 1
    for tile in log.rglob("*.p/*"):
        tile.write_bytes(b"\x00\x05torn")
    assert _run("simulate", policy, "--log", log) == 78
    assert _run("shadow-report", log) == 78
    assert "Mend" in capsys.readouterr().err


async def test_a_log_without_shadow(tmp_path: Path) -> None:
    async with LogMaker(tmp_path, demo()) as made:
        await made.decide(request())
    assert _run("shadow-report", tmp_path) == 1
