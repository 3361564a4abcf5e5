"""Work that other processes can find."""

import os
import time
from pathlib import Path


def double(number: int) -> int:
    return 2 * number


def where(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def fail_at_three(path: str) -> str:
    """Leave a mark that this was begun, and fail at the third."""
    Path(path).touch()
    if path.endswith("3"):
        raise ValueError("three")
    return path


def end_this_process(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number


def leave_pid_and_wait(path: str) -> None:
    mark = Path(path)
    mark.with_suffix(".new").write_text(str(os.getpid()))
    mark.with_suffix(".new").rename(mark)
    while not mark.with_suffix(".go").exists():
        time.sleep(0.01)
