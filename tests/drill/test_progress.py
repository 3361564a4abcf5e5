"""What a drill says while it goes on."""

import io
import re

import pytest

from extproc.cli.drill_progress import Progress
from extproc.drill.scenarios import Scenario


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_step_is_one_plain_line() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.say("starting [everything]")
        progress.of(Scenario.RELOAD, "now it is " + "long " * 40)
    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(r" +\d+\.\d s  starting \[everything\]", first)
    assert re.fullmatch(r" +\d+\.\d s  reload: now it is (long )+", second)


def test_on_a_terminal_the_step_stands_there_until_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = _Terminal()
    with Progress(stream) as progress:
        progress.say("starting [everything]")
        progress.say("stopping")
        progress.close()
    said = stream.getvalue()
    assert said.count("starting [everything]") >= 1
    assert "stopping" in said
    assert said.endswith("\x1b[?25h") or "\x1b[?25h" in said  # the cursor is back
