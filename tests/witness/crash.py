"""Processes that are killed at every line of a witness, while it judges a request."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Protocol

from witness.world import ROOT_NAME, MemoryLog, bench

import extproc.witness
from extproc.notes.keys import load_key
from extproc.witness.errors import WitnessError
from extproc.witness.witness import WitnessKey


class Trace(Protocol):
    """What `sys.settrace` takes."""

    def __call__(self, frame: FrameType, event: str, argument: object, /) -> "Trace | None": ...


_PACKAGE = str(Path(extproc.witness.__file__).parent)


def kill_at(number: int) -> None:
    """Kill this process before the line of the witness's own code that it meets as that number."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> "Trace | None":
        nonlocal lines
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        if event == "line":
            lines += 1
            if lines == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def ask(folder: Path, history: int, old: int, new: int, *, kill: int | None) -> bool:
    """Ask for a cosignature in a process of its own, which is killed at a line; tell whether it got to the end.

    What the witness said stands on standard output then: a cosignature that has left.
    """
    child = os.fork()
    if child == 0:
        log_key = load_key(folder / "log.pem")
        key = WitnessKey.named("w", load_key(folder / "witness.pem"))
        made = bench(folder / "state.sqlite", log_key.verifier(ROOT_NAME), key=key)
        body = MemoryLog(key=log_key, history=history, fork_at=old).request(old, new)
        if kill is not None:
            kill_at(kill)
        try:
            answer = made.witness.add_checkpoint(body).strip()
        except WitnessError as error:
            answer = type(error).__name__.encode()
        os.write(1, b"%d %s\n" % (history, answer))
        sys.settrace(None)
        os._exit(7)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 7


def main(folder: Path, old: int, new: int) -> None:
    """Kill the one who asks for history 1 before its first line, and so on; each time, then ask for history 2."""
    at, ended = 0, False
    while not ended:
        at += 1
        for name in ("state.sqlite", "state.sqlite-wal", "state.sqlite-shm"):
            (folder / name).unlink(missing_ok=True)
        if old:
            ask(folder, 0, 0, old, kill=None)
        os.write(1, b"line %d\n" % at)
        ended = ask(folder, 1, old, new, kill=at)
        ask(folder, 2, old, new, kill=None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
