"""The five commands as a person runs them: help that teaches, stable exit codes, JSON that holds everything."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from review.world import POLICY, changed, written

from extproc.cli.main import main

_COMMANDS = ["test", "explain", "coverage", "what-if", "expiries"]


def _run(*words: str) -> int:
    return main(["policy", *words])


@pytest.fixture
def policy(tmp_path: Path) -> str:
    return str(written(tmp_path))


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_teaches_with_an_example_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _run(command, "--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"situs policy {command} policy.yaml" in shown
    assert "exit codes: 0" in shown


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_policy_that_cannot_be_used_is_78(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--down", "eu-fra"] if command == "what-if" else []
    assert _run(command, str(tmp_path / "none.yaml"), *options) == 78
    assert "Mend: " in capsys.readouterr().err


@pytest.mark.parametrize("command", _COMMANDS)
def test_json_is_whole_and_nothing_else_is_printed(
    command: str, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "what-if": ["--down", "eu-fra", "--now", "2026-12-01"],
        "explain": ["--tenant", "bank", "--country", "FR", "--at", "2026-12-01"],
    }.get(command, [])
    assert _run(command, policy, "--json", *options) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_tests_that_pass_are_0_and_one_that_fails_is_6_with_its_line(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("test", policy) == 0
    assert "5 of 5 tests pass" in capsys.readouterr().out
    broken = changed(("transfers: [br-gru, us-iad]", "transfers: [br-gru]"))
    path = written(tmp_path, broken)
    line = next(i for i, text in enumerate(broken.splitlines(), 1) if "name: bank in France" in text)
    assert _run("test", str(path), "--junit", str(tmp_path / "out" / "tests.xml")) == 6
    shown = capsys.readouterr().out
    assert f"{path}:{line}: bank in France" in shown
    assert "us-iad: permitted by gdpr.dpf (adequacy)" in shown
    suite = ET.parse(tmp_path / "out" / "tests.xml").getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "transfers to br-gru and us-iad" in failure.attrib["message"]


def test_a_policy_without_tests_fails_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, POLICY[: POLICY.index("tests:")])
    assert _run("test", str(path)) == 6
    assert "Mend: add 'tests:'" in capsys.readouterr().err


def test_an_explanation_is_for_one_question(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        _run("explain", policy, "--tenant", "bank", "--country", "FR", "--class", "special", "--at", "2026-12-01") == 0
    )
    shown = capsys.readouterr().out
    assert "us-iad in the United States: EXCLUDED (class_rule)" in shown
    assert _run("explain", policy, "--tenant", "bank", "--geoip", "unknown", "--at", "2026-12-01", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["refusal"] == "unknown_jurisdiction"
    assert any("verified claim of residency" in each["words"] for each in found["remedies"])


@pytest.mark.parametrize(
    "options",
    [
        ["--country", "FR"],
        ["--tenant", "nobody", "--country", "FR"],
        ["--tenant", "bank", "--country", "Frankreich"],
        ["--tenant", "bank", "--country", "FR", "--class", "secret"],
        ["--tenant", "bank", "--country", "FR", "--at", "soon"],
        ["--tenant", "bank", "--country", "FR", "--model", "none"],
        ["--tenant", "bank", "--country", "FR", "--class", "special", "--class", "secret"],
        ["--tenant", "bank", "--country", "FR", "--to", "JP"],
        ["--tenant", "bank", "--country", "FR", "--to", "eu-nowhere"],
    ],
)
def test_a_question_that_the_policy_does_not_know_is_1(
    options: list[str], policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("explain", policy, *options) == 1
    assert "Mend: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--country", "FR"], "the policy has 3 tenants. Mend: name one with --tenant: bank, shop or walk-in"),
        (["--tenant", "bnak"], "the policy has no tenant bnak. Mend: did you mean bank? name one with --tenant: "),
        (["--tenant", "bank", "--to", "eu-fro"], "no region eu-fro. Mend: did you mean eu-fra? name one with --to: "),
        (["--tenant", "bank", "--to", "CA-QU"], "no subdivision CA-QU. Mend: did you mean CA-QC? "),
        (["--tenant", "bank", "--country", "CA-QU"], "no subdivision CA-QU. Mend: did you mean CA-QC? "),
        (["--tenant", "bank", "--geoip", "CA-QU"], "no subdivision CA-QU. Mend: did you mean CA-QC? "),
        (["--tenant", "bank", "--jwt", "CA-QU"], "no subdivision CA-QU. Mend: did you mean CA-QC? "),
        (["--tenant", "bank", "--header", "VA-AA"], "no subdivision VA-AA. Mend: write VA: it has no subdivisions"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest_right_one(
    options: list[str], words: str, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("explain", policy, *options) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--tenant", "--model", "--country", "--geoip", "--jwt", "--header", "--at"])
def test_an_option_of_which_a_request_has_one_is_not_overwritten_silently(
    option: str, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _run("explain", policy, option, "FR", option, "DE")
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert f"situs policy explain: {option} is given twice" in shown
    assert "usage: situs policy explain" in shown


def test_every_class_that_is_declared_counts(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["explain", policy, "--tenant", "bank", "--country", "FR", "--at", "2026-12-01", "--json"]
    for classes in (("special", "public"), ("public", "special")):
        assert _run(*common, *(word for name in classes for word in ("--class", name))) == 0
        found = json.loads(capsys.readouterr().out)
        assert [each["data_class"] for each in found["classes"]] == ["personal", "public", "special"]
        # The class rule for special leaves the two of the EEA, whichever is named last.
        assert [each["region"] for each in found["regions"] if each["permitted"]] == ["eu-ams", "eu-fra"]
        brazil = next(each for each in found["regions"] if each["region"] == "br-gru")
        assert [each["words"] for each in brazil["changes"]] == [
            "if the data were not of the class special, and the request did not declare it"
        ]


def test_a_question_about_regions_is_answered_first_and_alone(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["explain", policy, "--tenant", "bank", "--at", "2026-12-01"]
    assert _run(*common, "--country", "FR", "--to", "me-dxb", "--to", "US") == 0
    shown = capsys.readouterr().out
    answer = shown[shown.index("THE ANSWER") :]
    assert answer.index(
        "me-dxb in the United Arab Emirates: EXCLUDED (no_permit) because gdpr does not"
    ) < answer.index("4 permitted regions")
    assert "us-iad in the United States: PERMITTED by transfer because" in answer
    assert "br-gru in Brazil" not in shown
    assert _run(*common, "--country", "FR", "--to", "me-dxb", "--json") == 0
    assert [each["region"] for each in json.loads(capsys.readouterr().out)["regions"]] == ["me-dxb"]
    assert _run(*common, "--country", "NG", "--to", "me-dxb") == 0
    assert "me-dxb: not decided, because the request is refused" in capsys.readouterr().out


@pytest.mark.slow
def test_too_little_coverage_is_6_and_names_the_lines(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("coverage", policy) == 0
    shown = capsys.readouterr().out
    line = next(i for i, text in enumerate(POLICY.splitlines(), 1) if "id: anywhere" in text)
    assert f"{policy}:{line}: permit open.anywhere: no test depends on it" in shown
    assert _run("coverage", policy, "--min", "95") == 6
    assert _run("coverage", policy, "--min", "60") == 0
    assert _run("coverage", policy, "--min", "101") == 1


def test_what_if_needs_something_to_suppose_and_tells_it_in_words(
    policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("what-if", policy) == 1
    assert _run("what-if", policy, "--down", "eu-nowhere", "--now", "2026-12-01") == 1
    assert "Mend: did you mean" not in capsys.readouterr().err
    assert _run("what-if", policy, "--without-mechanism", "bank") == 1
    for option, name, guess in (
        ("--down", "eu-fro", "eu-fra"),
        ("--suspend-permit", "gdpr.dfp", "gdpr.dpf"),
        ("--without-mechanism", "bnak.dpf", "bank"),
        ("--without-mechanism", "bank.dpff", "dpf"),
    ):
        capsys.readouterr()
        assert _run("what-if", policy, option, name, "--now", "2026-12-01") == 1
        assert f"Mend: did you mean {guess}? " in capsys.readouterr().err
    assert _run("what-if", policy, "--down", "eu-fra", "--down", "eu-ams", "--now", "2026-12-01") == 0
    shown = capsys.readouterr().out
    assert "If eu-ams and eu-fra cannot serve:" in shown
    assert "TRANSFER BEGINS" in shown
    assert "No 'expects' is written for walk-in" in shown
    assert _run("what-if", policy, "--at", "2027-01-15", "--now", "2026-12-01", "--all", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changed"] == sum(group["count"] for group in found["groups"]) > 0


def test_expiries_fail_only_when_asked_to_and_something_is_due(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("expiries", policy, "--today", "2026-12-01") == 0
    shown = capsys.readouterr().out
    assert "2026-12-15 (in 14 days) DUE" in shown
    assert "2027-06-01 (in 182 days)\n" in shown
    assert _run("expiries", policy, "--today", "2026-12-01", "--check", "--within", "13") == 0
    assert _run("expiries", policy, "--today", "2026-12-01", "--check", "--within", "14") == 6
    assert _run("expiries", policy, "--today", "2026-12-16", "--check", "--within", "0") == 6
    assert _run("expiries", policy, "--within", "-1") == 1
    assert _run("expiries", policy, "--today", "tomorrow") == 1
