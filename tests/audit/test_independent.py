"""The log judged by programs that are not ours: Go's transparency log code, and openssl."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, config, decision, small_log, write_log
from support.needs import missing

from extproc.ledger.entries import decision_to_entry
from extproc.notes.note import format_vkey

_README = Path(__file__).parents[2] / "extproc" / "ledger" / "README.md"


def _program(name: str, *elsewhere: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *elsewhere]))
    if found is None:
        missing(f"{name} is not installed here")
    return found


@pytest.fixture(scope="module")
def go_verify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = _program("go", "/usr/local/go/bin")
    program = tmp_path_factory.mktemp("go") / "verify"
    built = subprocess.run(
        [go, "build", "-o", program, "."], cwd=Path(__file__).parent / "go", capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return program


def _run(program: Path, log: Path) -> subprocess.CompletedProcess[str]:
    vkey = format_vkey(KEY.verifier(f"{IDENTITY.signer}/{log.name}"))
    return subprocess.run([program, log / "log", vkey], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 255, 256, 257, 700])
def test_go_finds_every_entry_in_the_signed_tree(tmp_path: Path, go_verify: Path, size: int) -> None:
    entries = [config(), *(decision_to_entry(decision(n), sequence=n) for n in range(1, size - 2))]
    log = write_log(tmp_path, entries if size > 2 else [])
    done = _run(go_verify, log)
    assert (done.returncode, done.stdout.strip()) == (0, str(size)), done.stderr


@pytest.mark.slow
def test_go_rejects_what_was_changed(tmp_path: Path, go_verify: Path) -> None:
    log = small_log(tmp_path)
    files = [path for path in (log / "log").rglob("*") if path.is_file() and path.name != "1"]
    assert len(files) == 3
    for path in files:
        data = path.read_bytes()
        # Go reads base64 without minding the unused bits of the last digit, which our reader does mind.
        end = len(data) - len("g=\n") if path.name == "checkpoint" else len(data)
        for at in range(0, end, max(1, len(data) // 20)):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert _run(go_verify, log).returncode == 1, (path, at)
        path.write_bytes(data)
    assert _run(go_verify, log).returncode == 0


@pytest.mark.slow
def test_the_worked_example_of_the_readme_works(tmp_path: Path) -> None:
    """Run the example as it is printed, in the folder of a log of three entries."""
    _program("openssl")
    bash = [_program("bash"), "-euo", "pipefail", "-c"]
    (example,) = re.findall(r"```sh\n(# Verify by hand.*?)```", _README.read_text(encoding="utf-8"), re.DOTALL)
    log = write_log(tmp_path, [config()])
    done = subprocess.run([*bash, example], cwd=log, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    signed, computed = done.stdout.split("\n")[-3:-1]
    assert signed == computed
    bundle = log / "log/tile/entries/000.p/3"
    data = bundle.read_bytes()
    bundle.write_bytes(data[:-1] + b"?")
    done = subprocess.run([*bash, example], cwd=log, capture_output=True, text=True, check=False)
    signed, computed = done.stdout.split("\n")[-3:-1]
    assert signed != computed
