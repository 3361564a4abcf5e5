"""Several scenarios, one after the other, and then what came of them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from extproc.drill.errors import DrillError
from extproc.drill.judge import judge
from extproc.drill.outcome import Outcome, targets_of
from extproc.drill.play import Pace, play
from extproc.drill.played import Played
from extproc.drill.scenarios import Scenario
from extproc.drill.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """The scenarios that were played to their end, and what kept the next one from it."""

    played: tuple[Played, ...]
    stopped_by: DrillError | None = None


async def rehearse(
    system: System, scenarios: Sequence[Scenario], pace: Pace, say: Callable[[Scenario, str], None]
) -> Rehearsed:
    """Play the scenarios. One that cannot be played ends it: what comes after would be measured on a broken system."""
    played: list[Played] = []
    for scenario in scenarios:
        try:
            played.append(await play(system, scenario, pace, partial(say, scenario)))
        except DrillError as error:
            error.add_note(f"in the scenario {scenario}")
            return Rehearsed(played=tuple(played), stopped_by=error)
    return Rehearsed(played=tuple(played))


async def outcomes_of(system: System, played: Sequence[Played]) -> tuple[Outcome, ...]:
    """Judge what was played by the system's evidence. Raises CustodyError for a log that contradicts itself."""
    if not played:
        return ()
    decisions = frozenset(a.decision for each in played for a in each.answers if a.decision is not None)
    evidence = await system.evidence(played[0].unix(played[0].began_s), decisions)
    received = system.received()
    return tuple(
        await asyncio.gather(
            *(
                asyncio.to_thread(judge, each, evidence, received, targets_of(system.tables, each.region))
                for each in played
            )
        )
    )
