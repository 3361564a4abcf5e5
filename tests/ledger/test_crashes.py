"""A process that ends between any two system calls of writing and of recovery, or in the middle of a write."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ledger.ledgers import TRUST
from ledger.world import IDENTITY, KEY, NOW_S, clock, config, open_log

from extproc.audit.findings import Category
from extproc.audit.show import read_records
from extproc.audit.verify import NoLogError, verify
from extproc.ledger.entries import close_to_entry
from extproc.ledger.incarnation import LOCK, start_log

_CALLS = "pwrite fdatasync fsync ftruncate posix_fallocate open replace rename unlink mkdir rmdir".split()
_SEGMENT = 3000
_STEPS = 7


class Crash(BaseException):
    """The process is gone: no error that somebody might catch."""


class Crashes:
    """Ends the process before its `at`th call, or with `torn` in the middle of its `at`th write."""

    def __init__(self, at: int, *, torn: bool) -> None:
        self.calls = 0
        self._names = ("pwrite",) if torn else _CALLS
        self._at = at
        self._torn = torn

    @property
    def happened(self) -> bool:
        return self.calls >= self._at

    @contextmanager
    def armed(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in self._names:
                patch.setattr(os, name, self._wrap(getattr(os, name)))
            yield

    def _wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the real one takes
            # A segment in the making is a file of its own, and whether it is there is left to chance.
            if threading.current_thread().name == "ledger-segment":
                return real(*args, **kwargs)
            self.calls += 1
            if self.calls == self._at:
                if self._torn:
                    real(args[0], args[1][: len(args[1]) // 2], args[2])
                raise Crash
            return real(*args, **kwargs)

        return call


def _write(root: Path, released: list[int]) -> None:
    """Be a process from its start to its end, over several segments, and say what was released."""
    writer, lock = start_log(
        root, identity=IDENTITY, key=KEY, durability="fsync", program="1", clock=clock, segment_bytes=_SEGMENT
    )
    try:
        for step in range(_STEPS):
            writer.append([config()] * (step + 1))
            writer.sync()
            released.append(writer.size)
            if step % 3 == 1:
                writer.publish()
        writer.append([close_to_entry(at_s=NOW_S, reason="shutdown")])
        writer.close()
    finally:
        writer.abandon()
        lock.release()


def _expect_sound(root: Path, least: int) -> None:
    """The files verify as they lie; after a start they have a whole log with all that was released."""
    # The process is not really gone, so its lock may not be.
    (IDENTITY.directory(root) / LOCK).unlink(missing_ok=True)
    try:
        result = verify(root, TRUST)
    except NoLogError:
        assert not least
    else:
        assert result.worst in (None, Category.INCOMPLETE), result.findings
    open_log(root).abandon()
    result = verify(root, TRUST)
    assert result.worst is None, result.findings
    if least:
        assert len(list(read_records(root, kinds=frozenset({"config"})))) >= least - 1


@pytest.mark.slow
@pytest.mark.parametrize("torn", [False, True])
def test_a_process_may_end_between_any_two_calls(tmp_path: Path, *, torn: bool) -> None:
    at = 0
    while True:
        at += 1
        root = tmp_path / str(at)
        root.mkdir()
        crashes, released = Crashes(at, torn=torn), [0]
        with crashes.armed(), suppress(Crash):
            _write(root, released)
        _expect_sound(root, released[-1])
        if not crashes.happened:
            break
    assert at > (10 if torn else 60)
    assert released[-1] == 1 + sum(range(_STEPS + 1))


@pytest.mark.slow
@pytest.mark.parametrize("torn", [False, True])
def test_a_recovery_may_end_between_any_two_calls(tmp_path: Path, *, torn: bool) -> None:
    at = 0
    while True:
        at += 1
        root = tmp_path / str(at)
        root.mkdir()
        released = [0]
        with Crashes(75, torn=False).armed(), pytest.raises(Crash):
            _write(root, released)
        crashes = Crashes(at, torn=torn)
        with crashes.armed(), suppress(Crash):
            open_log(root).abandon()
        _expect_sound(root, released[-1])
        if not crashes.happened:
            break
    assert at > (3 if torn else 40)
    assert released[-1] > 1
