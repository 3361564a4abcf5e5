"""Each entry has its own mode, and one batch may hold all three."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from ledger.ledgers import TRUST, gate, open_ledger, until
from ledger.world import config, decision

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.verify import verify
from extproc.ledger import group
from extproc.ledger.commit import Durability
from extproc.ledger.entries import decision_to_entry
from extproc.ledger.errors import LedgerOverflowError


async def test_one_batch_keeps_three_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_ledger(tmp_path)
    with gate(monkeypatch) as first:
        opening = ledger.submit(config())
        await first.reached.wait()
        # These three queue behind the flush, so they are one batch.
        observed = ledger.submit(config(), durability=Durability.OBSERVE)
        paged = ledger.submit(config(), durability=Durability.PAGE)
        synced = ledger.submit(config(), durability=Durability.FSYNC)
        assert observed.done()
        assert await observed is None
        assert not paged.done()
        with gate(monkeypatch) as second:
            first.open()
            assert await opening == 1
            # The flush of the batch stands still: who waits for the kernel alone is through, who waits for it is not.
            assert await asyncio.wait_for(paged, 5) == 3
            await second.reached.wait()
            assert not synced.done()
            second.open()
            assert await synced == 4
    await ledger.close()
    assert verify(tmp_path, TRUST).worst is None


async def test_what_is_paged_reaches_the_disk_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "PUBLISH_S", 60)
    ledger = await open_ledger(tmp_path, Durability.PAGE)
    flushed_at: list[float] = []
    flush = os.fdatasync

    def flush_and_say(descriptor: int) -> None:
        flush(descriptor)
        flushed_at.append(time.monotonic())

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", flush_and_say)
        assert await ledger.commit(config()) == 1
        written_at = time.monotonic()
        assert not flushed_at
        await until(lambda: bool(flushed_at))
    assert flushed_at[0] - written_at < 1  # 50 ms, and what a busy machine adds
    await ledger.close()


async def test_a_flush_for_one_serves_all_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "PAGE_FLUSH_S", 60)
    monkeypatch.setattr(group, "PUBLISH_S", 60)
    ledger = await open_ledger(tmp_path, Durability.PAGE)
    await ledger.commit(config())
    await until(lambda: ledger._group._flush_due is not None)
    await ledger.commit(config(), durability=Durability.FSYNC)
    await until(lambda: ledger._group._flush_due is None)
    await ledger.close()


async def test_an_observed_overflow_is_released_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_ledger(tmp_path, Durability.OBSERVE, queue_entries=1)
    with gate(monkeypatch) as stands:
        before = ledger.submit(config(), durability=Durability.FSYNC)
        await stands.reached.wait()
        futures = [ledger.submit(decision_to_entry(decision(n), sequence=n)) for n in range(1, 5)]
        assert [future.result() for future in futures] == [None] * 4
        with pytest.raises(LedgerOverflowError):
            ledger.submit(config(), durability=Durability.PAGE)
        # What must not wait behind the traffic does not.
        override = ledger.submit(config(), durability=Durability.FSYNC, reserved=True)
        stands.open()
        await asyncio.gather(before, override)
    await ledger.close()
    (gap,) = [record.entry.gap for record in read_records(tmp_path, kinds=frozenset({"gap"}))]
    assert (gap.reason, gap.entries, gap.released) == ("overflow", 4, 3)
    (genesis,) = [record.entry.genesis for record in read_records(tmp_path, kinds=frozenset({"genesis"}))]
    assert genesis.durability == "observe"
    assert len(list(read_records(tmp_path, kinds=frozenset({"decision"})))) == 1
    assert verify(tmp_path, TRUST).worst is Category.INCOMPLETE


async def test_what_is_observed_is_recorded_when_nothing_is_in_the_way(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path, Durability.OBSERVE)
    ledger.submit(config())
    for n in range(1, 600):
        assert await ledger.commit(decision_to_entry(decision(n), sequence=n)) is None
    await ledger.close()
    assert len(list(read_records(tmp_path, kinds=frozenset({"decision"})))) == 599
    assert verify(tmp_path, TRUST).exit_status == 0
