"""The page by which an engineer verifies without our program: every block of it runs, as it is printed."""

import re
import shlex
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from independent.logs import Keys, Made, make_log
from independent.programs import program, run
from independent.tampering import flip

from extproc.archive import open_archive
from extproc.audit.prove import prove_all
from extproc.audit.published import find_published
from extproc.notes.note import format_vkey

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "extproc" / "ledger" / "VERIFY.md").read_text(encoding="utf-8")
_SECTIONS = re.findall(r"^### (.*?)$(.*?)(?=^##)", _PAGE, re.DOTALL | re.MULTILINE)
_TITLES = [title for title, _ in _SECTIONS]
_BLOCKS = [
    (title, block)
    for title, section in _SECTIONS
    for block in re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
]
"""Every block for the shell, with the title above it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    """Make a log of 300 entries, and what an auditor has kept."""
    made = make_log(tmp_path_factory.mktemp("by-hand"), 300, keys)
    _keep(made, proved=40)
    return made.folder


def _keep(made: Made, *, proved: int) -> None:
    mine = made.folder / "mine"
    mine.mkdir()
    (mine / "organisation.vkey").write_text(format_vkey(made.organisation) + "\n")
    (mine / "witness.vkey").write_text(made.witness_vkeys[1] + "\n")
    archive = open_archive(str(made.folder))
    (log,) = find_published(archive)
    (proof,) = prove_all(archive, log, [proved])
    (mine / "entry.entry").write_bytes(proof.entry)
    (mine / "entry.tlog-proof").write_bytes(proof.proof)
    # Kept in the first half of the log's life: the checkpoint that was cosigned by nobody and signed by the first key.
    (mine / "checkpoint").write_bytes(made.kept)


@pytest.fixture(scope="module")
def protoc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the compiler of protobuf, as grpcio-tools brings it."""
    compiler = tmp_path_factory.mktemp("protoc") / "protoc"
    compiler.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m grpc_tools.protoc "$@"\n')
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    return compiler.parent


def _run(folder: Path, protoc: Path) -> tuple[int, dict[str, str], str]:
    """Run all blocks in one shell. Gives its status, the output below each title, and the errors."""
    program("openssl")
    script = "".join(f"echo {shlex.quote('### ' + title)}\n{block}" for title, block in _BLOCKS)
    prelude = f'export PROTO="{_ROOT / "proto"}" PATH="{protoc}:$PATH"\n'
    done = run(program("bash"), "-eu", "-c", prelude + script, cwd=folder)
    parts = done.stdout.split("### ")[1:]
    outputs: dict[str, str] = {}
    for part in parts:
        title, _, output = part.partition("\n")
        outputs[title] = outputs.get(title, "") + output
    return done.returncode, outputs, done.stderr


def test_every_block_works_as_printed(folder: Path, protoc: Path) -> None:
    code, outputs, said = _run(folder, protoc)
    assert code == 0, (outputs, said)
    assert list(outputs) == _TITLES
    good = {title: output.count(": good") + output.count("Verified Successfully") for title, output in outputs.items()}
    assert good == {
        "Tools": 0,
        "The keys, from the organisation down": 6,
        "The signature over the checkpoint": 1,
        "An entry and its leaf": 1,
        "That the entry is in the tree": 1,
        "A proof that somebody handed you": 4,
        "A witness's cosignature": 2,
        "That the log has only grown": 6,
        "The change of keys": 7,  # two signatures, the size, two roots with the name, and the key at the end
    }
    assert "witness2.example saw 299 entries at 2025-11-21T" in outputs["A witness's cosignature"]
    assert "at_s: 17637" in outputs["An entry and its leaf"]
    assert said.count("sha256(01 ") == 9


def test_every_block_works_on_a_large_log_too(protoc: Path, keys: Keys, tmp_path: Path) -> None:
    made = make_log(tmp_path, 65_537, keys)
    _keep(made, proved=60_000)
    code, outputs, said = _run(made.folder, protoc)
    assert code == 0, (outputs, said)
    assert list(outputs) == _TITLES


def test_the_programs_of_others_are_called_as_printed(folder: Path, programs: Path) -> None:
    """In `tests/independent/go`, with the page's capitals replaced by files."""
    assert programs.is_dir(), "compiled already, so that each `go run` finds its parts"
    lines = re.findall(r"^    (go run .*)$", _PAGE, re.MULTILINE)
    named = {
        "ORGANISATION.vkey": folder / "mine/organisation.vkey",
        "WITNESS.vkey": folder / "mine/witness.vkey",
        "FOLDER": folder,
        "POLICY": folder.parent / "policy",
        "PROOF": folder / "mine/entry.tlog-proof",
        "ENTRY": folder / "mine/entry.entry",
    }
    found = []
    for line in lines:
        command = re.sub("|".join(map(re.escape, named)), lambda match: str(named[match[0]]), line)
        command = command.replace("go run", f"{program('go', '/usr/local/go/bin')} run", 1)
        done = run(program("bash"), "-eu", "-c", command, cwd=Path(__file__).parent / "go")
        assert done.returncode == 0, (command, done.stderr)
        found.append(done.stdout)
    assert found == ["300\n", "300 1\n", "300\n", "40 299\n"]


def _replace(path: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = (folder / path).read_bytes()
        assert old in data
        (folder / path).write_bytes(data.replace(old, new, 1))

    return change


def _flip_entry(folder: Path, index: int) -> None:
    bundle = folder / "log/tile/entries/000"
    data, at = bundle.read_bytes(), 0
    for _ in range(index):
        at += 2 + int.from_bytes(data[at : at + 2])
    flip(bundle, at + 20)


_SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "another organisation": (
        _replace("mine/organisation.vkey", b"acme/test+", b"acme/prod+"),
        "The keys, from the organisation down",
    ),
    "a delegation's window": (
        _replace("delegations", b"signs 2025-11-20", b"signs 2025-11-19"),
        "The keys, from the organisation down",
    ),
    "the checkpoint's size": (_replace("log/checkpoint", b"\n300\n", b"\n299\n"), "The signature over the checkpoint"),
    "an entry": (lambda folder: _flip_entry(folder, 7), "An entry and its leaf"),
    "a leaf far away": (lambda folder: flip(folder / "log/tile/0/000", 32 * 200), "That the entry is in the tree"),
    "an upper hash": (lambda folder: flip(folder / "log/tile/0/001.p/44", 32 * 40), "That the entry is in the tree"),
    "the proof": (_replace("mine/entry.tlog-proof", b"index 40", b"index 41"), "A proof that somebody handed you"),
    "the proved entry": (lambda folder: flip(folder / "mine/entry.entry", 30), "A proof that somebody handed you"),
    "another witness": (_replace("mine/witness.vkey", b"witness2", b"witness1"), "A witness's cosignature"),
    "another past": (_replace("mine/checkpoint", b"\n100\n", b"\n101\n"), "That the log has only grown"),
}


@pytest.mark.parametrize("what", _SPOILT)
def test_what_was_changed_is_found(folder: Path, protoc: Path, tmp_path: Path, what: str) -> None:
    """The blocks end where the page says that they would, and none after it runs."""
    change, title = _SPOILT[what]
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("wal", "by-hand"))
    change(copy)
    code, outputs, _ = _run(copy, protoc)
    assert (code != 0, list(outputs)[-1]) == (True, title)
