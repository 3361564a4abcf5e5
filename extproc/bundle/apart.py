"""Accepting a policy in a process of its own, so that no request waits while it is parsed and compiled.

Both are Python that holds the interpreter's lock: in a thread, every request is delayed by its switch interval again
and again for as long as it takes, seconds for a policy of ten thousand tenants. In another process it delays none; what
comes back is the finished policy, and taking it in is a tenth of the work.

The answer is a pickle, from a process that we started with our own code and over a pipe that nobody else has.
"""

import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Final

from extproc.bundle.accept import Accepted, accept
from extproc.bundle.errors import BundleError
from extproc.bundle.rollback import Standing
from extproc.bundle.trust import Trust
from extproc.strict_yaml import DocumentError

NICENESS: Final = 10
TIME_LIMIT_S: Final = 300.0


def accept_apart(
    data: bytes,
    *,
    file: str,
    trust: Trust | None,
    last: Standing | None = None,
    forced_version: int | None = None,
) -> Accepted:
    """Do what :func:`accept` does, elsewhere. Raises what it raises, and BundleError where the process fails."""
    request = pickle.dumps((data, file, trust, last, forced_version))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-s", "-m", "extproc.bundle.apart"],
            input=request,
            env=_environment(),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        mend = "check the limits on processes and memory"
        raise BundleError(f"{file}: no process could read it ({error}). Mend: {mend}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "silent"
        mend = "give the container more memory, or report it if it has enough"
        raise BundleError(f"{file}: the process that reads it ended with {done.returncode} ({said}). Mend: {mend}")
    answer: Accepted | BundleError | DocumentError = pickle.loads(done.stdout)  # noqa: S301 - written by ourselves
    if isinstance(answer, Accepted):
        return answer
    raise answer


def main() -> None:
    """Read a request from standard input and write what came of it to standard output. Not a command for people."""
    os.nice(NICENESS)
    gc.disable()
    data, file, trust, last, forced_version = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by our parent
    answer: Accepted | BundleError | DocumentError
    try:
        answer = accept(data, file=file, trust=trust, last=last, forced_version=forced_version)
    except (BundleError, DocumentError) as error:
        answer = error
    sys.stdout.buffer.write(pickle.dumps(answer, 5))


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}


if __name__ == "__main__":
    main()
