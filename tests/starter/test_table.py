"""The table of the README is made from the data, and is today's."""

from pathlib import Path

import pytest

from extproc.policy.starter.fragments import regime_texts
from extproc.policy.starter.table import BEGIN, END, MarkerError, main, render_table, updated

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_todays_table() -> None:
    text = README.read_text(encoding="utf-8")
    assert BEGIN in text, f"mend: write {BEGIN} and {END} into README.md, then run the command below"
    assert text == updated(text), "mend: python -m extproc.policy.starter.table README.md"


def test_every_regime_has_a_row_of_the_same_width() -> None:
    lines = render_table().splitlines()
    assert {line.count(" | ") for line in lines} == {8}
    assert sorted(line.split("`")[1] for line in lines[2:]) == sorted(regime_texts())
    assert len(lines) == 2 + len(regime_texts())


def test_a_row_says_what_the_law_says() -> None:
    (row,) = (line for line in render_table().splitlines() if line.startswith("| `in-dpdp` |"))
    assert "people in IN or exporters in IN" in row
    assert "`in`: IN (internal; high)" in row
    assert "by `contract`, until 2027-05-13; medium" in row
    assert "financial: only `in`" in row
    assert "RBI/2017-18/153 of 6 April 2018" in row


def test_a_doubt_stands_in_the_table() -> None:
    (row,) = (line for line in render_table().splitlines() if line.startswith("| `kz` |"))
    assert row.endswith("| the effects of the Kazakh Digital Code |")


def test_the_command_replaces_what_is_between_the_markers(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert main([str(path)]) == 0
    text = path.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n| regime |")
    assert text.endswith(f"|\n\n{END}\nafter\n")
    assert "old" not in text
    assert updated(text) == text


def test_a_file_without_markers_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"{BEGIN} and no end\n")
    assert main([str(path)]) == 1
    assert path.read_text() == f"{BEGIN} and no end\n"
    assert "Mend: write" in capsys.readouterr().err
    with pytest.raises(MarkerError):
        updated("nothing")
