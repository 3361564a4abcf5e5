"""`situs audit ship`, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ship.world import Bucket, Logs, make_bucket, sound

from extproc.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable


def _config(tmp_path: Path, regions: str) -> Path:
    path = tmp_path / "shipping.yaml"
    path.write_text(f"apiVersion: situs/v1\nregions:\n{regions}\n")
    return path


def _store(tmp_path: Path) -> str:
    (tmp_path / "store").mkdir()
    return f"  eu: {{to: {tmp_path / 'store'}, every_s: 0.1}}"


def test_once(tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logs.grow(300)
    config = _config(tmp_path, _store(tmp_path))
    assert main(["audit", "ship", str(logs.root), "--config", str(config)]) == 0
    assert "302" in capsys.readouterr().out
    sound(tmp_path / "store")
    assert {path.name for path in (logs.root / ".shipping").iterdir()} == {"state.json", "status.json"}
    elsewhere = tmp_path / "elsewhere"
    command = ["audit", "ship", str(logs.root), "--config", str(config), "--json", "--once", "--state", str(elsewhere)]
    assert main(command) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["everything_shipped"] is True
    assert status["logs"][0]["shipped"] == 302
    assert (elsewhere / "status.json").exists()


def test_what_could_not_be_shipped_is_74(tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logs.grow(3)
    Logs(root=logs.root, region="us", worker="w1").grow(3)
    config = _config(tmp_path, _store(tmp_path))
    assert main(["audit", "ship", str(logs.root), "--config", str(config)]) == 74
    said = capsys.readouterr()
    assert "shipped nowhere. Mend: add 'us:' to regions" in said.err
    assert "nowhere" in said.out


def test_what_cannot_be_used_is_78(tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    for regions, message in (
        ("  eu: {to: evidence}", "shipping.yaml:3:12: 'evidence' is neither a bucket nor an absolute path"),
        (f"  eu: {{to: {tmp_path / 'nothing'}}}", "nothing: no folder is there. Mend: mount it"),
        (f"  eu: {{to: {logs.root / 'inside'}}}", "lies in the logs' own folder"),
    ):
        config = _config(tmp_path, regions)
        assert main(["audit", "ship", str(logs.root), "--config", str(config)]) == 78
        assert message in capsys.readouterr().err


def test_wrong_usage_is_1(tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    config = _config(tmp_path, _store(tmp_path))
    logs.grow(1)
    for folder, message in (
        (tmp_path / "nothing", "no folder is there"),
        (logs.root / logs.name, f"is one log. Mend: name the folder above the nodes, {logs.root}"),
    ):
        assert main(["audit", "ship", str(folder), "--config", str(config)]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_bucket_elsewhere_is_78(
    s3_server: str, aws: None, tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    del aws
    make_bucket(s3_server, "abroad", location="us-west-2")
    config = _config(tmp_path, f'  eu: {{to: "s3://abroad/situs", endpoint: "{s3_server}", location: eu-central-1}}')
    logs.grow(3)
    assert main(["audit", "ship", str(logs.root), "--config", str(config)]) == 78
    assert "the bucket is in us-west-2 and not in eu-central-1" in capsys.readouterr().err


@pytest.mark.slow
def test_follow_ends_with_a_signal_and_leaves_nothing_behind(bucket: Bucket, tmp_path: Path, logs: Logs) -> None:
    config = _config(
        tmp_path,
        f'  eu: {{to: "s3://{bucket.name}/situs", endpoint: "{bucket.endpoint}", location: eu-central-1, '
        "every_s: 3600}",
    )
    logs.grow(10)
    command = [sys.executable, "-m", "extproc", "audit", "ship", str(logs.root), "--config", str(config), "--follow"]
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    checkpoint = f"{logs.name}/log/checkpoint"
    _until(lambda: bucket.read(checkpoint) is not None)
    # Within the period: the signal asks for all of it.
    logs.grow(10)
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["everything_shipped"] is True
    assert bucket.read(checkpoint) == (logs.root / checkpoint).read_bytes()


@pytest.mark.slow
def test_with_until_eof_no_signal_ends_it_and_the_end_of_its_input_does(tmp_path: Path, logs: Logs) -> None:
    store = tmp_path / "store"
    store.mkdir()
    config = _config(tmp_path, f'  eu: {{to: "{store}", every_s: 3600}}')
    logs.grow(10)
    command = [sys.executable, "-m", "extproc", "audit", "ship", str(logs.root), "--config", str(config), "--follow"]
    process = subprocess.Popen(
        [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    checkpoint = f"{logs.name}/log/checkpoint"
    _until((store / checkpoint).exists)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(process.pid, number)
    time.sleep(0.5)
    assert process.poll() is None
    logs.grow(10)
    _, err = process.communicate(timeout=30)  # which closes its input
    assert (process.returncode, err) == (0, b"")
    assert (store / checkpoint).read_bytes() == (logs.root / checkpoint).read_bytes()


def _until(condition: "Callable[[], bool]") -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
