"""Checkpoints that an auditor kept, against logs that were set back, forked or taken away."""

import shutil
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, decision, small_log, write_log

from extproc.audit.checks.kept import Kept
from extproc.audit.findings import Category
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.cli.main import main
from extproc.ledger.entries import decision_to_entry
from extproc.notes.errors import MalformedError
from extproc.notes.keys import generate_key
from extproc.notes.note import sign_note

_TRUST = Trust(keys=(KEY.verifier("acme"),))


def _kept(log: Path) -> Kept:
    return Kept(file="monday", note=(log / "log" / "checkpoint").read_bytes())


def test_a_log_that_goes_on_continues_what_was_kept(tmp_path: Path) -> None:
    log = small_log(tmp_path / "early", close=False)
    kept = _kept(log)
    assert verify(log, _TRUST, kept=[kept]).exit_status == verify(log, _TRUST).exit_status == 0


def test_what_was_set_back_forked_or_taken_away_is_found(tmp_path: Path) -> None:
    log = small_log(tmp_path)
    kept = _kept(log)
    text = kept.note.decode().partition("\n\n")[0] + "\n"
    origin, size, root, _ = text.split("\n")
    name = KEY.verifier(origin)

    def found(note: str) -> list[tuple[Category, str]]:
        signed = Kept(file="monday", note=sign_note(note, name, KEY.sign))
        return [(each.category, each.message) for each in verify(log, _TRUST, kept=[signed]).findings]

    assert found(text) == []
    ((category, message),) = found(f"{origin}\n{int(size) + 1}\n{root}\n")
    assert (category, "set back" in message) == (Category.INTEGRITY, True)
    ((category, message),) = found(f"{origin}\n{int(size) - 1}\n{root}\n")
    assert (category, "a fork" in message) == (Category.INTEGRITY, True)

    stranger = generate_key()
    forged = Kept(file="monday", note=sign_note(text, stranger.verifier(origin), stranger.sign))
    ((category, _),) = [(each.category, each.message) for each in verify(log, _TRUST, kept=[forged]).findings]
    assert category is Category.TRUST

    second = write_log(tmp_path, [decision_to_entry(decision(1), sequence=1)])
    gone = _kept(second)
    shutil.rmtree(second)
    messages = [each.message for each in verify(tmp_path, _TRUST, kept=[gone]).findings]
    assert any(f"{IDENTITY.signer}/{second.name}" in message and "not here" in message for message in messages)
    with pytest.raises(MalformedError):
        verify(log, _TRUST, kept=[Kept(file="monday", note=b"nothing")])


def test_the_command_takes_them(tmp_path: Path) -> None:
    log = small_log(tmp_path / "logs")
    kept = tmp_path / "monday"
    kept.write_bytes((log / "log" / "checkpoint").read_bytes())
    assert main(["audit", "verify", str(log), "--kept", str(kept), "--engine", "serial", "--quiet"]) == 0
    shutil.rmtree(log)
    small_log(tmp_path / "logs")
    assert main(["audit", "verify", str(tmp_path / "logs"), "--kept", str(kept), "--engine", "serial", "--quiet"]) == 3
    kept.write_text("nothing")
    assert main(["audit", "verify", str(tmp_path / "logs"), "--kept", str(kept), "--engine", "serial", "--quiet"]) == 1
