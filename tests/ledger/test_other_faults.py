"""What happens around a log: a second writer, a clock that is set, an old disk image, a change of keys."""

import shutil
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path

import pytest
from ledger.ledgers import TRUST, open_ledger, published, until
from ledger.world import IDENTITY, KEY, NOW_S, config

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.verify import verify
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.errors import LedgerClosedError, LedgerPoisonedError
from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry
from extproc.notes.errors import NoteError
from extproc.notes.keys import Signer, SigningKey, generate_key
from extproc.notes.note import VerifierKey
from extproc.trust.delegation import Delegation, name_issuer, sign_delegation

_HEARTBEAT = Heartbeat(sequence=0, running_s=1, free_bytes=1)
_OPEN = """
import asyncio, sys
from pathlib import Path
from extproc.ledger.commit import Ledger, LogIdentity
from extproc.ledger.errors import LedgerLockedError
from extproc.notes.keys import generate_key

async def main():
    identity = LogIdentity(org="acme", env="test", region="eu", node="node-1", worker="w0")
    try:
        await Ledger.open(Path(sys.argv[1]), identity=identity, key=generate_key())
    except LedgerLockedError as error:
        print(error.pid)

asyncio.run(main())
"""


def _files(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


def _genesis(root: Path) -> list[pb.Genesis]:
    return [record.entry.genesis for record in read_records(root, kinds=frozenset({"genesis"}))]


@pytest.mark.slow
async def test_another_process_that_would_write_the_same_log_is_refused(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    files = _files(tmp_path)
    second = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [sys.executable, "-c", _OPEN, str(tmp_path)], capture_output=True, check=True, text=True, timeout=60
    )
    pid = (tmp_path / "node-1" / "w0" / "lock").read_text()
    assert second.stdout == pid
    assert _files(tmp_path) == files
    assert await ledger.commit(config()) == 1
    await ledger.close()
    assert verify(tmp_path, TRUST).worst is None


async def test_a_clock_that_is_set_changes_no_order(tmp_path: Path) -> None:
    steps = chain([0.0, 100.0, -5000.0, 70_000.0, -80_000.0], repeat(10.0))
    now_s = NOW_S

    def clock() -> float:
        nonlocal now_s
        now_s += next(steps)
        return now_s

    ledger = await open_ledger(tmp_path, clock=clock)
    indices = [await ledger.commit(heartbeat_to_entry(_HEARTBEAT, at_s=clock())) for _ in range(8)]
    assert indices == list(range(1, 9))
    await ledger.close()
    result = verify(tmp_path, TRUST)
    assert not any(each.category is Category.INTEGRITY for each in result.findings)
    notes = [each.message for each in result.findings if each.category is Category.NOTE]
    assert sum("clock was set back" in note for note in notes) >= 2


async def test_an_old_image_of_the_disk_ends_in_a_sound_new_log(tmp_path: Path) -> None:
    root, image = tmp_path / "root", tmp_path / "image"
    ledger = await open_ledger(root)
    for _ in range(5):
        await ledger.commit(config())
    shutil.copytree(root, image)
    for _ in range(5):
        await ledger.commit(config())
    await ledger.close()
    was = verify(root, TRUST).logs[0]

    # The image comes back, and a new process starts over it.
    shutil.rmtree(root)
    image.rename(root)
    await (await open_ledger(root)).close()
    result = verify(root, TRUST)
    assert result.worst is None, result.findings
    older = result.logs[0]
    assert older.origin == was.origin
    assert older.size == 1 + 5 + 2  # Genesis, what the image had, and its end: Recovered and Close
    previous = _genesis(root)[-1].previous
    assert (previous.state, previous.size, previous.root) == ("recovered", older.size, older.root)
    # Same name, another tree: whoever keeps a checkpoint of what was lost sees it.
    assert (was.size, was.root) != (older.size, older.root)


async def test_two_logs_after_one_image_name_the_same_end(tmp_path: Path) -> None:
    root, image = tmp_path / "root", tmp_path / "image"
    await (await open_ledger(root)).close()
    shutil.copytree(root, image)
    first = await open_ledger(root)
    await first.close()
    second = await open_ledger(image)
    await second.close()
    shutil.copytree(second.directory, root / "node-1" / "w0" / second.directory.name)
    one, two = [genesis.previous for genesis in _genesis(root)[1:]]
    assert first.origin != second.origin
    # What an auditor who has both sees: two logs that go on from one end.
    assert (one.origin, one.size, one.root) == (two.origin, two.size, two.root)


def _delegate(old: SigningKey, new: Signer) -> bytes:
    issuer = old.verifier(IDENTITY.signer)
    return sign_delegation(
        Delegation(
            scope=IDENTITY.signer,
            key=VerifierKey(name=IDENTITY.signer, public=new.public),
            from_s=int(NOW_S),
            until_s=int(NOW_S) + 86_400,
            successors_until_s=int(NOW_S) + 10 * 86_400,
            issuer=name_issuer(issuer),
        ),
        signer=old,
        issuer=issuer,
    )


async def test_a_change_of_keys_is_soon_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.ledger.group.PUBLISH_S", 0.01)
    ledger = await open_ledger(tmp_path)
    new = generate_key()
    assert await ledger.rotate(new, _delegate(KEY, new)) == 1
    await until(lambda: published(ledger) == 2)
    await ledger.close()


async def test_the_key_changes_between_two_batches(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    await ledger.commit(config())
    new = generate_key()
    given_up = ledger.rotate(generate_key(), b"no delegation")
    given_up.cancel()
    with pytest.raises(NoteError):
        await ledger.rotate(new, b"no delegation")
    assert ledger.failure is None
    before = ledger.submit(config())
    index = await ledger.rotate(new, _delegate(KEY, new))
    assert await before == 2
    assert index == 3
    assert await ledger.commit(config()) == 4
    # Somebody who does not wait for a change of keys has it all the same.
    newer = generate_key()
    unawaited = ledger.rotate(newer, _delegate(new, newer))
    unawaited.cancel()
    await until(lambda: ledger.size == 6)
    assert await ledger.commit(config()) == 6
    await ledger.close()
    with pytest.raises(LedgerClosedError):
        ledger.rotate(new, b"")
    kinds = [record.kind for record in read_records(tmp_path)]
    assert kinds == ["genesis", "config", "config", "rotation", "config", "rotation", "config", "close"]


async def test_a_rotation_that_waits_is_failed_by_a_poison(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    (ledger.directory / "policies").write_text("in the way")
    with pytest.raises(LedgerPoisonedError):
        ledger.store_policy(b"{}")
    with pytest.raises(LedgerPoisonedError):
        ledger.rotate(KEY, b"")
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()
