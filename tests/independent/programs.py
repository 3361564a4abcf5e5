"""Programs that are not ours: where they are, and the judges in Go, compiled once."""

import os
import shutil
import subprocess
from pathlib import Path

from support.needs import missing

_GO = Path(__file__).parent / "go"


def program(name: str, *elsewhere: str) -> str:
    """Give the path of a program, or skip the test."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *elsewhere]))
    if found is None:
        missing(f"{name} is not installed here")
    return found


def compile_judges(into: Path) -> Path:
    """Compile every program of `go/` into a folder, and give it. What they need is as `go.sum` has it, and is kept."""
    go = program("go", "/usr/local/go/bin")
    fetched = run(go, "mod", "download", cwd=_GO)
    if fetched.returncode != 0:
        missing(f"the Go modules of {_GO} cannot be had here: {fetched.stderr}")
    built = run(go, "build", "-mod=readonly", "-o", f"{into}{os.sep}", "./...", cwd=_GO)
    assert built.returncode == 0, built.stderr
    return into


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
