import ctypes
import errno
import os
import shutil
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, NOW_S, SEGMENT, clock, config, open_log, small_log, write_log

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.disk import sync_file_system
from extproc.ledger.entries import close_to_entry, recovered_to_entry
from extproc.ledger.incarnation import start_log
from extproc.ledger.log import LogWriter
from extproc.ledger.readback import LogReader
from extproc.ledger.wal import MAGIC, BadFrameError, decode_frame, encode_frame, next_good_frame, read_frames
from extproc.notes.keys import generate_key

TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))


def _segment(log: Path) -> Path:
    return max((log / "wal").iterdir())


def _genesis(root: Path) -> pb.Genesis:
    return list(read_records(root, kinds=frozenset({"genesis"})))[-1].entry.genesis


def test_a_log_that_just_stopped_is_recovered_and_closed(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    assert _segment(log).stat().st_size > SEGMENT
    open_log(tmp_path).abandon()
    kinds = [record.kind for record in read_records(log)]
    assert kinds[-2:] == ["recovered", "close"]
    genesis = _genesis(tmp_path)
    assert (genesis.previous.state, genesis.previous.size) == ("recovered", 9)
    result = verify(tmp_path, TRUST)
    assert (result.worst, [each.closed for each in result.logs]) == (None, [True, False])


def test_a_log_that_was_closed_is_left_alone(tmp_path: Path) -> None:
    log = small_log(tmp_path)
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
    open_log(tmp_path).abandon()
    assert {path: path.read_bytes() for path in log.rglob("*") if path.is_file()} == before
    assert _genesis(tmp_path).previous.state == "closed"


def test_a_close_that_was_not_published_in_time_counts(tmp_path: Path) -> None:
    log = small_log(tmp_path)
    (log / "log" / "checkpoint").unlink()
    open_log(tmp_path).abandon()
    assert (_genesis(tmp_path).previous.state, _genesis(tmp_path).previous.size) == ("closed", 8)
    assert verify(tmp_path, TRUST).worst is None


def test_tiles_that_a_crash_damaged_are_made_again(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    for path in (log / "log").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    open_log(tmp_path).abandon()
    assert verify(tmp_path, TRUST).worst is None


@pytest.mark.slow
def test_a_torn_write_is_cut_at_whatever_byte_it_ends(tmp_path: Path) -> None:
    made = tmp_path / "made"
    writer = open_log(made)
    writer.append([config()])
    writer.publish()
    writer.publish()
    writer.append([close_to_entry(at_s=NOW_S, reason="never released")])
    writer.abandon()
    segment = _segment(writer.directory)
    data = segment.read_bytes()
    frames = list(read_frames(data))
    last = frames[-1]
    for length in range(last.end - last.offset):
        torn = data[: last.offset + length] + bytes(len(data) - last.offset - length)
        segment.write_bytes(torn)
        found = LogReader(writer.directory, writer.origin, [KEY.verifier(writer.origin)]).scan()
        assert (found.size, found.offset) == (2, last.offset)
        assert found.cut == len(torn[last.offset :].rstrip(b"\x00"))
        if length % 30:
            continue
        root = tmp_path / str(length)
        shutil.copytree(made, root)
        assert verify(root, TRUST).worst is (Category.INCOMPLETE if length else None)
        open_log(root).abandon()
        (recovered,) = [each.entry.recovered for each in read_records(root, kinds=frozenset({"recovered"}))]
        assert (recovered.size, recovered.cut) == (2, found.cut)
        assert verify(root, TRUST).worst is None


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _expect_quarantine(root: Path, log: Path, reason: str) -> None:
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
    open_log(root).abandon()
    mark = log / "QUARANTINED"
    assert reason in mark.read_text()
    mark.unlink()
    assert {path: path.read_bytes() for path in log.rglob("*") if path.is_file()} == before
    assert _genesis(root).previous.state == "quarantined"
    assert reason in _genesis(root).previous.reason
    assert verify(root, TRUST).worst is Category.INTEGRITY


def test_a_bad_frame_before_a_good_one_is_kept_as_evidence(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    frames = list(read_frames(_segment(log).read_bytes()))
    _flip(_segment(log), frames[1].offset + 40)
    _expect_quarantine(tmp_path, log, "good frames follow")
    assert _genesis(tmp_path).previous.size == 1


def test_a_torn_write_below_the_published_size_is_corruption(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    frames = list(read_frames(_segment(log).read_bytes()))
    _flip(_segment(log), frames[-1].offset + 40)
    _expect_quarantine(tmp_path, log, "expected the 7 entries")


def _filler(size: int) -> bytes:
    return recovered_to_entry(at_s=NOW_S, size=0, segment="x" * size, offset=0, cut=0)


def _big(root: Path) -> Path:
    """A log of several segments that just stopped."""
    return write_log(root, [_filler(30_000) for _ in range(6)], close=False)


def test_segments_that_are_missing_or_renamed_are_corruption(tmp_path: Path) -> None:
    log = _big(tmp_path)
    _, second, *_ = sorted((log / "wal").iterdir())
    second.rename(second.with_name("0000000000000099.wal"))
    _expect_quarantine(tmp_path, log, f"expected {second.name}")


def test_a_bad_end_of_a_segment_before_another_is_corruption(tmp_path: Path) -> None:
    log = _big(tmp_path)
    first = min((log / "wal").iterdir())
    _flip(first, list(read_frames(first.read_bytes()))[-1].offset + 10)
    _expect_quarantine(tmp_path, log, "good frames follow")


def test_a_log_without_frames_is_corruption(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    _segment(log).write_bytes(b"")
    (log / "log" / "checkpoint").unlink()
    _expect_quarantine(tmp_path, log, "no good frame")


@pytest.mark.parametrize(
    ("first", "entry", "note", "reason"),
    [
        (8, b"\x00\x00", b"", "expected entry 7"),
        (7, b"\x00\x01", b"x\n", "ends inside"),
        (7, b"\x00\x00", b"x\n", "note"),
    ],
)
def test_frames_that_are_whole_but_wrong_are_corruption(
    tmp_path: Path, first: int, entry: bytes, note: bytes, reason: str
) -> None:
    log = small_log(tmp_path, close=False)
    data = _segment(log).read_bytes()
    end = list(read_frames(data))[-1].end
    frame = encode_frame(first, [entry], note)
    _segment(log).write_bytes(data[:end] + frame)
    if reason == "note":
        reason = "expected a text"
    _expect_quarantine(tmp_path, log, reason)


def test_another_tree_under_the_same_key_is_corruption(tmp_path: Path) -> None:
    log = small_log(tmp_path / "one", close=False)
    other = small_log(tmp_path / "two", 3, close=False)
    _segment(log).write_bytes(_segment(other).read_bytes())
    _expect_quarantine(tmp_path / "one", log, "as its note states")


def test_a_published_tree_that_the_frames_do_not_give_is_corruption(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    origin = f"{IDENTITY.signer}/{log.name}"
    forged = LogWriter(tmp_path / "forged", origin=origin, key=KEY, segment_bytes=SEGMENT)
    (tmp_path / "forged" / "wal").mkdir(parents=True)
    forged.append([b"other"] * 7)
    forged.publish()
    forged.abandon()
    shutil.copy(tmp_path / "forged" / "log" / "checkpoint", log / "log" / "checkpoint")
    shutil.rmtree(tmp_path / "forged")
    _expect_quarantine(tmp_path, log, "as published")


def test_a_new_key_takes_an_old_log_over_by_name(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    key = generate_key()
    open_log(tmp_path, key).abandon()
    assert len((log / "log.vkey").read_text().splitlines()) == 2
    both = Trust(keys=(*TRUST.keys, key.verifier(IDENTITY.signer)))
    assert verify(tmp_path, both).worst is None
    assert verify(tmp_path, TRUST).worst is Category.TRUST
    assert verify(tmp_path, Trust()).worst is None


def test_a_log_whose_key_list_is_gone_is_recovered_by_the_same_key(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    (log / "log.vkey").unlink()
    open_log(tmp_path).abandon()
    assert verify(tmp_path, TRUST).worst is None


def test_a_birth_that_fails_leaves_no_log_and_no_lock(tmp_path: Path) -> None:
    def broken() -> float:
        raise OSError(28, "No space left on device")

    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            start_log(tmp_path, identity=IDENTITY, key=KEY, durability="fsync", program="1", clock=broken)
    assert not list((tmp_path / "node-1" / "w0").glob("0*"))
    _, lock = start_log(tmp_path, identity=IDENTITY, key=KEY, durability="fsync", program="1", clock=clock)
    lock.release()


def test_frames_that_end_too_early_are_named() -> None:
    frame = encode_frame(0, [b"\x00\x00"], b"note\n")
    assert decode_frame(frame, 0).note == b"note\n"
    for cut, reason in ((3, "expected b'SWF1'"), (20, "inside a frame's header"), (30, "inside a frame")):
        with pytest.raises(BadFrameError, match=reason):
            decode_frame(frame[:cut], 0)


def test_a_magic_word_is_not_yet_a_frame() -> None:
    frame = encode_frame(0, [b"\x00\x00"], b"note\n")
    found = next_good_frame(b"torn" + MAGIC + b"torn" + frame, 0)
    assert found is not None
    assert found.offset == 12


def test_a_file_system_that_does_not_flush_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def syncfs(self, _: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", Failing)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_file_system(tmp_path)
