"""One scenario as it was played: what was done, when, and what came back. Nothing is judged here."""

from dataclasses import dataclass

from extproc.core.ids import RegionId
from extproc.demo.visits import Answer
from extproc.drill.scenarios import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A load, a fault and its end. Moments are seconds of the monotonic clock; `to_unix_s` makes Unix seconds of them.

    `region` is the one that served before the fault, `done` what was done to it. `struck_s` is when the fault began,
    `mended_s` when its end did. `unmet` are sentences of what the system did not show although it must.
    """

    scenario: Scenario
    region: RegionId
    done: str
    answers: tuple[Answer, ...]
    began_s: float
    struck_s: float
    mended_s: float
    ended_s: float
    to_unix_s: float
    unmet: tuple[str, ...] = ()

    def unix(self, moment_s: float) -> float:
        """Give a moment in Unix seconds."""
        return moment_s + self.to_unix_s
