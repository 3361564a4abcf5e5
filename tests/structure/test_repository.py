"""What the repository promises about itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".proto", ".go", ".lock", ".mod", ".sum", ""}


def _tracked() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_no_private_key_is_checked_in() -> None:
    for path in _tracked():
        if path.suffix in TEXT:
            assert "PRIVATE " + "KEY-----" not in path.read_text(errors="replace"), path


def test_the_readme_shows_the_help_that_the_program_gives() -> None:
    """A block that starts with `$ situs … --help` holds exactly what that command prints."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```text\n\$ (situs(?:-cell)?[^\n]*--help)\n(.*?)```", text, re.DOTALL)
    assert blocks
    for command, shown in blocks:
        name, *arguments = command.split()
        module = "extproc" if name == "situs" else "inference"
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "100", "PATH": "/usr/bin:/bin"},
        )
        assert done.stdout.rstrip() == shown.rstrip(), f"{command}: the README shows something else"


def test_the_readme_has_the_figures_of_the_last_simulation() -> None:
    """What the README leads with is what `python -m bench.routing` wrote last."""
    tables = [
        re.findall(r"<!-- routing-table -->.*?<!-- /routing-table -->", path.read_text(), re.DOTALL)
        for path in (ROOT / "README.md", ROOT / "bench" / "results" / "routing.md")
    ]
    assert len(tables[0]) == 1
    assert tables[0] == tables[1]


def test_links_in_documents_lead_somewhere() -> None:
    for path in _tracked():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                assert (path.parent / target).exists(), f"{path}: {target}"


def test_make_test_runs_every_folder_of_tests() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"^(?:TOGETHER|ALONE) +:= \$\(addprefix tests/,(.*)\)$", makefile, re.MULTILINE)
    there = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} | {
        path.parents[1].name for path in (ROOT / "tests").glob("*/*/test_*.py")
    }
    assert {name for names in named for name in names.split()} == there
