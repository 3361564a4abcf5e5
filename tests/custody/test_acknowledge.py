"""Acknowledging violations: only what is there, and it stays what it is."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ledger.world import IDENTITY, NOW_S, REGIONS, config, decision, delivery, write_log

from extproc.archive import open_archive
from extproc.audit.violations import PLAN_OUTSIDE_PERMITTED, Violation, violations_at, violations_of
from extproc.cli.audit import register
from extproc.core.delivery import Finding
from extproc.core.ids import DecisionId
from extproc.core.steering import Steer
from extproc.custody.acts import read_acts
from extproc.custody.published import incarnations
from extproc.ledger.entries import decision_to_entry, delivery_to_entry
from extproc.ledger.housekeeping import Acknowledgement

_NOBODY = DecisionId("00000000-0000-7000-8000-00000000ffff")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A log with a violation of the decisions 2 and 3, one without a decision, and one of a decision elsewhere."""
    without = replace(delivery(decision(1), REGIONS[0]), decision=None, finding=Finding.NO_DECISION)
    elsewhere = replace(delivery(decision(1), REGIONS[3]), decision=_NOBODY, finding=Finding.OUTSIDE_PERMITTED)
    wrong = replace(decision(3), steering=Steer(plan=(REGIONS[3],), route="x"), choice=None, transfers=())
    write_log(
        tmp_path / "log",
        [
            config(),
            *(decision_to_entry(each, sequence=n) for n, each in enumerate((decision(1), decision(2), wrong), 1)),
            delivery_to_entry(delivery(decision(1), REGIONS[0]), at_s=NOW_S + 10),
            delivery_to_entry(delivery(decision(2), REGIONS[1]), at_s=NOW_S + 11),
            delivery_to_entry(delivery(decision(2), REGIONS[0], REGIONS[3]), at_s=NOW_S + 12),
            delivery_to_entry(without, at_s=NOW_S + 13),
            delivery_to_entry(elsewhere, at_s=NOW_S + 14),
        ],
    )
    return tmp_path


def _situs(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["audit", *map(str, arguments)])
    status = args.run(args)
    assert isinstance(status, int)
    return status


def _acknowledge(place: Path, what: str, reason: str = "INC-7") -> int:
    by = ("--key", place / "keeper" / "keeper.key", "--reason", reason)
    who = ("--approved-by", "A. Officer", "--approved-by", "B. Counsel")
    return _situs("acknowledge", what, place / "log", *by, *who)


def _shown(place: Path) -> str:
    (log,) = incarnations(place / "log", "w0")
    return log.relative_to(place / "log").as_posix()


def test_violations_are_found_by_decision_and_by_place(place: Path) -> None:
    archive = open_archive(str(place / "log"))
    shown = _shown(place)
    origin = f"{IDENTITY.signer}/{shown.rpartition('/')[2]}"

    def found(decided: DecisionId | None, index: int, finding: str) -> Violation:
        return Violation(decision=decided, origin=origin, index=index, finding=finding)

    second = found(decision(2).id, 6, "outside_plan"), found(decision(2).id, 7, "outside_permitted")
    assert violations_of(archive, decision(2).id) == second
    assert violations_at(archive, shown, 7) == second[1:]
    assert violations_at(archive, origin, 6) == second[:1]
    assert violations_of(archive, decision(3).id) == (found(decision(3).id, 4, PLAN_OUTSIDE_PERMITTED),)
    assert violations_at(archive, shown, 8) == (found(None, 8, "no_decision"),)
    assert violations_of(archive, _NOBODY) == (found(_NOBODY, 9, "outside_permitted"),)
    assert (
        violations_of(archive, decision(1).id)
        == violations_at(archive, shown, 5)
        == violations_at(archive, shown, 1)
        == ()
    )
    for name, index in ((shown, 99), ("nowhere", 1)):
        with pytest.raises(IndexError):
            violations_at(archive, name, index)


def test_an_acknowledged_violation_stays_one_and_says_by_whom(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _acknowledge(place, decision(2).id) == 0
    said = capsys.readouterr().out
    assert said.count("is acknowledged; recorded") == 2
    assert _acknowledge(place, f"{_shown(place)}:8", reason="INC-8\nand more") == 0
    acts = [act.what for act in read_acts(place / "log")]
    assert [(each.index, each.finding) for each in acts if isinstance(each, Acknowledgement)] == [
        (6, "outside_plan"),
        (7, "outside_permitted"),
        (8, "no_decision"),
    ]
    capsys.readouterr()
    assert _situs("verify", place / "log", "--engine", "serial") == 5
    lines = capsys.readouterr().out.splitlines()
    told = [i for i, line in enumerate(lines) if line.startswith("  acknowledged by A. Officer and B. Counsel, ")]
    assert len(told) == 3
    assert all(lines[i - 1].startswith("violation: ") for i in told)
    assert "INC-8\\nand more" in lines[told[-1]]
    assert _situs("verify", place / "log", "--engine", "serial", "--json") == 5
    findings = json.loads(capsys.readouterr().out)["findings"]
    by_entry = {each["entry"]: each.get("acknowledged") for each in findings if each["category"] == "violation"}
    assert {entry for entry, given in by_entry.items() if given} == {6, 7, 8}
    assert by_entry[7] == [
        {
            "by": ["A. Officer", "B. Counsel"],
            "at_s": by_entry[7][0]["at_s"],
            "reason": "INC-7",
            "finding": "outside_permitted",
            "decision": decision(2).id,
            "recorded_in": by_entry[7][0]["recorded_in"],
        }
    ]
    assert by_entry[7][0]["recorded_in"].startswith("node-1/keeper/")
    assert _situs("show", place / "log", "--kind", "acknowledgement", "--decision", decision(2).id) == 0
    assert capsys.readouterr().out.count("acknowledged by A. Officer and B. Counsel: INC-7") == 2


@pytest.mark.parametrize("what", ["matched", "unknown", "matched place", "no place", "no entry", "nonsense"])
def test_what_is_no_violation_is_not_acknowledged(place: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(place)
    named, message = {
        "matched": (decision(1).id, "no violation of it is in these logs"),
        "unknown": ("00000000-0000-7000-8000-00000000eeee", "no violation of it is in these logs"),
        "matched place": (f"{shown}:5", "no violation of it is in these logs"),
        "no place": ("node-9/w0/000001-00000000:5", "no published log of this folder or name"),
        "no entry": (f"{shown}:4000", "no entry 4000"),
        "nonsense": ("whatever", "neither a decision's id nor LOG:ENTRY"),
    }[what]
    assert _acknowledge(place, named) == 1
    assert message in capsys.readouterr().err
    assert read_acts(place / "log") == ()


def test_an_acknowledgement_of_what_is_not_here_is_a_note(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _acknowledge(place, decision(2).id) == 0
    capsys.readouterr()
    (keeper,) = incarnations(place / "log", "keeper")
    assert _situs("verify", keeper, "--engine", "serial") == 0
    assert "acknowledged a violation at entry 6 of" in capsys.readouterr().out
