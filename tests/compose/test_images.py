"""The images: their recipes as BuildKit reads them, what is installed in them, and what may get into them."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose.files import COMPOSE, ROOT, packages_of
from compose.installed import link_packages, normal, python_with
from compose.programs import refusal, understood

_BASE = "python:3.11.14-slim-bookworm"
_NEEDED_BY_A_CELL = ("orjson", "structlog", "uvloop")
"""What a cell needs of the packages that are not of its extra."""


def _recipe(readers: Path, name: str) -> Any:  # noqa: ANN401 - a document
    return understood(readers / "dockerfile", COMPOSE / f"{name}.Dockerfile")


def _steps(recipe: Any, stage: str) -> list[str]:  # noqa: ANN401 - a document
    (found,) = (each["steps"] for each in recipe["stages"] if each["name"] == stage)
    return list(found)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "last"), [("situs", "runtime"), ("cell", "cell")])
def test_buildkit_reads_the_recipes_and_has_nothing_to_say(readers: Path, name: str, last: str) -> None:
    recipe = _recipe(readers, name)
    assert recipe["warnings"] == []
    assert recipe["arguments"] == [f"ARG BASE={_BASE}"]
    assert {stage["base"] for stage in recipe["stages"]} <= {"${BASE}", "runtime"}
    assert recipe["stages"][-1]["name"] == name  # what is built where no target is named
    steps = _steps(recipe, last)
    assert "USER 65532:65532" in steps
    assert "HEALTHCHECK NONE" in steps  # compose.yaml has them
    assert not any(step.startswith(("RUN", "ADD", "ENTRYPOINT", "SHELL")) for step in steps)
    labels = " ".join(step for step in steps if step.startswith("LABEL"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'org.opencontainers.image.version="{version}"' in labels
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in labels


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), [("situs", "prepare"), ("cell", "cell")])
def test_where_onnxruntime_is_it_reports_to_nobody(readers: Path, name: str, stage: str) -> None:
    assert "ENV ORT_DISABLE_TELEMETRY=1" in _steps(_recipe(readers, name), stage)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["situs", "cell"])
def test_what_is_installed_is_checked_and_comes_from_nowhere_else(readers: Path, name: str) -> None:
    """Each installation is by hash, or from what was built a step before; each command is one program, no script."""
    runs = [step for step in _steps(_recipe(readers, name), "build") if step.startswith("RUN")]
    installs = [step for step in runs if "pip" in step.split()]
    assert len(installs) == 4
    assert all(
        "--require-hashes --only-binary :all: --requirement" in step or "--no-deps --no-index" in step
        for step in installs
    )
    assert not any(re.search(r"[;&|`]|\$\(", step) for step in runs)


@pytest.mark.slow
def test_buildkit_refuses_what_is_wrong(readers: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nUSERS 65532\n")
    assert "unknown instruction: USERS" in refusal(readers / "dockerfile", tmp_path / "Dockerfile")
    (tmp_path / "Dockerfile").write_text("from scratch as Build\nMAINTAINER nobody\n")
    assert len(understood(readers / "dockerfile", tmp_path / "Dockerfile")["warnings"]) >= 2


def test_what_the_recipes_copy_is_let_through() -> None:
    """The build's context is a list of what is let in, and everything that is copied is on it."""
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    let_in = [line.removeprefix("!/") for line in ignore if line.startswith("!/")]
    for name in ("situs", "cell"):
        for line in (COMPOSE / f"{name}.Dockerfile").read_text().splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                for source in line.split()[1:-1]:
                    found = source.replace("${LOCK}", "situs")
                    assert (ROOT / found).exists()
                    assert any(Path(found).match(pattern) for pattern in let_in), source


@pytest.mark.parametrize("name", ["build", "situs", "cell", "prepare"])
def test_a_lock_is_a_part_of_the_one_lock(name: str) -> None:
    """The same versions with the same hashes as the ones that are tested."""
    whole = packages_of(ROOT / "requirements.lock")
    part = packages_of(COMPOSE / f"{name}.lock")
    assert part
    assert {pin: line for pin, line in whole.items() if pin in part} == part, "run: make lock"


def test_the_locks_hold_what_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cell = [*project["optional-dependencies"]["cell"], *_NEEDED_BY_A_CELL]
    for lock, needs in (("situs", project["dependencies"]), ("cell", cell)):
        pinned = {normal(pin.partition("==")[0]) for pin in packages_of(COMPOSE / f"{lock}.lock")}
        assert {normal(re.split(r"[<>=\[;, ]", need)[0]) for need in needs} <= pinned
    sidecar = {pin.partition("==")[0] for pin in packages_of(COMPOSE / "situs.lock")}
    assert not sidecar & {"onnxruntime-gpu", "scikit-learn", "pytest", "mypy", "hypothesis"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lock", "words"),
    [
        ("situs", ["-m", "extproc", "--version"]),
        ("situs", ["-m", "extproc", "serve", "--help"]),
        ("situs", ["-m", "extproc", "suspend", "--help"]),
        ("situs", ["-m", "extproc", "audit", "verify", "--help"]),
        ("cell", ["-m", "inference", "--version"]),
        ("cell", ["-m", "inference", "serve", "--help"]),
        ("cell", ["-c", "import inference.server"]),
        ("prepare", [str(COMPOSE / "prepare.py"), "--help"]),
        ("prepare", [str(COMPOSE / "issue_token.py"), "--help"]),
    ],
)
def test_an_image_has_what_its_programs_need(tmp_path: Path, lock: str, words: list[str]) -> None:
    link_packages(COMPOSE / f"{lock}.lock", tmp_path / "packages")
    python, environment = python_with(tmp_path / "packages")
    done = subprocess.run(
        [*python, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_cell_has_none_of_the_sidecars_packages(tmp_path: Path) -> None:
    link_packages(COMPOSE / "cell.lock", tmp_path / "packages")
    python, environment = python_with(tmp_path / "packages")
    done = subprocess.run(
        [*python, "-c", "import grpc"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "No module named 'grpc'" in done.stderr
