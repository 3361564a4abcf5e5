"""The tools' own readers of a Compose file and of a Dockerfile, in Go, compiled once."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.needs import missing

_GO = Path(__file__).parent / "go"


def compile_readers(into: Path) -> Path:
    """Compile the programs of `go/` into a folder, and give it. What they need is as `go.sum` has it, and is kept."""
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    if go is None:
        missing("go is not installed here")
    fetched = _run(go, "mod", "download", cwd=_GO)
    if fetched.returncode != 0:
        missing(f"the Go modules of {_GO} cannot be had here: {fetched.stderr}")
    built = _run(go, "build", "-mod=readonly", "-o", f"{into}{os.sep}", "./...", cwd=_GO)
    assert built.returncode == 0, built.stderr
    return into


def understood(program: Path, file: Path) -> Any:  # noqa: ANN401 - a document
    """Give what a reader makes of a file."""
    done = _run(str(program), str(file))
    assert done.returncode == 0, f"{file.name}: {done.stderr}"
    return json.loads(done.stdout)


def refusal(program: Path, file: Path) -> str:
    """Give what a reader says of a file that it cannot read."""
    done = _run(str(program), str(file))
    assert done.returncode == 1, done.stdout
    return done.stderr


def _run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
