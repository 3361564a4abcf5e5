"""The simulation: every recorded decision again, under another policy, one at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Final

from extproc.audit.replay import replay
from extproc.audit.show import read_records
from extproc.core.decide import Decision
from extproc.core.facts import RequestFacts
from extproc.core.ids import RegionId
from extproc.core.steering import Deny, Steer
from extproc.core.tables import PolicyTables
from extproc.ledger.decision_reader import decision_from_entry
from extproc.policy.compile import CompiledPolicy
from extproc.review.simulate.following import Following
from extproc.review.simulate.reading import facts_for, missing_facts
from extproc.review.simulate.tally import Tally, outcome_of

_STEP: Final = 1024
_KEPT_FACTS: Final = 10_000


class NoDecisionsError(Exception):
    """There is nothing to simulate; the message has the mend."""


@dataclass(slots=True)
class Simulation:
    """What would have changed. Every number counts decisions, unless it says otherwise."""

    tally: Tally = field(default_factory=Tally)
    plans_same: int = 0
    plans_changed: int = 0
    """Another plan, by the recorded estimates. Only where there is an estimate for every region that is permitted."""
    plans_unknown: int = 0
    """Regions would be permitted of which nobody had looked whether they serve."""
    transfers_before: int = 0
    transfers_after: int = 0
    """The plan would hold a transfer."""
    transfers_possible: int = 0
    """The plan is not known, and a region that would be permitted is reached by a transfer."""
    transfers: Counter[tuple[str, RegionId]] = field(default_factory=Counter)
    """Transfers of known plans, by permit (`eu-gdpr.dpf`) and region."""
    missing: Counter[str] = field(default_factory=Counter)
    """Facts that the policy reads and the records do not have, with the number of decisions that lack them."""
    revisions: Counter[str] = field(default_factory=Counter)
    """The policies that decided, by revision."""


def simulate(
    compiled: CompiledPolicy,
    directory: Path,
    *,
    from_s: float = 0.0,
    until_s: float = inf,
    progress: Callable[[int], None] | None = None,
) -> Simulation:
    """Decide again, under `compiled`, what the logs at or below `directory` record in `[from_s, until_s)`.

    A region that was unfit then (another version of the model, a stale dependency) is unfit under `compiled` too: only
    the record knows what it showed. Reads one record at a time. `progress` is called with the number of records read
    since the last call.
    Raises NoDecisionsError, MalformedError, OSError and ValueError.
    """
    found = Simulation()
    run = _Run(compiled, found)
    following: Following | None = None
    log = ""
    for n, record in enumerate(read_records(directory), start=1):
        if following is None or record.log != log:
            log, following = record.log, Following(directory / record.log)
        match record.kind:
            case "config":
                following.take_config(record.entry.config)
            case "override":
                following.take_override(record.entry.override)
            case "decision" if from_s <= record.entry.at_s < until_s:
                run.take(decision_from_entry(record.entry), following)
            case _:
                pass
        if progress is not None and n % _STEP == 0:
            progress(_STEP)
    if not found.tally.decisions:
        raise NoDecisionsError(f"{directory}: no decision in this time. Mend: name the folder that holds the logs")
    return found


class _Run:
    def __init__(self, compiled: CompiledPolicy, found: Simulation) -> None:
        self._compiled = compiled
        self._found = found
        self._tables: dict[str, PolicyTables] = {}
        self._facts: dict[RequestFacts, RequestFacts] = {}
        self._missing: dict[tuple[str, bool], tuple[str, ...]] = {}

    def take(self, decision: Decision, following: Following) -> None:
        """Decide one again."""
        found = self._found
        again = replay(
            replace(decision, facts=self._read(decision.facts), shadow=None),
            self._at(following.ingress),
            (*self._compiled.suspensions, *following.orders),
        )
        refusals = [each.steering.refusal if isinstance(each.steering, Deny) else None for each in (decision, again)]
        before, after = outcome_of(decision.verdict, refusals[0]), outcome_of(again.verdict, refusals[1])
        found.tally.add(decision, before, after, again.verdict)
        found.revisions[following.revision] += 1
        for fact in self._lacking(following):
            found.missing[fact] += 1
        found.transfers_before += bool(decision.transfers)
        seen = set() if decision.choice is None else {each.region for each in decision.choice.estimates}
        if after.permitted <= seen:
            self._count_plan(decision, again)
        else:
            found.plans_unknown += 1
            found.transfers_possible += bool(after.transfers)

    def _count_plan(self, decision: Decision, again: Decision) -> None:
        found = self._found
        plans = [each.steering.plan if isinstance(each.steering, Steer) else () for each in (decision, again)]
        found.plans_same += plans[0] == plans[1]
        found.plans_changed += plans[0] != plans[1]
        found.transfers_after += bool(again.transfers)
        found.transfers.update((each.permit.name, each.region) for each in again.transfers)

    def _read(self, facts: RequestFacts) -> RequestFacts:
        read = self._facts.get(facts)
        if read is None:
            if len(self._facts) >= _KEPT_FACTS:
                self._facts.clear()
            read = self._facts[facts] = facts_for(facts, self._compiled.reading)
        return read

    def _at(self, ingress: str) -> PolicyTables:
        """Give the policy as it holds for a sidecar where the recording one stood, if it has that region."""
        if ingress not in self._tables:
            tables = self._compiled.tables
            region = RegionId(ingress)
            self._tables[ingress] = replace(tables, ingress_region=region) if region in tables.index else tables
        return self._tables[ingress]

    def _lacking(self, following: Following) -> tuple[str, ...]:
        key = (following.revision, following.live is None)
        if key not in self._missing:
            self._missing[key] = missing_facts(following.live, self._compiled)
        return self._missing[key]
