"""`situs audit verify` and `show` over places, engines and policies."""

import argparse
import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from audit.evidence import Witnesses, begin, decisions, end, write
from ledger.world import IDENTITY, KEY, config

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
    writer = begin(tmp_path / "logs")
    write(writer, [config(), *decisions(1, 20)])
    return end(writer)


def test_a_zip_file_is_verified_and_shown(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "evidence.zip"
    with ZipFile(place, "w") as file:
        for path in log.rglob("*"):
            file.write(path, path.relative_to(tmp_path / "logs").as_posix())
    key = tmp_path / "operator.vkey"
    key.write_text(f"{format_vkey(KEY.verifier(IDENTITY.signer))}\n")
    assert _situs("verify", place, "--key", key, "--engine", "serial") == 0
    out = capsys.readouterr().out
    for part in (
        "23 entries (1 close, 1 config, 20 decision, 1 genesis), from 2025-11-21",
        "23 entries hashed again",
        "0 sequence holes, 0 heartbeat gaps, 0 clock steps, 0 entries not recorded",
        "20 decisions of which Envoy reported nothing; 0 differences between intent and fact",
        "RESULT VERIFIED  (23 entries",
    ):
        assert part in out
    assert _situs("show", place, "--kind", "decision", "--last", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out)["index"] == 21


def test_a_policy_of_witnesses_is_asked(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    witnesses = Witnesses()
    policy = tmp_path / "trust.policy"
    policy.write_text(witnesses.policy_text())
    ask = ("verify", log, "--trust", policy, "--engine", "serial", "--json")
    assert _situs(*ask) == 4
    capsys.readouterr()
    note = (log / "log/checkpoint").read_bytes()
    (log / "witnessed").write_bytes(witnesses.cosign(note, [0, 1], at_s=1_763_730_000))
    assert _situs(*ask, "--witnessed-within", "10m", "--every-signature") == 0
    (found,) = json.loads(capsys.readouterr().out)["logs"]
    assert found["witnessed"] == {"size": 23, "cosigned_at_s": {"w0": 1_763_730_000, "w1": 1_763_730_000}, "age_s": 0.0}
    assert found["key_epochs"] == [{"key": found["signed_by"][0], "first": 0, "from_s": None, "until_s": None}]
    assert (found["heartbeat_gaps"], found["pruned"], found["signatures"]) == (0, 0, 7)
    assert _situs(*ask[:-1]) == 0
    assert "witnessed at 23 entries by w0, w1, 0 s before the last entry" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (("--engine", "threads"), "Mend: write auto, serial"),
        (("--witnessed-within", "10m"), "Mend: name them with --trust FILE"),
        (("--trust", "nowhere.policy"), "nowhere.policy does not exist"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(
    log: Path, arguments: tuple[str, ...], mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _situs("verify", log, *arguments) == 1
    assert mend in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("period", ["", "10", "m", "1.5h", "10w"])
def test_a_period_that_is_none_is_refused(log: Path, period: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _situs("verify", log, "--witnessed-within", period)
    assert "such as 10m" in capsys.readouterr().err
