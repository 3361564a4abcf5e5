"""Keys that change, that are delegated, and that sign what they may not."""

from dataclasses import replace
from pathlib import Path

import pytest
from audit.evidence import (
    DAY_S,
    START_S,
    begin,
    checkpoint_of,
    decisions,
    delegate,
    end,
    flip,
    messages,
    resign,
    rotated,
    write,
)
from ledger.world import IDENTITY, KEY, NOW_S, config

from extproc.archive import open_archive
from extproc.audit.checks.trees import open_tiles
from extproc.audit.findings import Category
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.housekeeping import KeyRotation, rotation_to_entry
from extproc.ledger.log import LogWriter
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import Note, VerifierKey, format_note, make_signature
from extproc.trust.delegation import format_delegations

_TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))


def test_a_rotation_verifies_by_the_first_key_alone(tmp_path: Path) -> None:
    _, new, at = rotated(tmp_path)
    result = verify(tmp_path, _TRUST)
    assert (result.exit_status, messages(result, Category.NOTE)) == (0, [])
    (log,) = result.logs
    origin = log.origin
    ids = [key.verifier(origin).key_id.hex() for key in (KEY, new)]
    assert [(each.key, each.first) for each in log.epochs] == [(ids[0], 0), (ids[1], at)]
    # Nobody's word but the first key's counts, and without any that of the keys beside the log.
    assert verify(tmp_path, Trust(keys=(generate_key().verifier(IDENTITY.signer),))).exit_status == 4
    assert verify(tmp_path).exit_status == 0


def test_a_retired_key_signs_nothing_any_more(tmp_path: Path) -> None:
    log, _, at = rotated(tmp_path)
    (log / "wal").rename(tmp_path / "wal")
    assert verify(log, _TRUST).exit_status == 0
    resign(log, KEY)
    result = verify(log, _TRUST)
    assert result.exit_status == 4
    assert f"retired at entry {at}" in messages(result, Category.TRUST)[0]


def test_a_new_key_signs_nothing_of_before(tmp_path: Path) -> None:
    log, new, at = rotated(tmp_path)
    (log / "witnessed").write_bytes((log / "log/checkpoint").read_bytes())
    assert verify(log, _TRUST).exit_status == 0
    old_tree = _checkpoint_at(log, at - 2)
    text = format_checkpoint(old_tree)
    for key, found in ((KEY, []), (new, [f"began only at entry {at}"])):
        verifier = key.verifier(old_tree.origin)
        note = Note(text=text, signatures=(make_signature(text, verifier, key.sign),))
        (log / "witnessed").write_bytes(format_note(note))
        trust = messages(verify(log, _TRUST), Category.TRUST)
        assert [part in message for part, message in zip(found, trust, strict=True)] == [True] * len(found)


def _checkpoint_at(log: Path, size: int) -> Checkpoint:
    whole = checkpoint_of(log)
    root = open_tiles(open_archive(str(log)), "", whole.size).root(size)
    return replace(whole, size=size, root=root)


def _write_rotation(root: Path, *, shift: int = 0, by_old: bool = True, by_new: bool = True, harm: bytes = b"") -> Path:
    """A log with a KeyRotation as it should be, or with something wrong about it."""
    new = generate_key()
    writer = begin(root)
    write(writer, [config(), *decisions(1, 5)])
    stated = Checkpoint(
        origin=writer.origin, size=writer.size - shift, root=bytes(32) if harm == b"root" else writer.root()
    )
    text = format_checkpoint(stated)
    signers = [key for key, signs in ((KEY, by_old), (new, by_new)) if signs]
    signatures = tuple(make_signature(text, key.verifier(writer.origin), key.sign) for key in signers)
    delegation = delegate(KEY, IDENTITY.signer, new)
    entry = KeyRotation(
        delegation=delegation.replace(b"\n\n", b"\n \n") if harm == b"delegation" else delegation,
        checkpoint=format_note(Note(text=text, signatures=signatures)),
    )
    _admit(writer, delegation, new)
    writer._key, writer._name = new, VerifierKey(name=writer.origin, public=new.public)
    writer.append([rotation_to_entry(entry, at_s=NOW_S + 6)])
    write(writer, decisions(6, 9))
    return end(writer)


