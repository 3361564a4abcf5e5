"""What `situs drill` refuses, and that a refusal disturbs nothing."""

from pathlib import Path

import pytest
from custody.world import write_log
from drill.test_play import _POLICY

from extproc.cli.main import build_parser, main
from extproc.drill.scenarios import Scenario


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(_POLICY)
    (tmp_path / "overrides.yaml").write_text("apiVersion: situs/v1\noverrides: []\n")
    write_log(tmp_path / "log", at_s=1_800_000_000.0)
    return tmp_path


def _live(place: Path, *more: str) -> list[str]:
    return [
        "drill", "--live", "--url", "http://127.0.0.1:9/", "--policy", str(place / "policy.yaml"),
        "--overrides", str(place / "overrides.yaml"), "--approved-by", "A", "--approved-by", "B",
        "--log", str(place / "log"), "--key", str(place / "keeper.key"), "--report", str(place / "drill.md"),
        *(more or ("suspension",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name what to rehearse, or give --all"),
        (["reload", "--all"], "and not both"),
        (["--all", "--url", "http://x/", "--yes"], "--url, --yes can be used only with --live"),
        (["--all", "--break", "x"], "--break can be used only with --live"),
        (["reload", "--live", "--dir", "x"], "--dir can be used only without --live"),
        (["reload", "--live"], "a live system needs --url, --policy, --log, --key, --report"),
    ],
)
def test_options_that_do_not_go_together(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", *words]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["earthquake"], "expected one of region-loss, brown-out"),
        (["--all", "--rate", "201"], "expected 10 to 200"),
        (["--all", "--rate", "nan"], "expected 10 to 200"),
        (["--all", "--report", "drill.pdf"], "ends in .md or .json"),
        (["--all", "--report", "/no/such/folder/drill.md"], "is no folder"),
        (["reload", "--live", "--url", "ftp://x"], "expected http:// or https://"),
        (["reload", "--live", "--header", "nothing"], "NAME: VALUE"),
    ],
)
def test_values_that_are_none(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["drill", *words])
    assert stopped.value.code == 1
    assert says in capsys.readouterr().err


def test_the_command_knows_every_scenario() -> None:
    words = [scenario.value for scenario in Scenario]
    assert build_parser().parse_args(["drill", *words]).scenario == words


def test_scenarios_may_stand_before_the_options_or_after_them() -> None:
    for words in (["drill", "reload", "geo-loss", "--rate", "50"], ["drill", "--rate", "50", "reload", "geo-loss"]):
        assert build_parser().parse_args(words).scenario == ["reload", "geo-loss"]
    assert build_parser().parse_args(["drill", "--all"]).scenario == []


def test_headers_are_written_either_way() -> None:
    words = ["drill", "reload", "--header", "authorization: Bearer a=b", "--header", "x-tenant=a:b", "--header", "x="]
    args = build_parser().parse_args(words)
    assert args.header == [("authorization", "Bearer a=b"), ("x-tenant", "a:b"), ("x", "")]


def test_a_live_system_is_not_disturbed_without_a_yes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_live(place)) == 1
    said = capsys.readouterr().err
    assert "this disturbs a live system with 100 requests a second to http://127.0.0.1:9/" in said
    assert "a legal order takes the region that serves out" in said
    assert "give --yes" in said
    _undisturbed(place)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--yes", "suspension", "region-loss"], 1, "give --break and --mend"),
        (["--yes", "--policy", "/no/such/policy.yaml", "suspension"], 78, "/no/such/policy.yaml"),
        (["--yes", "--log", "/no/such/log", "suspension"], 78, "expected the logs of one node"),
        (["--yes", "--body", "/no/such/body", "suspension"], 1, "--body: /no/such/body is no file"),
    ],
)
def test_what_cannot_be_used_is_told_before(
    place: Path, more: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_live(place, *more)) == code
    assert says in capsys.readouterr().err
    _undisturbed(place)


@pytest.mark.slow
def test_a_live_system_that_does_not_serve_is_not_disturbed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_live(place, "--yes", "--rate", "10", "suspension")) == 70
    said = capsys.readouterr().err
    assert "does not serve to begin with" in said
    assert "in the scenario suspension" in said
    assert "steady load of 10 requests a second" in said
    _undisturbed(place)
    assert not (place / "drill.md").exists()


def _undisturbed(place: Path) -> None:
    assert (place / "overrides.yaml").read_text() == "apiVersion: situs/v1\noverrides: []\n"


def test_a_folder_that_is_not_empty_is_not_used(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "--all", "--dir", str(place)]) == 78
    assert "is not empty" in capsys.readouterr().err
