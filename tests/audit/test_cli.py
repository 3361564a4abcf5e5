import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, decision, small_log

from extproc.cli.audit import register
from extproc.notes.note import format_vkey


def _situs(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["audit", *map(str, arguments)])
    status = args.run(args)
    assert isinstance(status, int)
    return status


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return small_log(tmp_path)


def test_verify_says_what_it_checked(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "operator.vkey"
    key.write_text(f"{format_vkey(KEY.verifier(IDENTITY.signer))}\n")
    assert _situs("verify", log, "--key", key) == 0
    out = capsys.readouterr().out
    assert "RESULT VERIFIED  (8 entries" in out
    assert "1 matched; 3 decisions of which Envoy reported nothing" in out
    assert _situs("verify", log, "--key", key, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["result"], result["findings"], result["logs"][0]["size"]) == ("verified", [], 8)
    assert _situs("verify", log, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_verify_names_what_is_wrong(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = log / "log/tile/entries/000.p/8"
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    assert _situs("verify", log) == 2
    out = capsys.readouterr().out
    assert "entry 7: the hash of the entry in log/tile/entries/000.p/8 is not the stored one: expected" in out
    assert "RESULT INTEGRITY" in out


def test_usage_errors_are_one(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _situs("verify", tmp_path / "nowhere") == 1
    assert "no folder and no file is there" in capsys.readouterr().err
    assert _situs("verify", tmp_path / "nowhere", "--quiet") == 1
    assert _situs("verify", log, "--key", tmp_path / "nowhere.vkey") == 1
    assert _situs("show", log, "--decision", "x") == 1
    assert "situs audit show" in capsys.readouterr().err


def test_show_gives_records(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _situs("show", log, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["index"] for line in lines] == list(range(8))
    assert _situs("show", log, "--json", "--kind", "decision", "--last", 1) == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["decision"]["id"] == decision(4).id
    assert _situs("show", log, "--json", "--decision", decision(1).id) == 0
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["decision", "delivery"]
    assert _situs("show", log) == 0
    assert "eu-fra" in capsys.readouterr().out


@pytest.mark.slow
def test_the_program_itself_exits_as_it_says(log: Path) -> None:
    program = "import sys; from extproc.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "audit", "verify", str(log), "--quiet"]
    assert subprocess.run(command, check=False).returncode == 0
    for path in (log / "log/tile/0/000.p/8", log / "log/checkpoint", next((log / "wal").iterdir())):
        data = path.read_bytes()
        path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
        assert subprocess.run(command, check=False).returncode == 2
        path.write_bytes(data)
