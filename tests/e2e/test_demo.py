"""The demo as a person runs it: its exit code, its JSON, and what it leaves behind."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.processes import left_behind

from extproc.demo.process import python

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _command(tmp_path: Path, models: Path, envoy: Path) -> list[str]:
    parts = python(
        "extproc", "demo", "--models", models, "--envoy", envoy,
        "--dir", tmp_path / "demo", "--json", tmp_path / "demo.json",
    )  # fmt: skip
    return [str(part) for part in parts]


def test_every_expectation_holds(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> None:
    done = subprocess.run(
        _command(tmp_path, digits_store, envoy_binary), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "demo.json").read_text())
    assert result["held"] is True
    assert result["leaks"] == []
    assert result["violations"] == 0
    assert result["verification"]["exit_code"] == 0
    assert {event["name"] for event in result["events"]} == {"cell killed", "regions suspended", "sidecar killed"}
    assert sum(visit["right_digit"] for visit in result["visits"]) >= 9  # of ten that are served; the model may err
    assert "every expectation held" in done.stdout
    assert left_behind(tmp_path / "demo") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process_behind(
    tmp_path: Path, digits_store: Path, envoy_binary: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        _command(tmp_path, digits_store, envoy_binary), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    received = tmp_path / "demo" / "received" / "eu-fra.jsonl"
    end = time.monotonic() + 60
    while not (received.exists() and received.stat().st_size) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert left_behind(tmp_path / "demo") == []


def test_it_writes_into_an_empty_folder_only(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("keep")
    done = subprocess.run(_command(tmp_path, digits_store, envoy_binary), capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "not empty" in done.stderr
