"""A disk that fails, at each place where it can: how it ends, and that the next start makes it good."""

import asyncio
import contextlib
import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from ledger.ledgers import TRUST, gate, open_ledger, published, until
from ledger.world import config

from extproc.audit.show import read_records
from extproc.audit.verify import verify
from extproc.ledger.commit import Durability, Ledger
from extproc.ledger.disk import write_all
from extproc.ledger.entries import recovered_to_entry
from extproc.ledger.errors import LedgerPoisonedError

_FILLER = recovered_to_entry(at_s=1, size=0, segment="x" * 2000, offset=0, cut=0)


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@contextmanager
def _failing(
    monkeypatch: pytest.MonkeyPatch, call: str, code: int, when: Callable[[object], bool] = lambda _: True
) -> Iterator[list[object]]:
    """Let a system call of the ledger's thread fail where `when` says so of its first argument; give those that did."""
    real = getattr(os, call)
    failed: list[object] = []

    def fail(first: object, *args: object, **kwargs: object) -> object:
        if threading.current_thread().name == "ledger" and when(first):
            failed.append(first)
            raise _error(code)
        return real(first, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        yield failed


async def _expect_poison(ledger: Ledger, code: int) -> None:
    await until(lambda: ledger.failure is not None)
    for mode in Durability:
        with pytest.raises(LedgerPoisonedError, match=os.strerror(code)):
            await ledger.commit(config(), durability=mode)
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()


async def _expect_new_incarnation(root: Path, least: int) -> None:
    """Start again: the log of before is closed with at least so many entries, the new one names it, and both verify."""
    await (await open_ledger(root)).close()
    result = verify(root, TRUST)
    assert result.worst is None, result.findings
    before, after = result.logs
    assert before.size >= least
    genesis = list(read_records(root, kinds=frozenset({"genesis"})))[-1].entry.genesis
    assert (genesis.previous.state, genesis.previous.size) == ("recovered", before.size)
    assert after.closed


@pytest.mark.parametrize("mode", [Durability.FSYNC, Durability.PAGE])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_a_turn_without_room_is_final(
    tmp_path: Path, mode: Durability, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await open_ledger(tmp_path, mode, segment_bytes=4096)
    released = 1
    reserve = os.posix_fallocate

    def refuse(descriptor: int, offset: int, length: int) -> None:
        if threading.current_thread().name.startswith("ledger"):
            raise _error(code)
        reserve(descriptor, offset, length)

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        with contextlib.suppress(LedgerPoisonedError):
            while True:
                await ledger.commit(_FILLER)
                released += 1
    await _expect_poison(ledger, code)
    await _expect_new_incarnation(tmp_path, released)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_a_log_that_cannot_be_published_is_final(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await open_ledger(tmp_path)
    with _failing(monkeypatch, "open", code, lambda path: str(path).endswith("/scratch")):
        # A tile becomes full in the second batch, and is written when the disk has its entries: they are released then.
        with gate(monkeypatch) as stands:
            first = ledger.submit(config())
            await stands.reached.wait()
            futures = [ledger.submit(config()) for _ in range(300)]
        assert await asyncio.gather(first, *futures) == list(range(1, 302))
        await until(lambda: ledger.failure is not None)
    assert published(ledger) == 1
    await _expect_poison(ledger, code)
    await _expect_new_incarnation(tmp_path, 302)


@pytest.mark.parametrize("mode", [Durability.FSYNC, Durability.PAGE])
async def test_a_failed_flush_is_never_tried_again(
    tmp_path: Path, mode: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await open_ledger(tmp_path, mode)
    assert await ledger.commit(config(), durability=Durability.FSYNC) == 1
    with _failing(monkeypatch, "fdatasync", errno.EIO) as failed:
        waiting = [ledger.submit(config()) for _ in range(5)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: ledger.failure is not None)
        await _expect_poison(ledger, errno.EIO)
    assert len(failed) == 1
    if mode is Durability.FSYNC:
        assert all(isinstance(result, LedgerPoisonedError) for result in results)
    await _expect_new_incarnation(tmp_path, 2)


async def test_what_could_not_be_flushed_is_written_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await open_ledger(tmp_path)
    with _failing(monkeypatch, "fdatasync", errno.EIO), pytest.raises(LedgerPoisonedError):
        await ledger.commit(config())
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()
    # The kernel may call those pages clean now; so the recovery must not count on a flush of what it has read.
    (segment,) = (ledger.directory / "wal").iterdir()
    data = segment.read_bytes()
    rewritten: list[tuple[int, bytes]] = []
    write = os.pwrite

    def note_and_write(descriptor: int, piece: bytes, offset: int) -> int:
        if os.path.samestat(os.fstat(descriptor), segment.stat()):
            rewritten.append((offset, bytes(piece)))
        return write(descriptor, piece, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", note_and_write)
        await (await open_ledger(tmp_path)).close()
    offset, piece = rewritten[0]
    assert config() in piece
    assert data[offset : offset + len(piece)] == piece
    assert verify(tmp_path, TRUST).worst is None


async def test_a_kernel_that_takes_a_few_bytes_at_a_time_is_fed_until_it_has_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(7)
    write = os.pwrite

    def write_some(descriptor: int, data: memoryview, offset: int) -> int:
        return write(descriptor, data[: random.randint(1, 300)], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write_some)
        ledger = await open_ledger(tmp_path, segment_bytes=4096)
        for first in range(1, 100, 5):
            indices = await asyncio.gather(*(ledger.commit(config()) for _ in range(5)))
            assert indices == list(range(first, first + 5))
        await ledger.close()
    assert verify(tmp_path, TRUST).worst is None


def test_a_write_that_takes_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", lambda *_: 0)
            with pytest.raises(OSError, match="took nothing"):
                write_all(descriptor, b"x", 0)
    finally:
        os.close(descriptor)


@pytest.mark.slow
async def test_signals_that_interrupt_every_call_change_nothing(tmp_path: Path) -> None:
    rung = 0

    def ring(*_: object) -> None:
        nonlocal rung
        rung += 1

    ledger = await open_ledger(tmp_path, segment_bytes=1 << 14)
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for first in range(1, 1001, 5):
            indices = await asyncio.gather(*(ledger.commit(config()) for _ in range(5)))
            assert indices == list(range(first, first + 5))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    await ledger.close()
    assert rung > 10
    assert verify(tmp_path, TRUST).worst is None
