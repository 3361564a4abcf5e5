"""The README's attachment by hand, run exactly as it is printed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.needs import missing

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
_PORTS = (10000, 9001, 9002, 9901, 9902)
_FOLDER = Path("/tmp/situs-try")  # noqa: S108 - the README's own


def _blocks() -> list[str]:
    text = (ROOT / "README.md").read_text()
    section = text[text.index("## Try it by hand") : text.index("## Attach it")]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_commands_of_the_readme_do_what_it_says(envoy_binary: Path, digits_store: Path) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed here")
    if busy := [port for port in _PORTS if not _is_free(port)]:
        missing(f"the README's ports {busy} are in use here")
    start, ask = _blocks()
    start = start.replace("$PWD/.venv/opt/envoy/envoy/_bin", str(envoy_binary.parent)).replace("$PWD/.venv", sys.prefix)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    script = (f"{start}\nsleep 5\n{ask}").replace("build/models", str(digits_store))
    running = subprocess.Popen(
        ["/bin/bash", "-c", f"set -m\n{script}\nwait"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    try:
        said, _ = running.communicate(timeout=90)
    finally:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                _end(entry)
    assert "x-situs-region: eu-fra" in said, said
    assert '"reason": "ungoverned_jurisdiction"' in said, said
    assert said.count("HTTP/1.1 451") == 2, said
    assert "eu-fra is suspended until 2099-12-31" in said, said
    assert "eu-fra is resumed: removed LT-" in said, said
    assert "RESULT VERIFIED" in said, said


def _end(entry: Path) -> None:
    """End a process that the README's commands left behind, known by its files; after a failure only."""
    try:
        if str(_FOLDER).encode() in (entry / "cmdline").read_bytes():
            os.kill(int(entry.name), signal.SIGKILL)
    except OSError:
        return
