import asyncio
import contextlib
import errno
import os
import subprocess
import threading
from pathlib import Path

import pytest
from ledger.ledgers import TRUST, open_ledger, published, until
from ledger.world import config, decision

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.verify import verify
from extproc.ledger import group as group_module
from extproc.ledger.commit import Durability
from extproc.ledger.entries import decision_to_entry, recovered_to_entry
from extproc.ledger.errors import (
    EntryTooLargeError,
    LedgerClosedError,
    LedgerLockedError,
    LedgerOverflowError,
    LedgerPoisonedError,
)
from extproc.ledger.incarnation import LogIdentity
from extproc.ledger.room import Room
from extproc.notes.errors import MalformedError

_FILLER = recovered_to_entry(at_s=1, size=0, segment="x" * 4000, offset=0, cut=0)
PROMISING = (Durability.FSYNC, Durability.PAGE)


@pytest.mark.parametrize("mode", PROMISING)
async def test_many_waiters_get_the_indices_of_their_entries(tmp_path: Path, mode: Durability) -> None:
    ledger = await open_ledger(tmp_path, mode)
    entries = [config(), *(decision_to_entry(decision(n), sequence=n) for n in range(1, 600))]
    indices = await asyncio.gather(*map(ledger.commit, entries))
    assert indices == list(range(1, 601))
    assert (ledger.size, ledger.waiting, ledger.failure, ledger.mode) == (601, 0, None, mode)
    await ledger.close()
    await ledger.close()
    assert published(ledger) == 602
    stored = [record.entry.SerializeToString(deterministic=True) for record in read_records(tmp_path)]
    assert stored[1:-1] == entries
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, result.undelivered) == (0, 599)
    with pytest.raises(LedgerClosedError):
        await ledger.commit(b"")


@pytest.mark.slow
@pytest.mark.parametrize("mode", Durability)
async def test_what_is_recorded_is_soonpublished(tmp_path: Path, mode: Durability) -> None:
    ledger = await open_ledger(tmp_path, mode)
    await ledger.commit(config())
    await until(lambda: published(ledger) == 2)
    await ledger.commit(config())
    await until(lambda: published(ledger) == 3)
    await ledger.close()
    assert ledger.origin.startswith("acme/test/eu/node-1/w0/000001-")


async def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    with pytest.raises(LedgerLockedError, match=f"process {os.getpid()} holds the lock") as caught:
        await open_ledger(tmp_path)
    assert caught.value.pid == os.getpid()
    await ledger.close()
    (tmp_path / "node-1" / "w0" / "lock").write_text("")
    await (await open_ledger(tmp_path)).close()


async def test_an_entry_that_no_bundle_holds_is_refused(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    with pytest.raises(EntryTooLargeError):
        await ledger.commit(bytes(65_536))
    await ledger.close()


async def test_an_overflow_is_an_error_and_a_recorded_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_ledger(tmp_path, queue_entries=2)
    flushing, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    flush = os.fdatasync

    def wait_and_flush(descriptor: int) -> None:
        loop.call_soon_threadsafe(flushing.set)
        go.wait(10)
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", wait_and_flush)
        tasks = [asyncio.ensure_future(ledger.commit(config()))]
        await flushing.wait()
        tasks += [asyncio.ensure_future(ledger.commit(config())) for _ in range(5)]
        await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, LedgerOverflowError) for result in results] == [False] * 3 + [True] * 3
    # The Gap comes before what waited, so the second and third entries have moved by one.
    assert results[:3] == [1, 3, 4]
    await ledger.close()
    (gap,) = [record.entry.gap for record in read_records(tmp_path, kinds=frozenset({"gap"}))]
    assert (gap.entries, gap.reason) == (3, "overflow")
    assert verify(tmp_path, TRUST).worst is Category.INCOMPLETE


async def test_a_caller_that_gives_up_does_not_take_its_entry_back(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    task = asyncio.ensure_future(ledger.commit(config()))
    await asyncio.sleep(0)
    task.cancel()
    assert await ledger.commit(config()) == 2
    await ledger.close()


async def test_policies_are_kept_by_their_digest(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    digest = ledger.store_policy(b"{}")
    assert ledger.store_policy(b"{}") == digest
    assert (ledger.directory / "policies" / f"{digest}.json").read_bytes() == b"{}"
    await ledger.close()


async def test_a_policy_that_the_disk_refuses_poisons(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    (ledger.directory / "policies").write_text("in the way")
    with pytest.raises(LedgerPoisonedError):
        ledger.store_policy(b"{}")
    with pytest.raises(LedgerPoisonedError):
        await ledger.commit(config())
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()


@pytest.mark.parametrize("mode", PROMISING)
@pytest.mark.parametrize(("call", "code"), [("pwrite", errno.ENOSPC), ("pwrite", errno.EIO), ("fdatasync", errno.EIO)])
async def test_a_failing_disk_is_final(
    tmp_path: Path, mode: Durability, call: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await open_ledger(tmp_path, mode)
    await ledger.commit(config())
    await until(lambda: published(ledger) == 2)
    before = (ledger.directory / "log" / "checkpoint").read_bytes()

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        given_up = asyncio.ensure_future(ledger.commit(config()))
        await asyncio.sleep(0)
        given_up.cancel()
        results = await asyncio.gather(*(ledger.commit(config()) for _ in range(20)), return_exceptions=True)
        await until(lambda: ledger.failure is not None)
    poisoned = [result for result in results if isinstance(result, LedgerPoisonedError)]
    # In page mode a batch may be released before the flush fails: that is what the mode promises.
    assert len(poisoned) == 20 or (mode is Durability.PAGE and call == "fdatasync")
    # The disk is well again, but nothing is tried again.
    with pytest.raises(LedgerPoisonedError, match=os.strerror(code)) as caught:
        await ledger.commit(config())
    assert isinstance(caught.value.cause, OSError)
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()
    assert (ledger.directory / "log" / "checkpoint").read_bytes() == before
    # A new process takes over, and all that was released is there.
    await (await open_ledger(tmp_path, mode)).close()
    assert verify(tmp_path, TRUST).worst is None


@pytest.mark.slow
def test_a_full_disk_is_final_and_loses_nothing_that_was_released(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root and a kernel that lets it")

    async def fill() -> list[int]:
        ledger = await open_ledger(disk, room=Room(low_bytes=0, full_bytes=0))
        released: list[int] = []
        with contextlib.suppress(LedgerPoisonedError):
            while True:
                released.append(await ledger.commit(_FILLER) or 0)
        with pytest.raises(LedgerPoisonedError, match="No space left"):
            await ledger.close()
        return released

    try:
        released = asyncio.run(fill())
        assert released
        (log,) = (disk / "node-1" / "w0").glob("0*")
        found = verify(log, TRUST).logs[0].size
        assert found > released[-1]
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S607


async def test_a_loop_that_is_gone_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_module, "PUBLISH_S", 0.0)
    ledger = await open_ledger(tmp_path)

    def gone(*_: object) -> None:
        raise RuntimeError("Event loop is closed")

    with monkeypatch.context() as patch:
        patch.setattr(ledger._loop, "call_soon_threadsafe", gone)
        task = asyncio.ensure_future(ledger.commit(config()))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while ledger._writer.published < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    task.cancel()
    await ledger.close()


@pytest.mark.parametrize("word", ["", "a/b", "..", "a b", "a" * 64, "ä"])
def test_names_are_checked_before_they_become_paths(word: str) -> None:
    with pytest.raises(MalformedError, match="worker"):
        LogIdentity(org="a", env="a", region="a", node="a", worker=word)
