"""What logs and cells say of each request: where it went, on which basis, and what the auditor finds."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from bench.profiles.policies import round_trips_s
from bench.profiles.story import Answer, Told
from bench.profiles.traffic import KINDS
from extproc.audit.show import read_records
from extproc.core.decide import Decision
from extproc.core.delivery import Delivery
from extproc.core.ids import RegionId
from extproc.core.routing.health import HealthState
from extproc.core.steering import Steer
from extproc.core.tables import Profile
from extproc.demo.process import python
from extproc.ledger.decision_reader import decision_from_entry
from extproc.ledger.entries import delivery_from_entry

_OK = 200
_HOME = {kind.name: kind.home for kind in KINDS}
_TRIPS_S = round_trips_s()


class Failover(StrEnum):
    """Who led a request past a permitted region that was nearer."""

    SIDECAR = "sidecar"
    """It saw the nearest permitted region down, and named others."""
    ENVOY = "Envoy"
    """It tried the next region of the plan, or found the first unhealthy."""


class Crossing(StrEnum):
    """On which basis a request was served outside the subject's own legal area."""

    UNRESTRICTED = "unrestricted"
    TRANSFER = "transfer"
    UNREGULATED = "unregulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request with its record. `crossing` is None for what was served at home or not at all.

    `transfer_recorded`: the decision names a transfer that its plan may cause. `transferred`: a region that is reached
    by a transfer has received the request.
    """

    answer: Answer
    crossing: Crossing | None
    failover: Failover | None
    transfer_recorded: bool
    transferred: bool

    @property
    def served(self) -> bool:
        """Tell whether a region answered it."""
        return self.answer.status == _OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is found wrong with one profile's run: nothing, or it does not hold.

    `missing` are answers whose decision is in no log, `leaks` requests that a cell received although no logged decision
    permits it there, `findings` what reconciliation said of the deliveries, by name.
    """

    verify_exit: int
    verify_result: str
    violations: float
    decisions: int
    findings: dict[str, int]
    missing: int
    leaks: int

    @property
    def holds(self) -> bool:
        """Tell whether nothing left its permitted set and the log proves it."""
        return self.verify_exit == 0 and not self.violations and not self.missing and not self.leaks


_WITHOUT_DECISION: Final = (0, 503, 504)
"""Nothing came back; the sidecar or every region of the plan was gone; the sidecar was late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    decisions: dict[str, Decision]
    deliveries: dict[str, Delivery]
    findings: dict[str, int]


def examine(told: Told) -> tuple[list[Case], dict[Profile, Proof]]:
    """Join every answer with its record, and prove each profile's log with the auditor's own command."""
    records = {profile: _read(log) for profile, log in told.logs.items()}
    cases = [_case(answer, records[answer.profile]) for answer in told.answers]
    leaks = _leaks(told.received, records)
    proofs: dict[Profile, Proof] = {}
    for profile, found in records.items():
        exit_code, result = _verify(told.logs[profile], told.signers[profile])
        proofs[profile] = Proof(
            verify_exit=exit_code,
            verify_result=result,
            violations=told.violations[profile],
            decisions=len(found.decisions),
            findings=found.findings,
            missing=sum(_is_missing(a, found) for a in told.answers if a.profile is profile),
            leaks=leaks[profile],
        )
    return cases, proofs


def _is_missing(answer: Answer, records: _Records) -> bool:
    """Tell whether an answer has no record. Where Envoy answered by itself, or nobody, there is no id to look for."""
    if answer.decision is None:
        return answer.status not in _WITHOUT_DECISION
    return answer.decision not in records.decisions


def _read(log: Path) -> _Records:
    decisions: dict[str, Decision] = {}
    deliveries: dict[str, Delivery] = {}
    findings: Counter[str] = Counter()
    for record in read_records(log, kinds=frozenset({"decision", "delivery"})):
        if record.entry.HasField("decision"):
            decisions[record.decision or ""] = decision_from_entry(record.entry)
        else:
            delivery = delivery_from_entry(record.entry)
            deliveries[record.decision or ""] = delivery
            findings[delivery.finding.value] += 1
    return _Records(decisions=decisions, deliveries=deliveries, findings=dict(findings))


def _case(answer: Answer, records: _Records) -> Case:
    decision = records.decisions.get(answer.decision or "")
    delivery = records.deliveries.get(answer.decision or "")
    reached = {attempt.region for attempt in delivery.attempts} if delivery is not None else set()
    by_transfer = {transfer.region for transfer in decision.transfers} if decision is not None else set()
    served = answer.status == _OK and decision is not None
    return Case(
        answer=answer,
        crossing=_crossing(answer, decision) if served and decision is not None else None,
        failover=_failover(answer, decision) if served and decision is not None else None,
        transfer_recorded=bool(by_transfer),
        transferred=bool(reached & by_transfer),
    )


def _crossing(answer: Answer, decision: Decision) -> Crossing | None:
    if answer.region in _HOME[answer.kind] or decision.verdict is None:
        return None
    if not decision.verdict.regimes:
        return Crossing.UNREGULATED
    permits = next(each.permits for each in decision.verdict.regions if each.region == answer.region)
    return Crossing.TRANSFER if any(permit.basis.is_transfer for permit in permits) else Crossing.UNRESTRICTED


def _failover(answer: Answer, decision: Decision) -> Failover | None:
    if not isinstance(decision.steering, Steer) or decision.choice is None:
        return None
    if answer.region != decision.steering.plan[0]:
        return Failover.ENVOY
    states = {each.region: each.state for each in decision.choice.estimates}
    nearest = min(states, key=lambda region: _TRIPS_S[region])
    return Failover.SIDECAR if states[nearest] is HealthState.DOWN else None


def _leaks(received: Iterable[tuple[RegionId, str | None]], records: dict[Profile, _Records]) -> dict[Profile, int]:
    """Judge by what the cells received. What bears no logged decision at all counts against every profile."""
    leaks: dict[Profile, int] = dict.fromkeys(records, 0)
    for region, id_ in received:
        deciders = [profile for profile, found in records.items() if (id_ or "") in found.decisions]
        if not deciders:
            for profile in leaks:
                leaks[profile] += 1
        for profile in deciders:
            verdict = records[profile].decisions[id_ or ""].verdict
            permitted = {each.region for each in verdict.regions if each.exclusion is None} if verdict else set()
            leaks[profile] += region not in permitted
    return leaks


def _verify(log: Path, signer: Path) -> tuple[int, str]:
    command = python("extproc", "audit", "verify", log, "--key", signer, "--json")
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    try:
        result = str(json.loads(done.stdout)["result"])
    except (ValueError, KeyError):
        result = (done.stderr or done.stdout).strip()
    return done.returncode, result
