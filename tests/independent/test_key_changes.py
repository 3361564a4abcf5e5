"""Changes of keys that are not in order, though every entry is in the tree and every checkpoint is signed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from independent.judges import RejectedError, delegated
from independent.logs import NOW, ORGANISATION, ORIGIN, Keys, Made, delegate, make_log
from independent.programs import run
from ledger.world import IDENTITY, SEGMENT, clock

from extproc.ledger import log
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.housekeeping import KeyRotation
from extproc.ledger.incarnation import start_log
from extproc.ledger.signing import hand_over
from extproc.notes.keys import Signer, generate_key
from extproc.notes.note import Note, format_note, format_vkey, make_signature, parse_note

pytestmark = pytest.mark.slow


def _signed_by(rotation: KeyRotation, *which: int) -> KeyRotation:
    note = parse_note(rotation.checkpoint)
    kept = tuple(note.signatures[each] for each in which)
    return replace(rotation, checkpoint=format_note(Note(text=note.text, signatures=kept)))


def _only_the_old(rotation: KeyRotation, keys: Keys) -> KeyRotation:
    _ = keys
    return _signed_by(rotation, 0)


def _only_the_new(rotation: KeyRotation, keys: Keys) -> KeyRotation:
    _ = keys
    return _signed_by(rotation, 1)


def _over_another_tree(rotation: KeyRotation, keys: Keys) -> KeyRotation:
    _ = rotation
    text = format_checkpoint(Checkpoint(origin=ORIGIN, size=10, root=bytes(32)))
    both = tuple(make_signature(text, key.verifier(ORIGIN), key.sign) for key in (keys.first, keys.second))
    return replace(rotation, checkpoint=format_note(Note(text=text, signatures=both)))


def _another_delegation(rotation: KeyRotation, keys: Keys) -> KeyRotation:
    """A delegation that the old key gave to the same key, and that is not beside the log."""
    given = delegate(keys.first.verifier(IDENTITY.signer), keys.first, keys.second, from_s=NOW - 1)
    return replace(rotation, delegation=given)


_CHANGES: dict[str, Callable[[KeyRotation, Keys], KeyRotation]] = {
    "only the old key has signed": _only_the_old,
    "only the new key has signed": _only_the_new,
    "the tree before it is another": _over_another_tree,
    "the delegation is another": _another_delegation,
}


def _make(root: Path, keys: Keys, change: Callable[[KeyRotation, Keys], KeyRotation]) -> Made:
    """Make a log whose entry KeyRotation is changed before it is written."""

    def hand_over_wrongly(checkpoint: Checkpoint, *, old: Signer, new: Signer, delegation: bytes) -> KeyRotation:
        return change(hand_over(checkpoint, old=old, new=new, delegation=delegation), keys)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "hand_over", hand_over_wrongly)
        return make_log(root, 20, keys)


@pytest.mark.parametrize("what", _CHANGES)
def test_a_change_of_keys_that_is_not_in_order_is_rejected(
    tmp_path: Path, programs: Path, keys: Keys, what: str
) -> None:
    with pytest.raises(RejectedError, match="entry 10"):
        delegated(_make(tmp_path, keys, _CHANGES[what]), programs)


def test_a_change_of_keys_in_order_is_accepted(tmp_path: Path, programs: Path, keys: Keys) -> None:
    assert delegated(_make(tmp_path, keys, lambda rotation, _: rotation), programs) == 20


def test_a_key_that_came_before_this_log(tmp_path: Path, programs: Path, keys: Keys) -> None:
    """The file has every key from the organisation down; the last of them has signed this log from its beginning."""
    organisation, worker = keys.organisation.verifier(ORGANISATION), keys.first.verifier(IDENTITY.signer)
    notes = (delegate(organisation, keys.organisation, keys.first), delegate(worker, keys.first, keys.second))
    writer, lock = start_log(
        tmp_path,
        identity=IDENTITY,
        key=keys.second,
        delegations=notes,
        durability="fsync",
        program="1",
        clock=clock,
        segment_bytes=SEGMENT,
    )
    writer.publish()
    writer.abandon()
    lock.release()
    vkey = format_vkey(organisation)
    assert run(programs / "delegated", writer.directory, vkey).stdout == "1 0\n"
    # It was not closed, so the next process does that, by a key to which the organisation has delegated meanwhile.
    third = generate_key()
    notes = (*notes[:1], delegate(organisation, keys.organisation, third))
    following, lock = start_log(
        tmp_path,
        identity=IDENTITY,
        key=third,
        delegations=notes,
        durability="fsync",
        program="1",
        clock=clock,
        segment_bytes=SEGMENT,
    )
    following.close()
    following.abandon()
    lock.release()
    for log_of, size in ((writer, 3), (following, 1)):
        done = run(programs / "delegated", log_of.directory, vkey)
        assert (done.stdout, done.stderr) == (f"{size} 0\n", "")


def test_nobody_else_may_delegate(tmp_path: Path, programs: Path, keys: Keys) -> None:
    made = make_log(tmp_path, 20, keys)
    with pytest.raises(RejectedError, match="delegation from line 1"):
        delegated(replace(made, organisation=generate_key().verifier(ORGANISATION)), programs)
