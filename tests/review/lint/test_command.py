"""`situs policy lint` and `situs policy schema` as a person runs them."""

import argparse
import json
from importlib import resources
from pathlib import Path

import pytest

from extproc.cli.policy import lint, schema
from extproc.demo.places import write_geo_database
from extproc.policy.schema import read_schema
from extproc.review.lint import CHECKS

CLEAN = (Path(__file__).parent / "clean.yaml").read_text()
_OF_TODAY = ["--today", "2026-11-21"]


def _run(*argv: str) -> int:
    parser = argparse.ArgumentParser(prog="situs policy")
    subcommands = parser.add_subparsers(required=True)
    lint.register(subcommands)
    schema.register(subcommands)
    args = parser.parse_args(argv)
    code: int = args.run(args)
    return code


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(CLEAN)
    return path


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.yaml"
    text = CLEAN.replace("approved_by: [a, b]", "approved_by: [a]")
    path.write_text(text.replace("confidence: high}", "risk: x}", 1))
    return path


def test_a_clean_policy_exits_0(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", str(clean), "--level", "note", *_OF_TODAY) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings, 0 notes\n"


def test_findings_are_printed_with_their_place_and_exit_6(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", str(faulty), *_OF_TODAY) == 6
    finding, summary = capsys.readouterr().out.splitlines()
    line = CLEAN.count("\n", 0, CLEAN.index("approved_by")) + 1
    assert finding.startswith(f"{faulty}:{line}:")
    assert ": warning override-one-approver: " in finding
    assert ". Mend: have a second person approve it" in finding
    assert summary == "0 errors, 1 warning, 1 note (--level note shows all)"


def test_the_level_says_what_counts(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", str(faulty), "--level", "error", *_OF_TODAY) == 0
    assert _run("lint", str(faulty), "--level", "note", *_OF_TODAY) == 6
    assert "note permit-without-confidence" in capsys.readouterr().out


def test_json_for_machines(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", str(faulty), "--json", *_OF_TODAY) == 6
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"error": 0, "warning": 1, "note": 1}
    assert (report["policy"], report["today"], report["level"]) == ("clean", "2026-11-21", "warning")
    (finding,) = report["findings"]
    assert set(finding) == {"id", "level", "file", "line", "column", "message", "mend"}
    assert finding["id"] == "override-one-approver"


def test_the_day_and_the_span_can_be_given(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", str(clean), "--today", "2027-02-22") == 6
    assert "policy-review-overdue" in capsys.readouterr().out
    assert _run("lint", str(clean), "--today", "2026-11-21", "--due-within", "92") == 6
    assert "policy-review-due" in capsys.readouterr().out


@pytest.mark.slow
def test_a_database_is_looked_at_where_it_is_given(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = clean.with_name("country.mmdb")
    write_geo_database(database)
    assert _run("lint", str(clean), "--geo-db", str(database), "--today", "2099-01-01") == 6
    out = capsys.readouterr().out
    assert "geo-database-useless" in out
    assert "geo-without-subdivisions" in out
    assert _run("lint", str(clean), "--geo-db", str(clean)) == 78


def test_an_override_file_is_looked_at_where_it_is_given(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders = clean.with_name("overrides.yaml")
    orders.write_text("apiVersion: situs/v1\noverrides: []\n")
    assert _run("lint", str(clean), "--overrides", str(orders), *_OF_TODAY) == 0
    orders.write_text(
        "apiVersion: situs/v1\noverrides:\n  - {id: LT-2, effect: suspend, region: ca-mtl, reason: x, "
        "from: 2026-11-01, approved_by: [a, b]}\n  - {id: LT-3, effect: suspend, region: ca-yqb, reason: x, "
        "from: 2026-11-01, until: 2027-06-01, approved_by: [a, b]}\n"
    )
    capsys.readouterr()
    assert _run("lint", str(clean), "--overrides", str(orders), *_OF_TODAY) == 6
    out = capsys.readouterr().out
    assert f"{orders}:3:5: warning override-without-end" in out
    assert f"{clean}:55:" in out
    assert "empty-set-by-order" in out
    assert _run("lint", str(clean), "--overrides", str(clean), *_OF_TODAY) == 78


def test_all_checks_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in CHECKS]
    assert _run("lint", "--list", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(CHECKS)
    for check in CHECKS:
        assert _run("lint", "--explain", check.id) == 0
        assert check.why.splitlines()[0] in capsys.readouterr().out


def test_an_unknown_check_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", "--explain", "permit-shadow") == 1
    assert "did you mean 'permit-shadowed'" in capsys.readouterr().err


def test_a_policy_that_cannot_be_parsed_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("lint", str(tmp_path / "missing.yaml")) == 78
    assert "the file does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["lint"],
        ["lint", "p", "--list"],
        ["lint", "p", "--today", "tomorrow"],
        ["lint", "p", "--due-within", "-1"],
    ],
)
def test_wrong_usage_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit):
        _run(*argv)


def test_the_schema_is_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("schema") == 0
    assert capsys.readouterr().out == read_schema()
    output = tmp_path / "schema.json"
    assert _run("schema", "--output", str(output)) == 0
    assert output.read_text() == (resources.files("extproc.policy") / "situs-policy.schema.json").read_text()
    assert _run("schema", "--output", str(tmp_path / "no" / "schema.json")) == 78
    assert "cannot be written" in capsys.readouterr().err
