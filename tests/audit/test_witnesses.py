"""What witnesses and root logs have seen, held against the logs."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from audit.evidence import ROOT_LOG, Witnesses, begin, checkpoint_of, decisions, end, flip, messages, write
from ledger.world import IDENTITY, KEY, NOW_S, config

from extproc.audit.findings import Category
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.ledger.checkpoint import format_checkpoint
from extproc.ledger.housekeeping import Head, head_to_entry
from extproc.notes.note import Note, format_note, make_signature

_AT_S = int(NOW_S) + 100


def _log(root: Path) -> tuple[Path, bytes]:
    """A log of 303 entries, and its head at 200."""
    writer = begin(root)
    write(writer, [config(), *decisions(1, 198)])
    assert writer.size == 200
    writer.publish()
    head = (writer.directory / "log/checkpoint").read_bytes()
    write(writer, decisions(199, 300))
    return end(writer), head


def test_a_quorum_that_has_seen_the_log_is_told(tmp_path: Path) -> None:
    witnesses = Witnesses()
    log, head = _log(tmp_path)
    trust = Trust(policy=witnesses.policy())
    missing = verify(log, trust)
    assert missing.exit_status == 4
    assert "the quorum has seen neither" in messages(missing, Category.TRUST)[0]
    (log / "witnessed").write_bytes(witnesses.cosign(head, [0, 2], at_s=_AT_S))
    result = verify(log, trust)
    assert (result.exit_status, list(result.findings)) == (0, [])
    seen = result.logs[0].witnessed
    assert seen is not None
    assert (seen.size, seen.cosigned_at_s) == (200, {"w0": _AT_S, "w2": _AT_S})
    assert seen.age_s == pytest.approx(NOW_S + 500 - _AT_S)
    assert verify(log, replace(trust, witnessed_within_s=500)).exit_status == 0
    late = verify(log, replace(trust, witnessed_within_s=400))
    assert "have not seen the end of the log in time" in messages(late, Category.TRUST)[0]
    assert late.exit_status == 4
    # Who has seen all of it has seen its end, whenever that was.
    whole = (log / "log/checkpoint").read_bytes()
    (log / "witnessed").write_bytes(witnesses.cosign(whole, [0, 1], at_s=1))
    assert verify(log, replace(trust, witnessed_within_s=1)).exit_status == 0


def test_too_few_witnesses_are_no_quorum(tmp_path: Path) -> None:
    witnesses = Witnesses()
    log, head = _log(tmp_path)
    for by in ([1], [1, 1], []):
        (log / "witnessed").write_bytes(witnesses.cosign(head, by, at_s=_AT_S))
        result = verify(log, Trust(policy=witnesses.policy()))
        assert result.exit_status == 4
        assert "too few witnesses" in messages(result, Category.TRUST)[0]
    assert verify(log, Trust(policy=Witnesses().policy())).exit_status == 4


@pytest.mark.slow
def test_every_flipped_byte_of_what_was_witnessed_is_found(tmp_path: Path) -> None:
    witnesses = Witnesses(2)
    log, head = _log(tmp_path)
    path = log / "witnessed"
    path.write_bytes(witnesses.cosign(head, [0, 1], at_s=_AT_S))
    trust = Trust(policy=witnesses.policy())
    assert verify(log, trust).exit_status == 0
    shutil.rmtree(log / "wal")
    for at in range(len(path.read_bytes())):
        data = flip(path, at)
        result = verify(log, trust)
        assert result.exit_status in (2, 4), at
        assert any(each.file == "witnessed" for each in result.findings)
        path.write_bytes(data)


def test_a_log_that_was_rolled_back_behind_what_was_witnessed_is_found(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    write(writer, [config(), *decisions(1, 50)])
    writer.publish()
    shutil.copytree(writer.directory, tmp_path / "before")
    write(writer, decisions(51, 60))
    log = end(writer)
    (tmp_path / "before/witnessed").write_bytes((log / "log/checkpoint").read_bytes())
    result = verify(tmp_path / "before", Trust(keys=(KEY.verifier(IDENTITY.signer),)))
    assert result.exit_status == 2
    assert "the log was rolled back" in messages(result, Category.INTEGRITY)[0]


def test_another_tree_than_the_witnessed_one_is_a_fork(tmp_path: Path) -> None:
    log, _ = _log(tmp_path)
    other = replace(checkpoint_of(log), size=100, root=bytes(32))
    text = format_checkpoint(other)
    note = Note(text=text, signatures=(make_signature(text, KEY.verifier(other.origin), KEY.sign),))
    (log / "witnessed").write_bytes(format_note(note))
    result = verify(log, Trust(keys=(KEY.verifier(IDENTITY.signer),)))
    assert result.exit_status == 2
    assert "another tree of 100 entries" in messages(result, Category.INTEGRITY)[0]


def test_a_log_is_witnessed_through_the_one_that_follows_it(tmp_path: Path) -> None:
    witnesses = Witnesses()
    trust = Trust(policy=witnesses.policy())
    first, _ = _log(tmp_path)
    second = end(begin(tmp_path))
    assert verify(tmp_path, trust).exit_status == 4
    note = witnesses.cosign((second / "log/checkpoint").read_bytes(), [0, 1], at_s=_AT_S)
    (second / "witnessed").write_bytes(note)
    assert verify(tmp_path, trust).exit_status == 0
    third = end(begin(tmp_path))
    (message,) = messages(verify(tmp_path, trust), Category.TRUST)
    assert third.name in message
    assert first.name not in message


def _root_log(root: Path, *heads: bytes) -> Path:
    writer = begin(root, identity=ROOT_LOG)
    write(writer, [head_to_entry(Head(checkpoint=each), at_s=NOW_S) for each in heads])
    return end(writer)


_BOTH = Trust(keys=(KEY.verifier("acme"),))


def test_heads_of_a_root_log_are_held_against_their_logs(tmp_path: Path) -> None:
    log, head = _log(tmp_path)
    whole = (log / "log/checkpoint").read_bytes()
    _root_log(tmp_path, head, whole)
    assert verify(tmp_path, _BOTH).exit_status == 0
    shutil.rmtree(log)
    assert verify(tmp_path, _BOTH).exit_status == 0


@pytest.mark.parametrize(
    ("size", "found"),
    [(100, "another tree of 100 entries"), (400, "was rolled back: expected 400 entries, found 303")],
)
def test_a_head_that_is_no_beginning_of_its_log_is_found(tmp_path: Path, size: int, found: str) -> None:
    log, _ = _log(tmp_path)
    other = replace(checkpoint_of(log), size=size, root=bytes(32))
    text = format_checkpoint(other)
    note = Note(text=text, signatures=(make_signature(text, KEY.verifier(other.origin), KEY.sign),))
    _root_log(tmp_path, (log / "log/checkpoint").read_bytes(), format_note(note))
    result = verify(tmp_path, _BOTH)
    assert result.exit_status == 2
    (message,) = messages(result, Category.INTEGRITY)
    assert found in message
    assert "entry 2" in message


def test_a_head_that_its_log_has_not_signed_is_found(tmp_path: Path) -> None:
    _, head = _log(tmp_path)
    _root_log(tmp_path, head.replace(b"\n200\n", b"\n199\n"))
    result = verify(tmp_path, _BOTH)
    assert result.exit_status == 2
    assert "does not verify" in messages(result, Category.INTEGRITY)[0]
