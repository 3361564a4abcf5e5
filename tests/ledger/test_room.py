"""What happens while the disk fills up, before it is full."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger.ledgers import TRUST, open_ledger, until
from ledger.world import config

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.verify import verify
from extproc.ledger import group
from extproc.ledger.commit import Durability
from extproc.ledger.errors import LedgerFullError, LedgerPoisonedError
from extproc.ledger.room import Room, RoomState, look_for_room

ROOM = Room(low_bytes=2000, full_bytes=1000)


class Disk:
    """Says how much is free; everything else is real."""

    def __init__(self) -> None:
        self.free = 5000

    def statvfs(self, _: Path) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=self.free // 10, f_frsize=10)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", made.statvfs)
        patch.setattr(group, "ROOM_S", 0.005)
        yield made


@given(low=st.integers(0, 100), full=st.integers(0, 100), free=st.integers(0, 100))
def test_marks_divide_the_disk(low: int, full: int, free: int) -> None:
    if full > low:
        with pytest.raises(ValueError, match="full_bytes <= low_bytes"):
            Room(low_bytes=low, full_bytes=full)
        return
    state = Room(low_bytes=low, full_bytes=full).judge(free)
    assert (state is RoomState.FULL) == (free < full)
    assert (state is RoomState.AMPLE) == (free >= low)


def test_a_real_disk_has_some_room(tmp_path: Path) -> None:
    seen = look_for_room(tmp_path, Room(low_bytes=0, full_bytes=0))
    assert seen.state is RoomState.AMPLE
    assert seen.free_bytes > 0


async def test_a_filling_disk_is_told_of_and_then_refuses(tmp_path: Path, disk: Disk) -> None:
    ledger = await open_ledger(tmp_path, room=ROOM)
    await ledger.commit(config())
    assert (ledger.room.state, ledger.room.free_bytes) == (RoomState.AMPLE, 5000)

    # Low: everything goes on.
    disk.free = 1500
    await until(lambda: ledger.room.state is RoomState.LOW)
    await ledger.commit(config())

    # Full: only what is reserved, and what was lost is counted.
    disk.free = 990
    await until(lambda: ledger.room.state is RoomState.FULL)
    for mode in (Durability.FSYNC, Durability.PAGE):
        with pytest.raises(LedgerFullError, match="below the full mark") as caught:
            ledger.submit(config(), durability=mode)
        assert caught.value.free_bytes == 990
    assert await ledger.commit(config(), durability=Durability.OBSERVE) is None
    index = await ledger.commit(config(), reserved=True)
    assert ledger.failure is None

    # Room again: it goes on by itself.
    disk.free = 5000
    await until(lambda: ledger.room.state is RoomState.AMPLE)
    assert index is not None
    assert await ledger.commit(config()) == index + 1
    await ledger.close()
    kinds = [record.kind for record in read_records(tmp_path)]
    assert kinds == ["genesis", "config", "config", "gap", "config", "config", "close"]
    (gap,) = [record.entry.gap for record in read_records(tmp_path, kinds=frozenset({"gap"}))]
    assert (gap.reason, gap.entries, gap.released) == ("full", 3, 1)
    assert verify(tmp_path, TRUST).worst is Category.INCOMPLETE


async def test_a_disk_that_is_full_at_the_start_lets_a_log_begin_and_end(tmp_path: Path, disk: Disk) -> None:
    disk.free = 500
    ledger = await open_ledger(tmp_path, room=ROOM)
    assert ledger.room.state is RoomState.FULL
    with pytest.raises(LedgerFullError):
        await ledger.commit(config())
    await ledger.close()
    assert [record.kind for record in read_records(tmp_path)] == ["genesis", "gap", "close"]


async def test_a_turn_of_segments_is_a_reason_to_look(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "ROOM_S", 60)
    ledger = await open_ledger(tmp_path, room=ROOM, segment_bytes=4096)
    disk.free = 1500
    while ledger.room.state is RoomState.AMPLE:
        await ledger.commit(config())
    assert ledger._writer.segments > 0
    await ledger.close()


async def test_a_disk_that_is_gone_poisons(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_ledger(tmp_path, room=ROOM)

    def gone(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "statvfs", gone)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", gone)
        await until(lambda: ledger.failure is not None)
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()
