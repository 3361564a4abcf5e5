"""A cell as a real process, for tests and measurements: started, waited for, and stopped by whoever started it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProcess:
    """A running cell. Its event log is read with `next_event`, so that a test waits for events and not for time."""

    process: subprocess.Popen[str]
    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the base URL, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    def next_event(self, name: str) -> dict[str, Any]:
        """Return the next event of that name, waiting for it; RuntimeError if the cell ends first."""
        return _next_event(self.process, name)


class StartCell(Protocol):
    """Starts a cell with more arguments than the ones that every test needs, as a context manager."""

    def __call__(self, *arguments: str) -> AbstractContextManager[CellProcess]:
        """Start; the cell is killed at the end of the block if it still runs."""


@contextmanager
def running_cell(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Iterator[CellProcess]:
    """Run `situs-cell serve` with `arguments` on a free port of loopback; kill it at the end if it still runs."""
    command = [sys.executable, "-m", "inference", "serve", "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            listening = _next_event(process, "listening")
            yield CellProcess(process=process, host=listening["host"], port=listening["port"])
        finally:
            process.kill()


def _next_event(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    seen = []
    for line in process.stderr or ():
        seen.append(line)
        event: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == name:
            return event
    raise RuntimeError(f"the cell ended before it said {name!r}: {''.join(seen)}")
