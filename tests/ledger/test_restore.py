"""Tiles after a crash: made again where they are not as they must be, and never while the log may be corrupt."""

from pathlib import Path

import pytest
from ledger.ledgers import TRUST
from ledger.world import IDENTITY, KEY, NOW_S, SEGMENT, config, open_log, write_log

from extproc.audit.findings import Category
from extproc.audit.verify import verify
from extproc.ledger import restore
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.entries import close_to_entry, recovered_to_entry
from extproc.ledger.log import LogWriter
from extproc.ledger.readback import LogReader
from extproc.ledger.restore import RESTORED
from extproc.ledger.tiles import Tile, encode_entry
from extproc.ledger.wal import list_segments, read_frames
from extproc.notes.note import sign_note


def _log(root: Path, entries: int = 600) -> Path:
    """A log with two full bundles that just stopped."""
    filler = recovered_to_entry(at_s=NOW_S, size=0, segment="x", offset=0, cut=0)
    return write_log(root, [config(), *([filler] * entries)], close=False)


def _files(log: Path) -> dict[Path, bytes]:
    return {path.relative_to(log): path.read_bytes() for path in log.rglob("*") if path.is_file()}


def _inodes(log: Path) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in (log / "log" / "tile").rglob("*") if path.is_file()}


@pytest.mark.slow
def test_only_what_is_damaged_is_written_again(tmp_path: Path) -> None:
    log = _log(tmp_path)
    whole = _files(log / "log")
    missing, damaged = log / "log/tile/entries/000", log / "log/tile/0/001"
    missing.unlink()
    damaged.write_bytes(b"")
    (log / "log/tile/0/002.p/5").write_bytes(b"an older partial tile, damaged")
    before = _inodes(log)
    open_log(tmp_path).abandon()
    after = _inodes(log)
    assert verify(tmp_path, TRUST).worst is None
    restored = _files(log / "log")
    assert {name: restored[name] for name in whole if ".p" not in str(name) and name.name != "checkpoint"} == {
        name: data for name, data in whole.items() if ".p" not in str(name) and name.name != "checkpoint"
    }
    assert not (log / RESTORED).exists()
    untouched = log / "log/tile/entries/001"
    assert after[untouched] == before[untouched]


@pytest.mark.slow
def test_a_recovery_that_is_killed_leaves_a_published_log_that_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def kill(_: LogWriter) -> None:
        raise KilledError

    log = _log(tmp_path)
    (log / "log/tile/entries/000").unlink()
    (log / RESTORED).mkdir()
    (log / RESTORED / "left").write_text("by a recovery before")
    with monkeypatch.context() as patch:
        patch.setattr(LogWriter, "close", kill)
        with pytest.raises(KilledError):
            open_log(tmp_path)
    # The write-ahead log has its Close, the published log not yet; what is published is whole.
    result = verify(tmp_path, TRUST)
    assert result.worst in (None, Category.INCOMPLETE), result.findings
    open_log(tmp_path).abandon()
    assert verify(tmp_path, TRUST).worst is None


@pytest.mark.slow
def test_a_corrupt_log_gets_no_tile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = _log(tmp_path)
    (log / "log/tile/entries/000").unlink()
    segment = list_segments(log / "wal")[-1]
    data = bytearray(segment.read_bytes())
    data[list(read_frames(bytes(data)))[-2].offset + 40] ^= 1
    segment.write_bytes(data)
    before = _files(log)
    written: list[Path] = []
    take = restore.Restoration.take

    def note_and_take(self: restore.Restoration, tile: Tile, data: bytes) -> None:
        take(self, tile, data)
        written.extend((log / RESTORED).rglob("000"))

    monkeypatch.setattr(restore.Restoration, "take", note_and_take)
    open_log(tmp_path).abandon()
    assert written  # it had been made, beside the log
    (log / "QUARANTINED").unlink()
    assert _files(log) == before


def test_a_checkpoint_where_no_batch_ends_is_not_of_this_log(tmp_path: Path) -> None:
    log = write_log(tmp_path, [config()] * 6, close=False)
    origin = f"{IDENTITY.signer}/{log.name}"
    name = KEY.verifier(origin)
    other = Checkpoint(origin=origin, size=3, root=bytes(32))
    (log / "log" / "checkpoint").write_bytes(sign_note(format_checkpoint(other), name, KEY.sign))
    open_log(tmp_path).abandon()
    assert "expected a frame that ends at entry 3" in (log / "QUARANTINED").read_text()
    assert verify(tmp_path, TRUST).worst is Category.INTEGRITY


def test_one_note_that_lies_is_found_where_it_is(tmp_path: Path) -> None:
    """The last note of a segment lies: the reading starts again and names the first frame that is wrong."""
    log = write_log(tmp_path, [config()] * 6, close=False)
    (log / "log" / "checkpoint").unlink()
    origin = f"{IDENTITY.signer}/{log.name}"
    reader = LogReader(log, origin, [KEY.verifier(origin)])
    found = reader.scan()
    assert (found.size, reader.good.size) == (7, 7)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "wal").mkdir(parents=True)
    other = LogWriter(elsewhere, origin=origin, key=KEY, segment_bytes=SEGMENT)
    other.append([b"\x00"])
    other.append([b"\x00"])
    other.sync()
    other.abandon()
    (segment,) = list_segments(elsewhere / "wal")
    # The first frame of this log, then the second of the other one.
    ours, theirs = list_segments(log / "wal")[0].read_bytes(), segment.read_bytes()
    first = next(iter(read_frames(ours)))
    second = list(read_frames(theirs))[1]
    list_segments(log / "wal")[0].write_bytes(ours[: first.end] + theirs[second.offset : second.end])
    reader = LogReader(log, origin, [KEY.verifier(origin)])
    with pytest.raises(Exception, match=f"byte {first.end}: expected {origin} 2 .* as its note states"):
        reader.scan()
    assert reader.good.size == 1


def test_frames_of_one_entry_are_read_back_together(tmp_path: Path) -> None:
    """More frames than are hashed at once, with and without somebody who takes the tiles."""
    log = tmp_path / "log"
    (log / "wal").mkdir(parents=True)
    writer = LogWriter(log, origin="a/b", key=KEY, segment_bytes=1 << 20)
    entry = close_to_entry(at_s=NOW_S, reason="test")
    for _ in range(1200):
        writer.append([entry])
    writer.sync()
    writer.abandon()
    taken: dict[Tile, bytes] = {}
    found = LogReader(log, "a/b", [KEY.verifier("a/b")], taken.__setitem__).scan()
    assert (found.size, found.tree.root()) == (1200, writer.root())
    assert {tile for tile in taken if tile.level == 0} == {Tile(level=0, index=index) for index in range(4)}
    assert taken[Tile(level=None, index=3)] == encode_entry(entry) * 256
    assert LogReader(log, "a/b", [KEY.verifier("a/b")]).scan().tree.root() == writer.root()
