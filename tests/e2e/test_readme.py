"""The README's commands, run exactly as they are printed: the attachment by hand, and the questions to a policy."""

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


def _blocks(heading: str) -> list[str]:
    text = (ROOT / "README.md").read_text()
    begins = text.index(f"\n## {heading}")
    section = text[begins : text.index("\n## ", begins + 1)]
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
    start, ask = _blocks("Try it by hand")
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


def test_the_questions_of_the_readme_have_answers(tmp_path: Path) -> None:
    (commands,) = _blocks("The policy")
    *questions, last = commands.strip().splitlines()
    assert "simulate" in last  # needs a log: tests/review/simulate
    environment = {**os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    shutil.copy(ROOT / "extproc/policy/examples/demo.yaml", tmp_path / "live.yaml")
    for command in questions:
        done = subprocess.run(
            ["/bin/bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "<table" in (tmp_path / "matrix.html").read_text()


def _end(entry: Path) -> None:
    """End a process that the README's commands left behind, known by its files; after a failure only."""
    try:
        if str(_FOLDER).encode() in (entry / "cmdline").read_bytes():
            os.kill(int(entry.name), signal.SIGKILL)
    except OSError:
        return