def _admit(writer: LogWriter, delegation: bytes, new: SigningKey) -> None:
    (writer.directory / "delegations").write_bytes(format_delegations([delegation]))
    assert new.public


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"shift": 1}, "the checkpoint is not of the tree before it"),
        ({"by_old": False}, "is not signed by the old key"),
        ({"by_new": False}, "is not signed by the new key"),
        ({"harm": b"root"}, "the checkpoint has another root"),
        ({"harm": b"delegation"}, "key rotation: "),
    ],
)
def test_a_rotation_that_does_not_hold_is_found(tmp_path: Path, wrong: dict[str, bool], found: str) -> None:
    _write_rotation(tmp_path / "sound")
    assert verify(tmp_path / "sound", _TRUST).exit_status == 0
    _write_rotation(tmp_path / "wrong", **wrong)  # type: ignore[arg-type]
    result = verify(tmp_path / "wrong", _TRUST)
    assert result.exit_status == 2
    assert any(found in each and "entry 7" in each for each in messages(result, Category.INTEGRITY))


def _delegated(root: Path, *, from_s: int = START_S, days: int = 30) -> tuple[Path, Trust]:
    organisation = generate_key()
    note = delegate(organisation, "acme/test", KEY, from_s=from_s, days=days)
    writer = begin(root, delegations=(note,))
    write(writer, [config(), *decisions(1, 5)])
    return end(writer), Trust(keys=(organisation.verifier("acme/test"),))


def test_an_organisation_vouches_for_the_keys_that_it_delegates_to(tmp_path: Path) -> None:
    log, trust = _delegated(tmp_path)
    result = verify(tmp_path, trust)
    assert result.exit_status == 0
    (epoch,) = result.logs[0].epochs
    assert (epoch.from_s, epoch.until_s) == (START_S, START_S + 30 * DAY_S)
    (log / "delegations").unlink()
    assert verify(tmp_path, trust).exit_status == 4


@pytest.mark.slow
def test_every_flipped_byte_of_a_delegation_is_found(tmp_path: Path) -> None:
    log, trust = _delegated(tmp_path)
    path = log / "delegations"
    for at in range(len(path.read_bytes())):
        data = flip(path, at)
        result = verify(log, trust)
        assert result.exit_status == 4, at
        assert any(each.startswith("delegations: ") for each in messages(result, Category.TRUST))
        path.write_bytes(data)


@pytest.mark.parametrize(("from_s", "days"), [(int(NOW_S) + 3, 30), (START_S - 30 * DAY_S, 30)])
def test_entries_made_when_their_key_might_not_sign_are_found(tmp_path: Path, from_s: int, days: int) -> None:
    _, trust = _delegated(tmp_path, from_s=from_s + 10, days=days)
    result = verify(tmp_path, trust)
    assert result.exit_status == 4
    assert "might not sign: expected 20" in messages(result, Category.TRUST)[0]


def test_another_key_by_the_same_name_is_not_trusted(tmp_path: Path) -> None:
    log, trust = _delegated(tmp_path)
    other = generate_key()
    (log / "wal").rename(tmp_path / "wal")
    resign(log, other)
    result = verify(log, trust)
    assert result.exit_status == 4
    assert "signed by no trusted key" in messages(result, Category.TRUST)[0]


def test_every_signature_is_verified_where_that_is_asked(tmp_path: Path) -> None:
    log, _, _ = rotated(tmp_path)
    few = verify(log, _TRUST).logs[0]
    every = verify(log, _TRUST, every_signature=True).logs[0]
    assert every.signatures > few.signatures
    assert (every.frames, every.epochs) == (few.frames, few.epochs)
