"""`situs policy diff`, as it is run."""

import argparse
import json
from pathlib import Path

import pytest
from review.simulate_logs import demo_text

from extproc.cli.policy import diff

DPF = ("    mechanisms: {dpf: true}\n", "")


def _run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    diff.register(parser.add_subparsers())
    args = parser.parse_args(["diff", *map(str, words)])
    code: int = args.run(args)
    return code


@pytest.fixture
def policies(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    one.write_text(demo_text())
    other.write_text(demo_text(DPF))
    return one, other


@pytest.mark.parametrize(
    ("fail_on", "forth", "back", "none"),
    [((), 0, 0, 0), (("--fail-on", "any"), 6, 6, 0), (("--fail-on", "widening"), 0, 6, 0)],
)
def test_exit_codes(policies: tuple[Path, Path], fail_on: tuple[str, ...], forth: int, back: int, none: int) -> None:
    a, b = policies
    assert [_run(a, b, *fail_on), _run(b, a, *fail_on), _run(a, a, *fail_on)] == [forth, back, none]


def test_json_is_strict(policies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*policies, "--json") == 0

    def no_constant(name: str) -> None:
        raise AssertionError(name)

    told = json.loads(capsys.readouterr().out, parse_constant=no_constant)
    assert (told["changed"], told["counts"]["narrowed"], told["widens"]) == (74, 74, False)
    assert told["changes"][0]["span"]["until_s"] is None
    assert told["groups"][0]["what"]["happens"]["lost"] == ["us-iad"]
    assert [edit["part"] for edit in told["edits"]] == ["tenants.acme-bank.mechanisms.dpf"]


def test_text_at_one_moment(policies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*policies, "--at", "2027-01-01") == 0
    assert "(74 narrowed), on 2027-01-01." in capsys.readouterr().out


def test_a_moment_before_a_policy_is_in_force(policies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*policies, "--at", "2020-01-01", "--fail-on", "widening") == 1
    told = capsys.readouterr()
    assert not told.out
    assert "not both in force on 2020-01-01. Mend: name a day from 2026-11-21 on" in told.err
    assert _run(*policies, "--at", "2026-11-21") == 0


def test_policies_that_cannot_be_compared_do_not_pass(policies: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(demo_text(("digits", "letters")))
    assert _run(policies[0], tmp_path / "c.yaml", "--fail-on", "widening") == 6


def test_what_cannot_be_used(policies: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("apiVersion: situs/v1\n")
    assert _run(policies[0], tmp_path / "broken.yaml") == 78
    assert _run(tmp_path / "none.yaml", policies[0]) == 78
    assert _run(*policies, "--at", "some day") == 1
