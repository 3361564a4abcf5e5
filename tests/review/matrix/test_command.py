"""`situs policy matrix`, as it is run."""

import argparse
import csv
import json
from pathlib import Path

import pytest
from review.simulate_logs import demo_text

from extproc.cli.policy import matrix


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(demo_text())
    return path


def _run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    matrix.register(parser.add_subparsers())
    args = parser.parse_args(["matrix", *map(str, words)])
    code: int = args.run(args)
    return code


def test_text(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(policy, "--tenant", "acme-bank", "--class", "special", "--at", "2027-01-01") == 0
    out = capsys.readouterr().out
    assert "tenant acme-bank, personal and special data (declared special), model digits" in out
    assert "demo version 1 (hybrid) on 2027-01-01" in out


@pytest.mark.slow
def test_every_class_as_csv(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(policy, "--every-class", "--all", "--format", "csv") == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(lines) == 3 * 3 * 249 * 4
    assert {line["class"] for line in lines if line["tenant"] == "acme-bank"} == {
        "personal", "personal+public", "personal+special",
    }  # fmt: skip


def test_json(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(policy, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [region["id"] for region in told["regions"]] == ["eu-ams", "eu-fra", "me-dxb", "us-iad"]
    assert told["sections"][0]["rows"][0]["words"]


def test_a_page_into_a_file(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "matrix.html"
    assert _run(policy, "--format", "html", "--output", page) == 0
    assert capsys.readouterr().out == f"wrote {page}\n"
    assert page.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("m.csv", "policy,version,"),
        ("m.html", "<!DOCTYPE html>"),
        ("M.HTM", "<!DOCTYPE html>"),
        ("m.txt", "demo version"),
    ],
)
def test_the_name_of_the_file_tells_the_format(policy: Path, tmp_path: Path, name: str, begins: str) -> None:
    assert _run(policy, "--tenant", "acme-bank", "--output", tmp_path / name) == 0
    assert (tmp_path / name).read_text().startswith(begins)


def test_a_format_that_is_given_counts_more_than_the_name(policy: Path, tmp_path: Path) -> None:
    assert _run(policy, "--tenant", "acme-bank", "--format", "csv", "--output", tmp_path / "m.html") == 0
    assert (tmp_path / "m.html").read_text().startswith("policy,version,")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--tenant", "nobody"), 1),
        (("--at", "someday"), 1),
        (("--class", "special", "--every-class"), 1),
        (("--json", "--format", "csv"), 1),
        (("--json", "--format", "text"), 1),
        (("--output", "/nowhere/at/all"), 78),
    ],
)
def test_what_cannot_be_done(policy: Path, words: tuple[str, ...], code: int) -> None:
    assert _run(policy, *words) == code


def test_a_policy_that_cannot_be_used(tmp_path: Path) -> None:
    assert _run(tmp_path / "none.yaml") == 78
