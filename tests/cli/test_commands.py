"""The commands as a person runs them: help that teaches, errors that mend, stable exit codes."""

import json
from importlib import resources
from pathlib import Path

import pytest

from extproc.cli.main import main


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_bytes((resources.files("extproc.policy") / "examples" / "demo.yaml").read_bytes())
    return path


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["demo"],
        ["policy"],
        ["policy", "check"],
        ["mesh"],
        ["mesh", "render"],
        ["audit"],
        ["audit", "verify"],
        ["audit", "show"],
        ["suspend"],
        ["resume"],
        ["status"],
    ],
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: situs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [[], ["nosuch"], ["serve"], ["suspend", "eu-fra"], ["resume", "eu-fra"], ["policy", "check", "a", "b"]],
)
def test_wrong_usage_is_1_and_names_the_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1
    assert "--help" in capsys.readouterr().err


def test_a_good_policy_is_summed_up(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", str(policy), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["regions"] == ["eu-ams", "eu-fra", "me-dxb", "us-iad"]
    assert summary["revision"].startswith("sha256:")
    assert main(["policy", "check", str(policy)]) == 0
    assert summary["revision"] in capsys.readouterr().out


def test_a_bad_policy_is_78_with_every_place(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(policy.read_text().replace("country: NL", "country: EU").replace("tier: 3", "tier: 1"))
    assert main(["policy", "check", str(policy)]) == 78
    said = capsys.readouterr().err
    assert said.count(f"{policy}:") == 2
    assert said.count("Mend:") == 2


def test_a_schema_that_cannot_be_written_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "schema.json"
    assert main(["policy", "schema", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"wrote {output}\n"
    assert main(["policy", "schema", "--output", str(tmp_path / "no" / "schema.json")]) == 78
    assert "cannot be written" in capsys.readouterr().err


def test_a_tab_is_named_as_such(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(policy.read_text() + "tests:\n\t- x\n")
    assert main(["policy", "check", str(policy)]) == 78
    assert "not YAML: found a tab. Mend: replace the tab by spaces" in capsys.readouterr().err


def test_a_policy_that_is_not_in_force_or_overdue_says_so(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = policy.read_text()
    policy.write_text(text.replace("as_of: 2026-11-21", "as_of: 2098-11-21").replace("2027-02-21", "2099-02-21"))
    assert main(["policy", "check", str(policy)]) == 0
    assert "NOT YET" in capsys.readouterr().out
    policy.write_text(text.replace("as_of: 2026-11-21", "as_of: 2020-11-21").replace("2027-02-21", "2021-02-21"))
    assert main(["policy", "check", str(policy)]) == 0
    assert "OVERDUE" in capsys.readouterr().out
