"""The commands as a person runs them: help that teaches, errors that mend, stable exit codes."""

import json
from importlib import resources
from pathlib import Path

import pytest

from extproc.cli.main import main

_NO_ORDERS = "apiVersion: situs/v1\noverrides: []\n"
_APPROVED = ["--approved-by", "A. Counsel", "--approved-by", "B. Officer"]


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
    ],
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: situs" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["nosuch"], ["serve"], ["suspend", "eu-fra"], ["policy", "check", "a", "b"]])
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


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "overrides.yaml"
    path.write_text(_NO_ORDERS)
    return path


def _suspend(path: Path, *more: str) -> int:
    return main(["suspend", "me-dxb", "--overrides", str(path), "--reason", "injunction", *more])


def test_a_suspension_and_its_end(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _suspend(orders, "--until", "2099-01-01", *_APPROVED, "--json") == 0
    (order,) = json.loads(capsys.readouterr().out)
    assert (order["region"], order["reason"]) == ("me-dxb", "injunction")
    assert main(["resume", "me-dxb", "--overrides", str(orders)]) == 0
    assert order["id"] in capsys.readouterr().out
    assert main(["resume", "me-dxb", "--overrides", str(orders)]) == 1
    assert "holds no suspension of the region me-dxb" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "kind", "name"),
    [(["--permit", "eu-gdpr.dpf"], "permit", "eu-gdpr.dpf"), (["--model", "digits"], "model", "digits")],
)
def test_a_permit_and_a_model_can_be_suspended_too(  # noqa: PLR0913, PLR0917 - parameters and fixtures
    target: list[str], kind: str, name: str, orders: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = [
        "--reason",
        "r",
        "--until",
        "2099-01-01",
        "--approved-by",
        "a",
        "--approved-by",
        "b",
        "--policy",
        str(policy),
    ]
    assert main(["suspend", *target, "--overrides", str(orders), *rest, "--json"]) == 0
    (order,) = json.loads(capsys.readouterr().out)
    assert order[kind] == name
    assert main(["suspend", "me-dxb", *target, "--overrides", str(orders), *rest]) == 1
    assert main(["suspend", "--overrides", str(orders), *rest]) == 1
    assert main(["suspend", target[0], "nosuch", "--overrides", str(orders), *rest]) == 1
    assert f"has no {kind} nosuch" in capsys.readouterr().err
    assert main(["resume", name, "--overrides", str(orders)]) == 1  # the region of that name
    assert main(["resume", *target, "--overrides", str(orders)]) == 0


def test_a_mistyped_override_file_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere.yaml"
    assert _suspend(path, "--until", "2099-01-01", *_APPROVED) == 78
    assert main(["resume", "me-dxb", "--overrides", str(path)]) == 78
    assert capsys.readouterr().err.count("does not exist") == 2
    assert not path.exists()


def test_a_policy_that_is_not_in_force_or_overdue_says_so(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = policy.read_text()
    policy.write_text(text.replace("as_of: 2026-11-21", "as_of: 2098-11-21").replace("2027-02-21", "2099-02-21"))
    assert main(["policy", "check", str(policy)]) == 0
    assert "NOT YET" in capsys.readouterr().out
    policy.write_text(text.replace("as_of: 2026-11-21", "as_of: 2020-11-21").replace("2027-02-21", "2021-02-21"))
    assert main(["policy", "check", str(policy)]) == 0
    assert "OVERDUE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--until", "2099-01-01", "--approved-by", "a"], "two approvers"),
        (["--until", "2099-01-01", "--approved-by", "a", "--approved-by", "a"], "two approvers"),
        (["--until", "2001-01-01", *_APPROVED], "has passed"),
        (["--until", "soon", *_APPROVED], "--until"),
        (["--until", "2099-02-30", *_APPROVED], "does not exist"),
        (["--until", "2099-01-01", *_APPROVED, "--reason", "x" * 1001], "at most 1000"),
    ],
)
def test_an_incomplete_order_is_refused(
    orders: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert _suspend(orders, *more) == 1
    assert said in capsys.readouterr().err
    assert orders.read_text() == _NO_ORDERS


def test_with_a_policy_an_order_names_one_of_its_regions(
    orders: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suspend", "eu-fro", "--overrides", str(orders), "--policy", str(policy), "--reason", "x",
                 "--until", "2099-01-01", *_APPROVED]) == 1  # fmt: skip
    assert "eu-fra" in capsys.readouterr().err
    assert orders.read_text() == _NO_ORDERS
