"""What a drill does now, on standard error: plain lines, and a spinner where somebody looks."""

import time
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from rich.status import Status

    from extproc.drill.scenarios import Scenario


class Progress:
    """Says each step when it begins, with the seconds since the start."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._began_s = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def say(self, text: str) -> None:
        """Begin a step."""
        line = f"{time.monotonic() - self._began_s:6.1f} s  {text}"
        self._console.print(line, markup=False)
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(text.replace("[", "\\["))

    def of(self, scenario: "Scenario", text: str) -> None:
        """Begin a step of a scenario."""
        self.say(f"{scenario}: {text}")

    def close(self) -> None:
        """Stop spinning."""
        if self._status is not None:
            self._status.stop()
            self._status = None
