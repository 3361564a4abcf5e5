from itertools import count
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, NOW_S, SEGMENT, clock, config, decision, open_log
from trust.crashes import Crash, Crashes

from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.entries import close_to_entry, decision_to_entry, kind_of, parse_entry
from extproc.ledger.errors import LedgerError
from extproc.ledger.housekeeping import rotation_from_entry
from extproc.ledger.incarnation import SIGNER_VKEY, start_log
from extproc.ledger.log import DELEGATIONS, LOG_VKEY, WAL, LogWriter
from extproc.ledger.tiles import decode_entries
from extproc.ledger.wal import Frame, list_segments, read_frames
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.keys import SigningKey, generate_key, load_vkeys
from extproc.notes.note import VerifierKey, open_note
from extproc.trust.chain import epoch_keys
from extproc.trust.delegation import Delegation, name_issuer, sign_delegation
from extproc.trust.delegation_file import load_delegations

NEW = generate_key()
ROOT = KEY.verifier(IDENTITY.signer)


def delegate(old: SigningKey, new: SigningKey, *, scope: str = IDENTITY.signer, by: str = IDENTITY.signer) -> bytes:
    issuer = old.verifier(by)
    from_s = int(NOW_S)
    given = Delegation(
        scope=scope,
        key=new.verifier(scope),
        from_s=from_s,
        until_s=from_s + 90_000,
        successors_until_s=from_s + 1_000_000,
        issuer=name_issuer(issuer),
    )
    return sign_delegation(given, signer=old, issuer=issuer)


def frames(directory: Path) -> list[Frame]:
    return [frame for segment in list_segments(directory / WAL) for frame in read_frames(segment.read_bytes())]


def test_a_rotation_is_a_batch_of_its_own_between_two_keys(tmp_path: Path) -> None:
    writer = open_log(tmp_path)
    writer.append([config(), decision_to_entry(decision(1), sequence=1)])
    writer.publish()
    note = delegate(KEY, NEW)
    assert writer.rotate(NEW, note, at_s=NOW_S + 1) == 3
    writer.publish()
    writer.append([close_to_entry(at_s=NOW_S + 2, reason="shutdown")])
    writer.close()
    old, new = KEY.verifier(writer.origin), NEW.verifier(writer.origin)
    found = frames(writer.directory)
    assert [(frame.first, frame.count) for frame in found] == [(0, 1), (1, 2), (3, 1), (4, 1)]
    for frame in found:
        open_note(frame.note, [old if frame.first + frame.count <= 3 else new])
        with pytest.raises(NoteError):
            open_note(frame.note, [new if frame.first + frame.count <= 3 else old])
    entry = parse_entry(decode_entries(found[2].payload, 1)[0])
    assert (kind_of(entry), entry.at_s) == ("rotation", NOW_S + 1)
    rotation = rotation_from_entry(entry)
    assert rotation.delegation == note
    both = open_note(rotation.checkpoint, [old, new])
    assert [each.key_id for each in both.signatures] == [old.key_id, new.key_id]
    assert both.text == open_note(found[1].note, [old]).text
    assert parse_checkpoint(both.text).size == 3
    assert parse_checkpoint(open_note((writer.directory / "log/checkpoint").read_bytes(), [new]).text).size == 5
    assert load_delegations(writer.directory / DELEGATIONS) == (note,)
    assert load_vkeys(writer.directory / LOG_VKEY) == (old, new)
    assert load_vkeys(writer.directory.parent / SIGNER_VKEY) == (ROOT, NEW.verifier(IDENTITY.signer))


def test_what_is_no_delegation_of_this_key_changes_nothing(tmp_path: Path) -> None:
    writer = open_log(tmp_path)
    stranger = generate_key()
    wrong = {
        "another key is new": delegate(KEY, stranger),
        "not trusted to delegate": delegate(stranger, NEW),
        "scope is acme/test/eu/node-2/w0": delegate(KEY, NEW, scope="acme/test/eu/node-2/w0", by="acme/test"),
        "expected a text": b"nonsense",
    }
    for message, note in wrong.items():
        with pytest.raises(NoteError, match=message):
            writer.rotate(NEW, note, at_s=NOW_S)
    assert writer.size == 1
    assert not (writer.directory / DELEGATIONS).exists()
    assert load_vkeys(writer.directory / LOG_VKEY) == (KEY.verifier(writer.origin),)
    writer.append([config()])
    writer.publish()
    writer.abandon()
    open_note((writer.directory / "log/checkpoint").read_bytes(), [KEY.verifier(writer.origin)])


