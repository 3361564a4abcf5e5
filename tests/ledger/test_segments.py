"""Segments: turning from one to the next, and the one that is made ahead of need."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from ledger.ledgers import TRUST, open_ledger
from ledger.world import IDENTITY, config, open_log, write_log

from extproc.audit.verify import verify
from extproc.ledger.disk import allocate
from extproc.ledger.entries import recovered_to_entry
from extproc.ledger.segments import AHEAD, SegmentAhead, SegmentWriter
from extproc.ledger.wal import encode_frame, list_segments, read_frames, used_bytes

_FRAME = encode_frame(0, [b"\x00\x01x" * 100], b"note\n")


def _filler(size: int) -> bytes:
    return recovered_to_entry(at_s=1, size=0, segment="x" * size, offset=0, cut=0)


@pytest.fixture
def wal(tmp_path: Path) -> Path:
    made = tmp_path / "wal"
    made.mkdir()
    return made


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that made a segment, in order."""
    names: list[str] = []

    def note_and_allocate(descriptor: int, start: int, end: int) -> None:
        names.append(threading.current_thread().name)
        allocate(descriptor, start, end)

    monkeypatch.setattr("extproc.ledger.segments.allocate", note_and_allocate)
    return names


def test_the_next_segment_is_made_before_it_is_needed(wal: Path, makers: list[str]) -> None:
    writer = SegmentWriter(wal, 2000)
    for first in range(40):
        writer.write(first, _FRAME)
        writer.sync()
    # Only the first was made while somebody waited.
    assert len(list_segments(wal)) > 5
    assert makers[0] == threading.current_thread().name
    assert set(makers[1:]) == {"ledger-segment"}
    writer.close()
    assert not (wal.parent / AHEAD).exists()
    frames = [frame for path in list_segments(wal) for frame in read_frames(path.read_bytes())]
    assert len(frames) == 40
    # What is done is cut to its frames.
    assert all(path.stat().st_size == used_bytes(path.read_bytes()) for path in list_segments(wal))


def test_the_segments_of_a_log_grow_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.ledger.segments._FIRST_BYTES", 4000)
    wal = tmp_path / "wal"
    wal.mkdir()
    segment = wal / f"{0:016}.wal"
    segment.touch()
    writer = SegmentWriter(wal, 100_000)
    writer.resume(segment, 0, 0)
    sizes = []
    for first in range(500):
        writer.write(first, _FRAME)
        sizes.append(list_segments(wal)[-1].stat().st_size)
    writer.abandon()
    assert sorted(set(sizes)) == [4000, 16_000, 64_000, 100_000]


def test_what_is_written_next_lies_in_zeros_that_the_disk_has(wal: Path) -> None:
    writer = SegmentWriter(wal, 1 << 21)
    writer.write(0, _FRAME)
    (segment,) = list_segments(wal)
    assert segment.stat().st_size == 1 << 21
    assert segment.stat().st_blocks * 512 >= 1 << 21
    assert used_bytes(segment.read_bytes()) == len(_FRAME)
    writer.abandon()


def test_a_frame_larger_than_a_segment_has_one_of_its_own(wal: Path, makers: list[str]) -> None:
    writer = SegmentWriter(wal, 100)
    for first in range(4):
        writer.write(first, _FRAME)
    writer.close()
    assert [path.stat().st_size for path in list_segments(wal)] == [len(_FRAME)] * 4
    assert threading.current_thread().name in makers[1:]  # what was made ahead had to grow


def test_room_that_cannot_be_made_ahead_is_asked_for_again_at_the_turn(
    wal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = os.posix_fallocate

    def refuse_ahead(descriptor: int, offset: int, length: int) -> None:
        if threading.current_thread().name == "ledger-segment":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(descriptor, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", refuse_ahead)
    writer = SegmentWriter(wal, 1000)
    for first in range(9):
        writer.write(first, _FRAME)
    assert len(list_segments(wal)) == 3
    writer.abandon()
    assert not (wal.parent / AHEAD).exists()


def test_a_segment_that_nobody_took_is_removed(tmp_path: Path) -> None:
    ahead = SegmentAhead(tmp_path / AHEAD)
    ahead.begin(1000)
    ahead.begin(1000)
    ahead.drop()
    ahead.drop()
    assert not list(tmp_path.iterdir())
    assert ahead.take(tmp_path / "taken") is None


def test_one_that_a_killed_process_left_is_no_part_of_the_log(tmp_path: Path) -> None:
    log = write_log(tmp_path, [config()], close=False)
    (log / AHEAD).write_bytes(bytes(1 << 16))
    # A log as its process left it verifies, and recovery removes what was never used.
    assert verify(tmp_path, TRUST).worst is None
    open_log(tmp_path).abandon()
    assert not (log / AHEAD).exists()
    assert verify(tmp_path, TRUST).worst is None


def test_a_segment_that_got_its_name_and_no_frame_is_the_end(tmp_path: Path) -> None:
    log = write_log(tmp_path, [config()] * 3, close=False)
    (log / "wal" / f"{4:016}.wal").write_bytes(bytes(1 << 16))
    assert verify(tmp_path, TRUST).worst is None
    open_log(tmp_path).abandon()
    result = verify(tmp_path, TRUST)
    assert (result.worst, [each.closed for each in result.logs]) == (None, [True, False])
    assert result.logs[0].size == 6


async def test_turns_under_load_end_in_a_sound_log(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path, segment_bytes=1 << 14)
    for _ in range(40):
        await asyncio.gather(*(ledger.commit(_filler(1000)) for _ in range(5)))
    await ledger.close()
    assert len(list_segments(ledger.directory / "wal")) > 10
    assert ledger.origin.startswith(IDENTITY.signer)
    assert verify(ledger.directory, TRUST).worst is None
