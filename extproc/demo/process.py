"""One child process of the demo's world: started, watched, stopped, killed, and never left behind."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_TAIL: Final = 2000


class ProcessFailedError(Exception):
    """A process of the world ended when it should run; the text ends with what it last said."""


class Child:
    """A named process whose output goes to one file. Start it again after it has ended as often as needed."""

    def __init__(self, name: str, command: Sequence[str | Path], output: Path) -> None:
        self.name = name
        self._command = [str(part) for part in command]
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, in a session of its own so that Ctrl-C reaches only us, and bound to die with us."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads of ours run while the world starts
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def check(self) -> None:
        """Raise ProcessFailedError if it has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise ProcessFailedError(f"{self.name} ended with exit code {code}. It last said:\n{self.last_words()}")

    def stop(self, timeout_s: float = 15.0) -> int | None:
        """Ask it to end and wait; kill it when it does not. Give its exit code, None if it did not run."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return code

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def last_words(self) -> str:
        """Give the end of its output."""
        with contextlib.suppress(OSError):
            return self._output.read_text(errors="replace")[-_TAIL:]
        return ""


def python(module: str, *arguments: str | Path) -> list[str | Path]:
    """Give the command that runs one of our modules with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
