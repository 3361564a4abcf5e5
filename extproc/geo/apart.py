"""An inspection in a process of its own, bounded in time and memory.

The walk over the records is Python that holds the interpreter's lock. In a thread it delays every request by the
lock's switch interval, 5 ms and more, for as long as it takes; in another process it delays none. And a file that makes
the C reader crash takes a process with it that nobody misses.

Owns how that process is started, its limits and how its end is read. What it runs is :mod:`extproc.geo.__main__`; the
database reaches it as an inherited, sealed memfd, so what was inspected is what will be looked up in.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from extproc.geo.errors import FETCH_AGAIN, GeoDatabaseError
from extproc.geo.inspection import Inspection

TIME_LIMIT_S: Final = 600.0
"""By the clock and in processor time. A city database takes seconds; the largest published one that fits, minutes."""

MEMORY_BASE_BYTES: Final = 512 * 1024**2
MEMORY_PER_FILE_BYTE: Final = 4
"""Address space of the inspecting process: the interpreter, two mappings of the file, and what the walk remembers of
each distinct record. It is a limit, not what is used: a sound file of 6 MiB needs 70 MiB."""

NICENESS: Final = 10
"""Requests come first where cores are few."""

SOUND: Final = b"sound"
"""What the inspecting process prints, with exit status 0, of a database that may be used."""

ENDED_NORMALLY: Final = 0
FOUND: Final = 78
"""Exit status of the inspecting process when something is wrong with the database; what, is on its standard output."""

OUT_OF_MEMORY: Final = 77
"""Exit status of the inspecting process when the limit of memory does not suffice."""

_TOO_MUCH: Final = "look at who made the file; if it is sound, it is too large for this program"


def inspect_apart(inspection: Inspection, copy: int, path: Path) -> None:
    """Check the sealed memfd `copy` of the file at `path` in another process, and wait for it.

    Waiting does not hold the interpreter's lock. Raises GeoDatabaseError, with what the other process found or with how
    it ended.
    """
    limit_bytes = MEMORY_BASE_BYTES + MEMORY_PER_FILE_BYTE * os.fstat(copy).st_size
    request = json.dumps({"copy": copy, "limit_bytes": limit_bytes, "limit_s": TIME_LIMIT_S, **asdict(inspection)})
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this package
            [sys.executable, "-P", "-s", "-m", "extproc.geo", request],
            pass_fds=(copy,),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GeoDatabaseError(path, f"takes longer than {TIME_LIMIT_S:.0f} s to check", _TOO_MUCH) from error
    except OSError as error:
        raise GeoDatabaseError(
            path, f"cannot be checked: no process can be started ({error})", "check the limits on processes and memory"
        ) from error
    if done.returncode == ENDED_NORMALLY and done.stdout == SOUND:
        return
    raise _found(path, done.stdout) if done.returncode == FOUND else _ended(path, done, limit_bytes)


def _found(path: Path, answer: bytes) -> GeoDatabaseError:
    found = json.loads(answer)
    return GeoDatabaseError(path, found["what"], found["mend"])


def _ended(path: Path, done: subprocess.CompletedProcess[bytes], limit_bytes: int) -> GeoDatabaseError:
    if done.returncode == OUT_OF_MEMORY:
        return GeoDatabaseError(path, f"needs more than {limit_bytes} bytes of memory to check", _TOO_MUCH)
    if done.returncode == -signal.SIGKILL:
        return GeoDatabaseError(
            path, "cannot be checked: the process that did was killed", "give the container more memory"
        )
    if done.returncode == -signal.SIGXCPU:
        return GeoDatabaseError(path, f"takes longer than {TIME_LIMIT_S:.0f} s to check", _TOO_MUCH)
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return GeoDatabaseError(path, f"is damaged: the process that checked it ended by {name}", FETCH_AGAIN)
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return GeoDatabaseError(
        path,
        f"cannot be checked: the process that does ended with {done.returncode} ({lines[-1] if lines else 'silent'})",
        "see that this program is installed whole, and report it if it is",
    )


def _environment() -> dict[str, str]:
    """Give only what an interpreter needs to find the same modules: no secret of ours, no option of somebody's."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
