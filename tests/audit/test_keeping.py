"""Evidence that was pruned, held, erased or lost."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from audit.evidence import KEEPER, begin, checkpoint_of, decisions, end, messages, one_act, write
from ledger.world import KEY, NOW_S, config

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.housekeeping import (
    Erasure,
    ErasureScope,
    Hold,
    HoldAction,
    Prune,
    erasure_to_entry,
    hold_to_entry,
    prune_to_entry,
)

_TRUST = Trust(keys=(KEY.verifier("acme"),))


def _log(root: Path) -> Path:
    """A log of 803 entries in several segments."""
    writer = begin(root)
    write(writer, [config(), *decisions(1, 800)])
    return end(writer, at_s=NOW_S + 801)


def _prune(log: Path, **other: object) -> bytes:
    stated = checkpoint_of(log)
    named = {
        "origin": stated.origin,
        "end": 512,
        "size": stated.size,
        "root": stated.root,
        "newest_at_s": NOW_S + 510,
        "reason": "retention",
        **other,
    }
    return prune_to_entry(Prune(**named), at_s=NOW_S + 800)  # type: ignore[arg-type]


def _remove(log: Path, end_at: int = 512) -> None:
    """Remove what a prune of so many entries removes."""
    for index in range(end_at // 256):
        (log / f"log/tile/entries/{index:03}").unlink()
    segments = sorted((log / "wal").iterdir())
    for segment, after in pairwise(segments):
        if int(after.stem) <= end_at:
            segment.unlink()


def test_what_a_keeper_says_it_pruned_is_a_note(tmp_path: Path) -> None:
    log = _log(tmp_path)
    assert len(list((log / "wal").iterdir())) > 3
    one_act(tmp_path, _prune(log))
    assert verify(tmp_path, _TRUST).exit_status == 0
    _remove(log)
    assert not (log / "wal" / f"{0:016}.wal").exists()
    result = verify(tmp_path, _TRUST)
    (pruned, keeper) = sorted(result.logs, key=lambda each: each.origin, reverse=True)
    assert (result.exit_status, pruned.pruned, pruned.entries_hashed) == (0, 512, pruned.size - 512)
    (note,) = messages(result, Category.NOTE)
    assert "512 entries were pruned, the latest of 2025-11-21" in note
    assert keeper.directory in note
    assert [record.index for record in read_records(log)] == list(range(512, 803))


def test_hash_tiles_of_pruned_entries_are_still_checked(tmp_path: Path) -> None:
    log = _log(tmp_path)
    one_act(tmp_path, _prune(log))
    _remove(log)
    for tile in ("0/000", "0/001", "1/000.p/3"):
        path = log / "log/tile" / tile
        data = path.read_bytes()
        path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
        assert verify(tmp_path, _TRUST).exit_status == 2, tile
        path.unlink()
        assert verify(tmp_path, _TRUST).exit_status == 2, tile
        path.write_bytes(data)
    assert verify(tmp_path, _TRUST).exit_status == 0


@pytest.mark.parametrize(
    "other", [None, {"origin": "acme/test/eu/node-1/w0/another"}, {"end": 256}, {"root": bytes(32)}, {"size": 9999}]
)
def test_what_nobody_pruned_is_lost(tmp_path: Path, other: dict[str, object] | None) -> None:
    log = _log(tmp_path)
    if other is not None:
        one_act(tmp_path, _prune(log, **other))
    _remove(log)
    result = verify(tmp_path, _TRUST)
    assert result.exit_status == 2
    assert any("entries 256 to 511: is missing" in each for each in messages(result, Category.INTEGRITY))


def test_a_prune_of_another_node_excuses_nothing(tmp_path: Path) -> None:
    log = _log(tmp_path)
    act = _prune(log)
    shutil.move(one_act(tmp_path / "elsewhere", act), tmp_path / "keeper")
    _remove(log)
    assert verify(tmp_path, _TRUST).exit_status == 0
    shutil.rmtree(tmp_path / "keeper")
    writer = begin(tmp_path, identity=replace(KEEPER, node="node-2"))
    write(writer, [act])
    end(writer)
    assert verify(tmp_path, _TRUST).exit_status == 2


def _hold(log: Path, action: HoldAction, from_s: float | None = None, until_s: float | None = None) -> bytes:
    origin = checkpoint_of(log).origin.rpartition("/")[0]
    hold = Hold(action=action, id="case-7", origin=origin, reason="order", from_s=from_s, until_s=until_s)
    return hold_to_entry(hold, at_s=NOW_S)


def test_a_prune_against_a_hold_is_found(tmp_path: Path) -> None:
    log = _log(tmp_path)
    one_act(tmp_path, _hold(log, HoldAction.PLACED))
    one_act(tmp_path, _prune(log))
    result = verify(tmp_path, _TRUST)
    assert result.exit_status == 3
    assert "that hold case-7 of acme/test/eu/node-1 was to keep" in messages(result, Category.INCOMPLETE)[0]


@pytest.mark.parametrize("case", ["released", "later", "before", "after the prune"])
def test_a_hold_that_is_over_or_about_other_entries_is_none(tmp_path: Path, case: str) -> None:
    log = _log(tmp_path)
    match case:
        case "released":
            acts = [_hold(log, HoldAction.PLACED), _hold(log, HoldAction.RELEASED), _prune(log)]
        case "later":
            acts = [_hold(log, HoldAction.PLACED, from_s=NOW_S + 600), _prune(log)]
        case "before":
            acts = [_hold(log, HoldAction.PLACED, until_s=NOW_S - 600), _prune(log)]
        case _:
            acts = [_prune(log), _hold(log, HoldAction.PLACED)]
    for act in acts:
        one_act(tmp_path, act)
    assert verify(tmp_path, _TRUST).exit_status == 0


def test_erasures_and_gaps_are_counted(tmp_path: Path) -> None:
    erasure = Erasure(scope=ErasureScope.SUBJECT, tenant="shop", days=("2026-11-20",), keys=3, reason="Art. 17")
    one_act(tmp_path, erasure_to_entry(erasure, at_s=NOW_S))
    gap = pb.Gap(reason="overflow", entries=9, first_at_s=1, last_at_s=2, released=4)
    writer = begin(tmp_path)
    write(writer, [pb.Entry(at_s=NOW_S, gap=gap).SerializeToString()])
    end(writer)
    result = verify(tmp_path, _TRUST)
    assert result.exit_status == 3
    (message,) = messages(result, Category.INCOMPLETE)
    assert "9 entries were not recorded: overflow; 4 of them were decisions that were released" in message
    tallies = [log.tallies for log in result.logs]
    assert sum(each["keys_erased"] for each in tallies) == 3
    assert sum(each["lost_entries"] for each in tallies) == 9
    assert sum(each["released_unrecorded"] for each in tallies) == 4


def test_two_logs_that_continue_the_same_one_are_a_fork(tmp_path: Path) -> None:
    first = end(begin(tmp_path))
    shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy"))
    end(begin(tmp_path))
    other = end(begin(tmp_path.with_name(f"{tmp_path.name}-copy")))
    assert verify(tmp_path, _TRUST).exit_status == 0
    shutil.copytree(other, first.with_name(other.name))
    result = verify(tmp_path, _TRUST)
    assert result.exit_status == 2
    assert "as node-1/w0/000002-" in messages(result, Category.INTEGRITY)[0]
