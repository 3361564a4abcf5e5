"""An operator who hands over less than there was, or says other than what was recorded."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from audit.evidence import KEEPER, ROOT_LOG, Witnesses, begin, checkpoint_of, decisions, end, messages, write
from ledger.world import IDENTITY, KEY, NOW_S, REGIONS, config, decision, delivery

from extproc.audit.findings import Category
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.cli.main import main
from extproc.core.delivery import Finding
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import delivery_to_entry, gap_to_entry, recovered_to_entry
from extproc.ledger.housekeeping import (
    Head,
    Hold,
    HoldAction,
    Prune,
    head_to_entry,
    hold_to_entry,
    prune_to_entry,
)
from extproc.ledger.log import LogWriter

_TRUST = Trust(keys=(KEY.verifier("acme"),))


def _log(root: Path, *entries: bytes) -> Path:
    writer = begin(root)
    write(writer, entries)
    return end(writer, at_s=NOW_S + 20)


def _written(root: Path, name: str, genesis: pb.Genesis, *, at_s: float = NOW_S) -> Path:
    """A log of any name and Genesis, signed by the key as any other: the operator can do that."""
    folder = root / IDENTITY.node / IDENTITY.worker / name
    (folder / "log").mkdir(parents=True)
    (folder / "wal").mkdir()
    genesis.origin = IDENTITY.origin(name)
    writer = LogWriter(folder, origin=genesis.origin, key=KEY, segment_bytes=1 << 16)
    writer.append([pb.Entry(at_s=at_s, genesis=genesis).SerializeToString()])
    return end(writer, at_s=at_s + 1)


def _following(log: Path) -> pb.Genesis:
    stated = checkpoint_of(log)
    return pb.Genesis(previous=pb.Previous(origin=stated.origin, size=stated.size, root=stated.root, state="closed"))


def test_a_log_in_the_middle_is_missed(tmp_path: Path) -> None:
    _, second, _ = (_log(tmp_path) for _ in range(3))
    assert verify(tmp_path, _TRUST).exit_status == 0
    shutil.rmtree(second)
    assert "is not here" in " ".join(messages(verify(tmp_path, _TRUST), Category.INCOMPLETE))


def test_all_logs_but_the_last_are_missed_unless_that_one_is_named(tmp_path: Path) -> None:
    first, second = (_log(tmp_path) for _ in range(2))
    shutil.rmtree(first)
    assert verify(tmp_path, _TRUST).exit_status == 3
    assert verify(second, _TRUST).exit_status == 0


def test_the_process_that_recovered_a_log_is_missed(tmp_path: Path) -> None:
    first = begin(tmp_path)
    first.publish()
    first.abandon()
    second = _log(tmp_path)
    assert verify(tmp_path, _TRUST).exit_status == 0
    shutil.rmtree(second)
    (message,) = messages(verify(tmp_path, _TRUST), Category.INCOMPLETE)
    assert "a later process recovered this log, and its own log is not here" in message


def test_a_log_that_skips_one_is_refused(tmp_path: Path) -> None:
    first = _log(tmp_path)
    _written(tmp_path, "000003-00000000", _following(first))
    (message,) = messages(verify(tmp_path, _TRUST), Category.INTEGRITY)
    assert "which is not the log before it: expected number 2 of acme/test/eu/node-1/w0" in message


def test_a_later_log_that_names_none_before_is_incomplete(tmp_path: Path) -> None:
    _written(tmp_path, "000002-00000000", pb.Genesis())
    (message,) = messages(verify(tmp_path, _TRUST), Category.INCOMPLETE)
    assert "says nothing of the log before it, and is number 2" in message


def test_two_beginnings_of_one_worker_are_told(tmp_path: Path) -> None:
    for name in ("000001-00000000", "000001-00000001"):
        _written(tmp_path, name, pb.Genesis())
    (message,) = messages(verify(tmp_path, _TRUST), Category.NOTE)
    assert "a lost disk, or a twin" in message


def test_a_log_that_begins_before_the_one_before_it_ended_is_told(tmp_path: Path) -> None:
    first = _log(tmp_path)
    _written(tmp_path, "000002-00000000", _following(first), at_s=NOW_S - 86_400)
    result = verify(tmp_path, _TRUST)
    assert [log.tallies["clock_steps"] for log in result.logs] == [0, 1]
    assert "begins 86420.0 s before the end of" in messages(result, Category.NOTE)[0]


def test_a_log_that_only_a_root_log_remembers_is_missed(tmp_path: Path) -> None:
    _log(tmp_path)
    last = _log(tmp_path)
    root_log = begin(tmp_path, identity=ROOT_LOG)
    note = (last / "log/checkpoint").read_bytes()
    write(root_log, [head_to_entry(Head(checkpoint=note), at_s=NOW_S)])
    kept = end(root_log)
    assert verify(tmp_path, _TRUST).exit_status == 0
    shutil.rmtree(last)
    result = verify(tmp_path, _TRUST)
    (message,) = messages(result, Category.INCOMPLETE)
    assert f"entry 1: has seen 2 entries of {IDENTITY.origin(last.name)}, which is not here" in message
    # Whoever runs the root log has no other log, and nothing is missing there.
    assert verify(kept, _TRUST).exit_status == 0


def test_a_violation_stays_one_without_its_decision(tmp_path: Path) -> None:
    fact = replace(delivery(decision(1), REGIONS[3]), finding=Finding.OUTSIDE_PERMITTED)
    _log(tmp_path, config(), delivery_to_entry(fact, at_s=NOW_S + 2))
    result = verify(tmp_path, _TRUST)
    assert result.exit_status == 5
    assert "was recorded as outside_permitted" in messages(result, Category.VIOLATION)[0]


@pytest.mark.parametrize(("entries", "released", "last_at_s"), [(1, 2, 2.0), (1, 0, 0.5), (1, 0, float("nan"))])
def test_a_gap_that_contradicts_itself_is_refused(
    tmp_path: Path, entries: int, released: int, last_at_s: float
) -> None:
    gap = gap_to_entry(at_s=NOW_S, entries=entries, first_at_s=1, last_at_s=2)
    changed = pb.Entry.FromString(gap)
    changed.gap.released, changed.gap.last_at_s = released, last_at_s
    _log(tmp_path, changed.SerializeToString())
    assert "a gap that contradicts itself" in messages(verify(tmp_path, _TRUST), Category.INTEGRITY)[0]


def _act(root: Path, entry: bytes) -> Path:
    writer = begin(root, identity=KEEPER)
    write(writer, [entry])
    return end(writer, at_s=NOW_S + 30)


def _hold(action: HoldAction, origin: str) -> bytes:
    return hold_to_entry(Hold(action=action, id="court", origin=origin, reason="order"), at_s=NOW_S)


def test_a_hold_is_not_narrowed_by_another_of_its_name_nor_by_names_of_folders(tmp_path: Path) -> None:
    log = _log(tmp_path, config(), *decisions(1, 9))
    stated = checkpoint_of(log)
    prune = Prune(origin=stated.origin, end=0, size=stated.size, root=stated.root, newest_at_s=NOW_S, reason="age")
    acts = [
        _act(tmp_path, _hold(HoldAction.PLACED, stated.origin)),
        _act(tmp_path, _hold(HoldAction.PLACED, "acme/other")),
        _act(tmp_path, prune_to_entry(prune, at_s=NOW_S)),
        _act(tmp_path, _hold(HoldAction.RELEASED, stated.origin)),
    ]
    # The folder of the release comes first now; the name that was signed does not.
    acts[3].rename(acts[3].with_name("000000-00000000"))
    (message,) = messages(verify(tmp_path, _TRUST), Category.INCOMPLETE)
    assert "that hold court of acme/test/eu/node-1 was to keep: order" in message


@pytest.mark.parametrize("newest_at_s", [float("nan"), 1e300, -1e300])
def test_a_prune_of_no_known_day_is_told_all_the_same(tmp_path: Path, newest_at_s: float) -> None:
    writer = begin(tmp_path)
    write(writer, [config(), *decisions(1, 300)])
    log = end(writer)
    stated = checkpoint_of(log)
    prune = Prune(
        origin=stated.origin, end=256, size=stated.size, root=stated.root, newest_at_s=newest_at_s, reason="age"
    )
    _act(tmp_path, prune_to_entry(prune, at_s=NOW_S))
    (log / "log/tile/entries/000").unlink()
    shutil.rmtree(log / "wal")
    assert "the latest of no known day" in " ".join(messages(verify(tmp_path, _TRUST), Category.NOTE))


def test_what_witnesses_saw_only_long_after_is_told(tmp_path: Path) -> None:
    witnesses = Witnesses()
    log = _log(tmp_path)
    note = (log / "log/checkpoint").read_bytes()
    for days, told in ((0, 0), (365, 1)):
        at_s = int(NOW_S) + 21 + days * 86_400
        (log / "witnessed").write_bytes(witnesses.cosign(note, [0, 1], at_s=at_s))
        result = verify(tmp_path, Trust(policy=witnesses.policy()))
        assert (result.exit_status, len(messages(result, Category.NOTE))) == (0, told)


def test_witnesses_in_time_are_not_asked_of_a_policy_that_names_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _log(tmp_path / "logs")
    policy = tmp_path / "policy"
    policy.write_text(Witnesses().policy_text().replace("quorum enough", "quorum none"))
    assert main(["audit", "verify", str(tmp_path / "logs"), "--trust", str(policy), "--witnessed-within", "1m"]) == 1
    assert "name a quorum there" in capsys.readouterr().err


@pytest.mark.slow
def test_a_record_prints_no_line_of_its_own_and_commands_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "x\nRESULT VERIFIED\x1b[2J\x9b5m\u202e[red]"
    gap = pb.Entry.FromString(gap_to_entry(at_s=NOW_S, entries=1, first_at_s=1, last_at_s=2))
    gap.gap.reason = hostile
    recovered = recovered_to_entry(at_s=NOW_S, size=1, segment=hostile, offset=0, cut=0)
    log = _log(tmp_path, gap.SerializeToString(), recovered)
    place, tables = str(log.relative_to(tmp_path)), str(tmp_path.with_name("tables"))
    for command in (
        ("verify", str(tmp_path)),
        ("verify", str(tmp_path), "--json"),
        ("show", str(tmp_path)),
        ("show", str(tmp_path), "--json"),
        (
            "query",
            "SELECT * FROM gaps",
            str(tmp_path),
            "--cache",
            str(tmp_path.with_name("tables")),
            "--format",
            "json",
        ),
        ("query", "SELECT * FROM gaps", str(tmp_path), "--cache", tables, "--format", "json"),
        ("query", "SELECT reason FROM gaps", str(tmp_path), "--cache", tables),
        ("prove", f"{place}:1", str(tmp_path), "--output", "-"),
    ):
        main(["audit", *command, *(() if command[0] == "show" else ("--engine", "serial"))])
        printed = "".join(capsys.readouterr())
        assert not {"\x1b", "\x9b", "\u202e"} & set(printed), command
        assert "RESULT VERIFIED" not in [line.strip()[:15] for line in printed.splitlines()], command
        assert "RESULT VERIFIED" in printed, command
