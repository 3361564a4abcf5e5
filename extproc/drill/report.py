"""What a person reads of a drill, and the same as plain data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from extproc.core.ids import PolicyRevision
from extproc.drill.outcome import Outcome
from extproc.drill.scenarios import TERMS
from extproc.drill.words import sentence
from extproc.ledger.housekeeping import DrillMode

_HEAD: Final = (
    "scenario",
    "time to recover (RTO)",
    "target",
    "requests",
    "failed",
    "outside permitted",
    "records lost (RPO)",
    "target",
    "passed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One run of `situs drill`: the outcomes, and of what. `log` is where the decision log lies."""

    mode: DrillMode
    program: str
    policy: str
    revision: PolicyRevision
    log: str
    per_s: float
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every scenario passed."""
        return all(outcome.passed for outcome in self.outcomes)


def rows_of(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Give the table: one row for each outcome, below :func:`head_of`."""
    return [
        (
            outcome.scenario.value,
            time_of(outcome),
            f"{outcome.targets.rto_s:g} s",
            f"{outcome.requests:,}",
            f"{outcome.failed:,}",
            f"{len(outcome.outside):,}",
            f"{len(outcome.lost):,}",
            f"{outcome.targets.rpo_records:,}",
            "yes" if outcome.passed else "NO",
        )
        for outcome in outcomes
    ]


def head_of() -> tuple[str, ...]:
    """Give the head of the table."""
    return _HEAD


def time_of(outcome: Outcome) -> str:
    """Say how long it took until service was there again."""
    if outcome.recovery_s is not None:
        return f"{outcome.recovery_s:.2f} s"
    return "not interrupted" if not outcome.interrupted else "never"


def to_markdown(drill: Drill) -> str:
    """Write the report as Markdown."""
    lines = [
        f"# Drill of {_day(drill.outcomes)}: {'passed' if drill.passed else 'not passed'}",
        "",
        f"- system: {_SYSTEMS[drill.mode]}",
        f"- policy: {drill.policy}, `{drill.revision}`",
        f"- decision log: `{drill.log}`",
        f"- load: {drill.per_s:g} requests a second",
        f"- program: situs {drill.program}",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{' --- |' * len(_HEAD)}",
        *(f"| {' | '.join(row)} |" for row in rows_of(drill.outcomes)),
        "",
        _targets(drill.outcomes),
        "",
    ]
    for outcome in drill.outcomes:
        when = f"{_moment(outcome.began_at_s)} to {_moment(outcome.ended_at_s)}"
        lines += [
            f"## {outcome.scenario}: {TERMS[outcome.scenario].what}",
            "",
            f"{sentence(outcome)}",
            "",
            *(f"- **{fault}**" for fault in outcome.faults),
            *(f"- {line}" for line in outcome.outside),
            *([f"- lost: {' '.join(outcome.lost)}"] if outcome.lost else []),
            *([""] if outcome.faults else []),
            f"{when}.",
            "",
        ]
    return "\n".join([*lines, _COUNTS, ""])


def to_json(drill: Drill) -> str:
    """Write the report as JSON. Times are Unix seconds and seconds."""
    return json.dumps(
        {
            "passed": drill.passed,
            "mode": drill.mode.value,
            "program": drill.program,
            "policy": {"id": drill.policy, "revision": drill.revision},
            "log": drill.log,
            "per_s": drill.per_s,
            "scenarios": [_outcome(outcome) for outcome in drill.outcomes],
        },
        indent=2,
    )


def _outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "scenario": outcome.scenario.value,
        "what": TERMS[outcome.scenario].what,
        "region": outcome.region,
        "done": outcome.done,
        "began_at_s": round(outcome.began_at_s, 3),
        "ended_at_s": round(outcome.ended_at_s, 3),
        "requests": outcome.requests,
        "failed": outcome.failed,
        "failed_with": dict(outcome.unserved),
        "refused_by_the_order": outcome.refused,
        "interrupted": outcome.interrupted,
        "recovery_s": None if outcome.recovery_s is None else round(outcome.recovery_s, 4),
        "targets": {
            "rto_s": outcome.targets.rto_s,
            "rpo_records": outcome.targets.rpo_records,
            "stated_by_the_policy": outcome.targets.stated,
        },
        "outside_permitted": list(outcome.outside),
        "by_the_cells_own_accounts": outcome.by_cells,
        "records": outcome.records,
        "records_lost": list(outcome.lost),
        "in_flight_at_the_fault": outcome.in_flight,
        "after_order": outcome.after_order,
        "faults": list(outcome.faults),
        "passed": outcome.passed,
        "sentence": sentence(outcome),
    }


_SYSTEMS: Final = {
    DrillMode.DEMO: "the demo's world, started for this drill",
    DrillMode.LIVE: "a live system",
}
_COUNTS: Final = (
    "The time to recover counts from the first failed attempt or request after the fault; in a brown-out and a "
    "suspension, where nothing needs to fail, from the fault. Service is there again with the first request that is "
    "served properly and is followed by a second of such; in a brown-out, where a slow region keeps a few requests by "
    "which it is seen when it is fast again, by a second in which half are, and most at its begin. A record is lost "
    "when a client has a decision's id of which the log knows nothing. `outside permitted` counts requests that a "
    "region received without a recorded decision that permits it."
)


def _targets(outcomes: Sequence[Outcome]) -> str:
    if all(outcome.targets.stated for outcome in outcomes):
        return "The targets are the policy's (`recovery` of the region)."
    if not any(outcome.targets.stated for outcome in outcomes):
        return "The policy states no targets (`recovery` of the region); these are the defaults."
    return "The targets are the policy's (`recovery` of the region), or the defaults where it states none."


def _day(outcomes: Sequence[Outcome]) -> str:
    return datetime.fromtimestamp(outcomes[0].began_at_s, UTC).strftime("%Y-%m-%d")


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
