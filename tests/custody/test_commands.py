"""The keeper's commands: what they say, what they exit with, and that they refuse what they must."""

import argparse
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from custody.world import DAY_S, write_log
from ledger.world import decision
from sealed.world import ask, new_store

from extproc.cli.audit import register
from extproc.custody.acts import read_acts
from extproc.custody.published import incarnations, open_published
from extproc.ledger.housekeeping import Erasure, Hold, Prune
from extproc.ledger.ids import id_to_bytes
from extproc.sealed.keys import Keys

_NOW_S = time.time()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Logs of one worker, one of them old, and a key store."""
    store = new_store(tmp_path)
    keys = Keys(store)
    privates = [ask(keys, subject, at=id_to_bytes(decision(n).id)) for n, subject in enumerate(("ada", None), 1)]
    keys.close()
    write_log(tmp_path / "log", at_s=_NOW_S - 500 * DAY_S, first=1000)
    write_log(tmp_path / "log", at_s=_NOW_S, privates=[*privates, replace(privates[1], sealed=b"")], decisions=3)
    return tmp_path


def _situs(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    try:
        args = parser.parse_args(["audit", *map(str, arguments)])
    except SystemExit:
        return 1
    status = args.run(args)
    assert isinstance(status, int)
    return status


def _act(place: Path, *arguments: object, reason: str = "ticket 17") -> int:
    by = ("--key", place / "keeper" / "keeper.key", "--reason", reason, "--approved-by", "A. Officer")
    return _situs(*arguments, "--log", place / "log", *by)


def _erase(place: Path, *arguments: object, reason: str = "ticket 17") -> int:
    return _act(place, "erase", "--keys", place / "keys" / "keys.db", *arguments, reason=reason)


def _unseal(place: Path, *arguments: object) -> int:
    return _situs("unseal", "--log", place / "log", "--keys", place / "keys" / "keys.db", *arguments)


def _acts(place: Path) -> list[object]:
    return [act.what for act in read_acts(place / "log")]


@pytest.mark.slow
def test_erase(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = decision(1).id, decision(2).id
    assert _unseal(place, first) == 0
    said = capsys.readouterr()
    assert said.out == "subject: ada\nrequest_id: 5d3f-1\naddress: 31.0.0.7\n"
    assert said.err == "personal data:\n"
    assert _unseal(place, second, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"request_id": "5d3f-1", "address": "31.0.0.7"}

    monkeypatch.setattr("sys.stdin", io.StringIO("ada\n"))
    assert _erase(place, "--tenant", "shop", "--subject-file", "-") == 0
    assert "erased: 1 keys of tenant shop, 1 pseudonyms of one person, 2025-11-21; recorded" in capsys.readouterr().out
    (act,) = _acts(place)
    assert isinstance(act, Erasure)
    assert act.approved_by == ("A. Officer",)
    assert _unseal(place, first) == 1
    assert "was destroyed" in capsys.readouterr().err
    assert _unseal(place, second) == 0

    assert _erase(place, "--tenant", "shop", "--subject", "ada") == 0
    assert "nothing to erase" in capsys.readouterr().out
    assert _erase(place, "--tenant", "shop", "--day", "2025-11-21", "--json") == 0
    (said_json,) = json.loads(capsys.readouterr().out)
    assert (said_json["scope"], said_json["days"], said_json["keys"]) == ("day", ["2025-11-21"], 1)
    assert _unseal(place, second) == 1


def test_who_has_which_pseudonym(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = place / "subject.txt"
    name.write_text("ada\n")
    assert _unseal(place, "--tenant", "shop", "--subject-file", name) == 0
    day, _, pseudonym = capsys.readouterr().out.strip().partition(": ")
    assert day == "2025-11-21"
    assert len(bytes.fromhex(pseudonym)) == 16
    name.write_text("eve\n")
    assert _unseal(place, "--tenant", "shop", "--subject-file", name) == 0
    assert capsys.readouterr().out == ""


def test_what_erase_and_unseal_refuse(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = place / "keys" / "keys.db"
    assert _erase(place, "--tenant", "shop", "--subject", "ada", reason="ada asked for it") == 1
    assert "holds the subject" in capsys.readouterr().err
    assert _erase(place, "--tenant", "shop", "--subject", "") == 1
    assert _erase(place, "--tenant", "shop", "--day", "yesterday") == 1
    assert _erase(place, "--tenant", "shop") == 1
    assert _erase(place, "--tenant", "shop", "--subject", "ada", reason=" ") == 1
    assert _erase(place, "--tenant", "shop", "--subject", "ada", reason="x" * 501) == 1
    assert _erase(place, "--tenant", "shop", "--subject-file", place / "nowhere") == 74
    assert _unseal(place) == 1
    assert _unseal(place, decision(1).id, "--tenant", "shop", "--subject-file", "-") == 1
    assert _unseal(place, "x") == 1
    capsys.readouterr()
    assert _unseal(place, decision(9).id) == 1
    assert "no decision" in capsys.readouterr().err
    assert _unseal(place, decision(3).id) == 1
    assert "has no sealed block" in capsys.readouterr().err
    store.chmod(0o644)
    assert _unseal(place, decision(1).id) == 78
    assert _erase(place, "--tenant", "shop", "--subject", "ada") == 78
    store.rename(place / "log" / "keys.db")
    assert _situs("unseal", "--log", place / "log", "--keys", place / "log" / "keys.db", decision(1).id) == 78
    assert _acts(place) == []


@pytest.mark.slow
def test_hold(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _situs("hold", "list", "--log", place / "log") == 0
    assert capsys.readouterr().out == "no hold is in force\n"
    span = ("--from", "2024-01-01", "--until", "2099-12-31", "--origin", "acme/test/")
    assert _act(place, "hold", "place", "--id", "case-17", *span) == 0
    assert "over acme/test from 2024-01-01T00:00:00Z to 2100-01-01T00:00:00Z; recorded" in capsys.readouterr().out
    assert _situs("hold", "list", "--log", place / "log") == 0
    assert capsys.readouterr().out.startswith("case-17  acme/test  from 2024-01-01T00:00:00Z to")
    assert _situs("hold", "list", "--log", place / "log", "--json") == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["id"], said["reason"], said["approved_by"]) == ("case-17", "ticket 17", ["A. Officer"])
    assert _act(place, "prune", "--older-than", "400d") == 78
    assert "case-17" in capsys.readouterr().err
    assert _act(place, "prune", "--older-than", "400d", "--except-held") == 0
    assert "held by case-17" in capsys.readouterr().out
    assert _act(place, "hold", "release", "--id", "case-18") == 1
    assert _act(place, "hold", "release", "--id", "case-17") == 0
    assert [type(act) for act in _acts(place)] == [Hold, Hold]


def test_a_folder_without_logs_is_not_one_without_holds(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for elsewhere in (place, place / "log" / "node-1", place / "nowhere"):
        assert _situs("hold", "list", "--log", elsewhere) == 1
        assert "no log below" in capsys.readouterr().err


def test_what_hold_refuses(place: Path) -> None:
    assert _act(place, "hold", "place", "--id", "case 17") == 1
    assert _act(place, "hold", "place", "--id", "a", "--from", "someday") == 1
    assert _act(place, "hold", "place", "--id", "a", "--from", "2026-01-02", "--until", "2026-01-01") == 1
    assert _act(place, "hold", "place", "--id", "a", "--node", "node-2") == 1
    assert _situs("hold", "place", "--log", place / "log", "--id", "a") == 1
    assert _acts(place) == []


def test_prune(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, _ = incarnations(place / "log", "w0")
    assert _act(place, "prune", "--older-than", "400d", "--dry-run") == 0
    assert f"would prune acme/test/eu/node-1/w0/{old.name}: all of 6 entries" in capsys.readouterr().out
    assert not (place / "keeper").exists()
    assert _act(place, "prune", "--older-than", "400d", "--json") == 0
    (said,) = json.loads(capsys.readouterr().out)["parts"]
    assert (said["end"], said["pruned"]) == (6, True)
    published = open_published(old)
    assert published is not None
    assert published.first() == 6
    (act,) = _acts(place)
    assert isinstance(act, Prune)
    assert _act(place, "prune", "--before", "2020-01-01") == 0
    assert capsys.readouterr().out == "nothing is over its time\n"


@pytest.mark.slow
def test_what_prune_refuses(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _act(place, "prune", "--older-than", "100d") == 1
    assert "at least six months" in capsys.readouterr().err
    assert _act(place, "prune", "--older-than", "a year") == 1
    assert _act(place, "prune", "--before", "soon") == 1
    assert _act(place, "prune") == 1
    assert _act(place, "prune", "--older-than", "400d", "--keep-unshipped", place / "nowhere.json") == 1
    assert _acts(place) == []
    old, _ = incarnations(place / "log", "w0")
    checkpoint = old / "log" / "checkpoint"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole.replace(b"\n6\n", b"\n5\n"))
    assert _act(place, "prune", "--older-than", "400d") == 2
    checkpoint.write_bytes(whole)
    assert _act(place, "prune", "--older-than", "100d", "--even-younger", "--origin", "acme/elsewhere") == 0
    assert _act(place, "prune", "--older-than", "100d", "--even-younger") == 0
    assert len(_acts(place)) == 1


def test_the_keepers_key_is_made_once_and_for_its_owner(place: Path) -> None:
    key = place / "keeper" / "keeper.key"
    assert _act(place, "hold", "place", "--id", "a") == 0
    assert key.stat().st_mode & 0o777 == 0o600
    made = key.read_bytes()
    assert _act(place, "hold", "place", "--id", "b") == 0
    assert key.read_bytes() == made
    key.chmod(0o640)
    assert _act(place, "hold", "place", "--id", "c") == 1
    assert len(_acts(place)) == 2
