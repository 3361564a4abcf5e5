"""Commands that the demo's world runs to their end."""

import subprocess
from pathlib import Path

from extproc.demo.process import ProcessFailedError


def run_command(command: list[str | Path], expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run one of our own commands; with `expect`, any other exit code is a ProcessFailedError."""
    done = subprocess.run(  # noqa: S603 - our own commands
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if expect is not None and done.returncode != expect:
        said = (done.stdout + done.stderr).strip()
        raise ProcessFailedError(f"{' '.join(map(str, command[1:]))}: exit code {done.returncode}\n{said}")
    return done
