"""The root log: what a witness has cosigned goes in once, and a crash forgets none of it."""

import asyncio
from pathlib import Path

import pytest
from witness.world import ORIGIN, Bench, MemoryLog, bench

from extproc.ledger.commit import Ledger
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.errors import LedgerPoisonedError
from extproc.ledger.housekeeping import Head, head_from_entry
from extproc.ledger.incarnation import LogIdentity
from extproc.ledger.proofs import TileTree
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path
from extproc.notes.keys import generate_key
from extproc.notes.note import open_note
from extproc.witness.heads import check_heads, compare_heads
from extproc.witness.request import parse_head
from extproc.witness.rootlog import WORKER, RootLog

pytestmark = pytest.mark.slow

LOG = MemoryLog()
ROOT = LOG.key.verifier("acme/prod")
KEY = generate_key()
IDENTITY = LogIdentity(org="acme", env="prod", region="eu", node="witness-1", worker=WORKER)


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "state.sqlite", ROOT)


async def open_root(folder: Path) -> Ledger:
    return await Ledger.open(folder / "root", identity=IDENTITY, key=KEY)


def heads_in(log: Path) -> list[tuple[int, Head]]:
    """The Head entries of a published log of fewer than 256 entries."""
    head = parse_head(
        open_note((log / "log" / CHECKPOINT).read_bytes(), [KEY.verifier(IDENTITY.origin(log.name))]).text
    )
    assert head.size < TILE_WIDTH
    data = (log / "log" / format_tile_path(Tile(level=None, index=0, width=head.size))).read_bytes()
    entries = [(index, parse_entry(each)) for index, each in enumerate(decode_entries(data, head.size))]
    return [(index, head_from_entry(entry)) for index, entry in entries if kind_of(entry) == "head"]


async def test_the_latest_of_each_log_goes_in_once(made: Bench, tmp_path: Path) -> None:
    other = MemoryLog(key=LOG.key, origin="acme/prod/us/a")
    ledger = await open_root(tmp_path)
    root = RootLog(ledger, made.state, witness=made.key.verifier)
    assert await root.take_up() == 0
    for old, new in ((0, 3), (3, 5), (5, 9)):
        made.witness.add_checkpoint(LOG.request(old, new))
    made.witness.add_checkpoint(other.request(0, 4))
    assert await root.take_up() == 2
    assert await root.take_up() == 0
    made.witness.add_checkpoint(LOG.request(9, 9))
    assert await root.take_up() == 0, "the same size again says nothing new"
    made.witness.add_checkpoint(LOG.request(9, 12))
    assert await root.take_up() == 1
    await ledger.close()
    report = check_heads(heads_in(ledger.directory))
    assert report.findings == []
    assert {origin: [each.checkpoint.size for each in seen] for origin, seen in report.heads.items()} == {
        ORIGIN: [9, 12],
        other.origin: [4],
    }
    # SPEC of the entry: the signatures of the log's own keys alone.
    assert report.heads[ORIGIN][-1].note == LOG.checkpoint(12)
    assert compare_heads(report.heads[ORIGIN], size=12, root_at=lambda size: LOG.head(size).root) == ()


async def test_a_crash_forgets_no_checkpoint(made: Bench, tmp_path: Path) -> None:
    made.witness.add_checkpoint(LOG.request(0, 3))
    first = await open_root(tmp_path)
    root = RootLog(first, made.state, witness=made.key.verifier)
    await root.take_up()
    made.witness.add_checkpoint(LOG.request(3, 7))
    # The process ends before the root log has it; the state has.
    await first.close()
    second = await open_root(tmp_path)
    again = RootLog(second, made.state, witness=made.key.verifier)
    assert await again.take_up() == 1
    await second.close()
    assert [head.checkpoint for _, head in heads_in(second.directory)] == [LOG.checkpoint(7)]


async def test_a_task_takes_up_and_ends_with_the_last(made: Bench, tmp_path: Path) -> None:
    ledger = await open_root(tmp_path)
    root = RootLog(ledger, made.state, witness=made.key.verifier, interval_s=0.01)
    root.start()
    root.start()
    made.witness.add_checkpoint(LOG.request(0, 3))
    async with asyncio.timeout(10):
        while made.state.unrooted():  # noqa: ASYNC110 - the task does it
            await asyncio.sleep(0.01)
    made.witness.add_checkpoint(LOG.request(3, 4))
    await root.stop()
    assert made.state.unrooted() == []
    await ledger.close()
    assert [head.checkpoint for _, head in heads_in(ledger.directory)][-1] == LOG.checkpoint(4)
    tree = TileTree(lambda name: (ledger.directory / "log" / name).read_bytes(), ledger.size)
    head = parse_head((ledger.directory / "log" / CHECKPOINT).read_text().partition("\n\n")[0] + "\n")
    assert tree.root() == head.root


async def test_a_root_log_that_fails_says_so(made: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_root(tmp_path)
    root = RootLog(ledger, made.state, witness=made.key.verifier, interval_s=0.01)

    async def poisoned(_: bytes) -> int:
        raise LedgerPoisonedError(OSError(28, "No space left on device"))

    monkeypatch.setattr(ledger, "commit", poisoned)
    made.witness.add_checkpoint(LOG.request(0, 3))
    root.start()
    async with asyncio.timeout(10):
        while root.failure is None:  # noqa: ASYNC110 - the task does it
            await asyncio.sleep(0.01)
    await root.stop()
    assert [each.size for each in made.state.unrooted()] == [3], "what it did not take is not called taken"
    monkeypatch.undo()
    await ledger.close()