def _judge(directory: Path) -> list[str]:
    """Hold every note against the chain from the first key alone, and give the kinds of the entries."""
    origin = f"{IDENTITY.signer}/{directory.name}"
    keys = epoch_keys(origin, roots=[ROOT], delegations=load_delegations(directory / DELEGATIONS))
    trusted: list[VerifierKey] = [each.key for each in keys]
    kinds: list[str] = []
    for frame in frames(directory):
        open_note(frame.note, trusted)
        kinds += [kind_of(parse_entry(entry)) for entry in decode_entries(frame.payload, frame.count)]
    checkpoint = open_note((directory / "log/checkpoint").read_bytes(), trusted)
    assert parse_checkpoint(checkpoint.text).size == len(kinds)
    return kinds


def _restart(root: Path, key: SigningKey, delegations: list[bytes]) -> LogWriter:
    writer, lock = start_log(
        root,
        identity=IDENTITY,
        key=key,
        delegations=delegations,
        durability="fsync",
        program="1",
        clock=clock,
        segment_bytes=SEGMENT,
    )
    lock.release()
    return writer


@pytest.mark.slow
@pytest.mark.parametrize("torn", [True, False])
def test_a_log_whose_process_ends_within_a_rotation_recovers_and_follows_from_its_first_key(
    tmp_path: Path, *, torn: bool
) -> None:
    """The ring has kept the delegation before the log begins, so the next process has the new key."""
    rotated: set[bool] = set()
    for at in count(1):
        root = tmp_path / str(at)
        writer = open_log(root)
        writer.append([config()])
        writer.publish()
        note = delegate(KEY, NEW)
        crashes = Crashes(at, torn=torn)
        try:
            with crashes.armed():
                writer.rotate(NEW, note, at_s=NOW_S + 1)
                writer.publish()
        except Crash:
            pass
        writer.abandon()
        following = _restart(root, NEW, [note])
        following.append([close_to_entry(at_s=NOW_S + 9, reason="shutdown")])
        following.close()
        kinds = _judge(writer.directory)
        assert kinds[:2] == ["genesis", "config"]
        assert kinds[-2:] == ["recovered", "close"]
        rotated.add("rotation" in kinds)
        assert _judge(following.directory) == ["genesis", "close"]
        if crashes.calls < at:
            break
    assert at > 12
    assert rotated == {True, False}


def test_the_frame_of_a_rotation_may_be_missing_or_the_last(tmp_path: Path) -> None:
    for whole in (True, False):
        root = tmp_path / str(whole)
        writer = open_log(root)
        writer.append([config()])
        writer.sync()
        note = delegate(KEY, NEW)
        writer.rotate(NEW, note, at_s=NOW_S + 1)
        writer.sync()
        writer.abandon()
        if not whole:
            last = frames(writer.directory)[-1]
            segment = list_segments(writer.directory / WAL)[-1]
            segment.write_bytes(segment.read_bytes()[: last.end - 7])
        _restart(root, NEW, [note]).abandon()
        expected = ["genesis", "config", *(["rotation"] if whole else []), "recovered", "close"]
        assert _judge(writer.directory) == expected


def test_a_list_beside_a_log_that_cannot_be_read_is_said_at_the_start(tmp_path: Path) -> None:
    writer = open_log(tmp_path)
    writer.abandon()
    (writer.directory / DELEGATIONS).write_bytes(b"nonsense\n")
    with pytest.raises((MalformedError, LedgerError), match="delegations: line 1"):
        _restart(tmp_path, NEW, [delegate(KEY, NEW)])


def test_a_new_log_has_its_delegations_from_its_birth(tmp_path: Path) -> None:
    note = delegate(KEY, NEW)
    writer = _restart(tmp_path, NEW, [note])
    assert load_delegations(writer.directory / DELEGATIONS) == (note,)
    assert load_vkeys(writer.directory / LOG_VKEY) == (NEW.verifier(writer.origin),)
    writer.abandon()
