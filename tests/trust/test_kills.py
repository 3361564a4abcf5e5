"""A process that changes keys and is killed at any moment leaves logs that follow from the first key alone."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trust.rotator import IDENTITY

from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.housekeeping import rotation_from_entry
from extproc.ledger.incarnation import start_log
from extproc.ledger.log import DELEGATIONS, LOG_VKEY, WAL
from extproc.ledger.tiles import decode_entries
from extproc.ledger.wal import list_segments, read_frames
from extproc.notes.keys import load_vkeys
from extproc.notes.note import VerifierKey, open_note, parse_note
from extproc.trust.chain import epoch_keys
from extproc.trust.delegation import read_delegation
from extproc.trust.delegation_file import load_delegations
from extproc.trust.epochs import KeyRing
from extproc.trust.ring_files import next_of, root_of

KILLS = 12


def _judge(log: Path, root: VerifierKey) -> int:
    """Hold every note against the one key that may have signed it, and give the number of rotations."""
    origin = f"{IDENTITY.signer}/{log.name}"
    epochs = epoch_keys(origin, roots=[root], delegations=load_delegations(log / DELEGATIONS))
    trusted = {each.key.public: each.key for each in epochs}
    frames = [frame for segment in list_segments(log / WAL) for frame in read_frames(segment.read_bytes())]
    signer: VerifierKey | None = None
    rotations = 0
    for frame in frames:
        entries = [parse_entry(entry) for entry in decode_entries(frame.payload, frame.count)]
        kinds = [kind_of(entry) for entry in entries]
        if kinds == ["rotation"]:
            rotation = rotation_from_entry(entries[0])
            new = trusted[read_delegation(rotation.delegation).key.public]
            assert signer is not None
            both = open_note(rotation.checkpoint, [signer, new])
            assert len(both.signatures) == 2
            assert parse_checkpoint(both.text).size == frame.first
            signer = new
            rotations += 1
        elif signer is None or kinds[0] == "recovered":
            # Whichever key the process had: one of the chain, and of those that the log lists.
            (signature,) = parse_note(frame.note).signatures
            signer = next(key for key in trusted.values() if key.key_id == signature.key_id)
        open_note(frame.note, [signer])
    listed = {key.public for key in load_vkeys(log / LOG_VKEY)}
    assert listed <= set(trusted)
    return rotations


@pytest.mark.slow
def test_a_process_that_is_killed_while_keys_change(tmp_path: Path) -> None:
    chance = random.Random(4)
    recorded: list[str] = []
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("rotator.py"), tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        recorded.append(process.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        recorded += process.stdout.read().split()
        process.stdout.close()
        assert process.wait() == -9
    now_s = time.time()
    ring = KeyRing(tmp_path / "keys" / "log.pem", scope=IDENTITY.signer, now_s=now_s)
    # The last log is settled as the next start would settle it.
    writer, lock = start_log(
        tmp_path / "logs",
        identity=IDENTITY,
        key=ring.key,
        delegations=ring.delegations,
        durability="fsync",
        program="1",
        clock=time.time,
        segment_bytes=1 << 16,
    )
    writer.abandon()
    lock.release()
    ring.close()
    assert not next_of(ring.path).exists()
    (root,) = load_vkeys(root_of(ring.path))
    logs = sorted(path.parent for path in tmp_path.glob("logs/*/*/*/log.vkey"))
    assert len(logs) == KILLS + 1
    assert not list(tmp_path.glob("logs/*/*/*/QUARANTINED"))
    rotations = sum(_judge(log, root) for log in logs)
    given = [read_delegation(note).key.public.hex() for note in ring.delegations]
    assert [each for each in given if each in set(recorded)] == recorded, "every change that was seen is in the chain"
    assert len(recorded) <= rotations <= len(given)
