"""A process that ends between any two calls that change the disk."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHANGING = ("open", "fsync", "replace", "unlink")


class Crash(BaseException):
    """The process is gone: no error that somebody might catch."""


class Crashes:
    """Ends the process before the `at`th call that changes the disk; `torn` also loses what was not flushed yet."""

    def __init__(self, at: int, *, torn: bool) -> None:
        self.calls = 0
        self._at = at
        self._torn = torn

    @contextmanager
    def armed(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in CHANGING:
                patch.setattr(os, name, self._wrap(name, getattr(os, name)))
            patch.setattr(io, "open", self._wrap("io.open", io.open))
            yield

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the real one takes
            if name == "open" and not args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                return real(*args, **kwargs)
            if name == "io.open" and args[1] in {"r", "rb"}:
                return real(*args, **kwargs)
            self.calls += 1
            if self.calls == self._at:
                if name == "fsync" and self._torn:
                    path = Path(f"/proc/self/fd/{args[0]}").resolve()
                    if path.is_file():
                        os.truncate(path, path.stat().st_size // 2)
                raise Crash
            return real(*args, **kwargs)

        return call
