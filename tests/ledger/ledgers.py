"""Ledgers for tests, and a disk that waits or fails when it is told to."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from ledger.world import IDENTITY, KEY, SEGMENT, clock

from extproc.audit.trust import Trust
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.commit import Durability, Ledger
from extproc.ledger.log import Clock
from extproc.ledger.room import Room
from extproc.notes.note import parse_note

TRUST: Final = Trust(keys=(KEY.verifier(IDENTITY.signer),))


async def open_ledger(  # noqa: PLR0913 - what a test wants to choose, each by name
    root: Path,
    mode: Durability = Durability.FSYNC,
    *,
    segment_bytes: int = SEGMENT,
    queue_entries: int = 1000,
    room: Room | None = None,
    clock: Clock = clock,
) -> Ledger:
    return await Ledger.open(
        root,
        identity=IDENTITY,
        key=KEY,
        mode=mode,
        clock=clock,
        program="1",
        segment_bytes=segment_bytes,
        queue_entries=queue_entries,
        room=room,
    )


def published(ledger: Ledger) -> int:
    return parse_checkpoint(parse_note((ledger.directory / "log" / "checkpoint").read_bytes()).text).size


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - files and threads have no events
            await asyncio.sleep(0.005)


class Gate:
    """A flush of the ledger's thread that stands still until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._opened = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._flush = os.fdatasync

    def open(self) -> None:
        self._opened.set()

    def flush(self, descriptor: int) -> None:
        if threading.current_thread().name == "ledger":
            self._loop.call_soon_threadsafe(self.reached.set)
            self._opened.wait(10)
        self._flush(descriptor)


@contextmanager
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Let the next flushes wait; leaving opens the gate."""
    made = Gate()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", made.flush)
        try:
            yield made
        finally:
            made.open()
