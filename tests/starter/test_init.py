"""`situs policy init`: writes once, says what to do next, and explains what it refuses."""

import argparse
from pathlib import Path

import pytest

from extproc.cli.exits import CONFIGURATION, OK, USAGE
from extproc.cli.policy import init
from extproc.policy.starter import PRESETS, PROFILES, compose


def _run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    init.register(parser.add_subparsers(required=True))
    args = parser.parse_args(["init", *argv])
    code: int = args.run(args)
    return code


def test_it_writes_the_policy_and_names_the_next_three_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    assert _run("--profile", "legal-first", "--preset", "uk", "--output", str(path)) == OK
    assert path.read_text() == compose("legal-first", "uk")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["check", "lint", "test"]
    assert all(str(path) in line for line in lines)


def test_it_does_not_overwrite_unless_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("mine\n")
    assert _run("--profile", "legal-first", "--preset", "us", "--output", str(path)) == USAGE
    assert path.read_text() == "mine\n"
    assert "--force" in capsys.readouterr().err
    assert _run("--profile", "legal-first", "--preset", "us", "--output", str(path), "--force") == OK
    assert path.read_text() == compose("legal-first", "us")


def test_a_dash_prints_the_policy_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--profile", "legal-first", "--output", "-") == OK
    assert capsys.readouterr().out == compose("legal-first")


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--list") == OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(PROFILES) + len(PRESETS)
    assert {line.split()[0] for line in lines} == {"profiles:", "presets:", *PROFILES, *PRESETS}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--output", "-"], "no profile is given"),
        (["--profile", "hybrid"], "no output is given"),
        (["--profile", "hybrid", "--preset", "eu", "--output", "-"], "keeps data at home"),
        (["--profile", "performance-first", "--preset", "health", "--output", "-"], "regulated data"),
        (["--profile", "quick", "--output", "-"], "there is no profile 'quick'"),
    ],
)
def test_wrong_usage_is_answered_with_the_mend(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*argv) == USAGE
    error = capsys.readouterr().err
    assert said in error
    assert "Mend: " in error


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere" / "policy.yaml"
    assert _run("--profile", "legal-first", "--preset", "uk", "--output", str(path)) == CONFIGURATION
    assert "cannot be written" in capsys.readouterr().err
