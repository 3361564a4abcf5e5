"""What really happened to a request, held against what was decided for it.

Every attempt counts: a region that failed a request has received its data too.
"""

from dataclasses import dataclass
from enum import StrEnum

from extproc.core.decide import Decision
from extproc.core.ids import DecisionId, RegionId
from extproc.core.steering import Steer


class Finding(StrEnum):
    """What reconciliation found. Everything but the first three is a violation."""

    MATCHED = "matched"
    """Every attempt went to a region of the plan."""

    UNDELIVERED = "undelivered"
    """No region received the request: Envoy answered by itself after a decision to steer."""

    DECIDED_ELSEWHERE = "decided_elsewhere"
    """Another worker, or an earlier incarnation of this one, made the decision: the auditor joins the logs."""

    OUTSIDE_PERMITTED = "outside_permitted"
    """A region that tier 1 had excluded received the request."""

    OUTSIDE_PLAN = "outside_plan"
    """A permitted region that the plan did not name received the request."""

    REFUSED_BUT_SENT = "refused_but_sent"
    """The decision was a refusal, yet a region received the request."""

    NO_DECISION = "no_decision"
    """A region received a request that bears no decision at all."""

    @property
    def is_violation(self) -> bool:
        """Tell whether the finding breaks the first invariant or cannot be shown to keep it."""
        return self not in (Finding.MATCHED, Finding.UNDELIVERED, Finding.DECIDED_ELSEWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One upstream attempt, from Envoy's own log. `region` is None where the cluster is no region's.

    `status` is the HTTP status, 0 when none came. `flags` are Envoy's response flags by their short names (`UF`).
    Times are Unix seconds and seconds.
    """

    cluster: str
    region: RegionId | None
    status: int
    began_at_s: float
    duration_s: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What Envoy did with one request: each attempt in order, the region that served, and the finding.

    `decision` is None where the request bore no decision id. `attempts_expected` is Envoy's own count; when fewer
    attempts were seen, the record says so.
    """

    decision: DecisionId | None
    attempts: tuple[Attempt, ...]
    attempts_expected: int
    served: RegionId | None
    status: int
    began_at_s: float
    duration_s: float
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a decision allowed, kept until its delivery is known: the permitted regions and the plan."""

    permitted: frozenset[RegionId]
    plan: tuple[RegionId, ...]


def reconcile(decision: DecisionId | None, intent: Intent | None, attempts: tuple[Attempt, ...]) -> Finding:
    """Hold the attempts against the intent, which is None where this log does not know the decision.

    The gravest finding wins. An attempt in a cluster that is no region's is outside the permitted set.
    """
    if not attempts:
        return Finding.UNDELIVERED
    if decision is None:
        return Finding.NO_DECISION
    if intent is None:
        return Finding.DECIDED_ELSEWHERE
    if not intent.plan:
        return Finding.REFUSED_BUT_SENT
    if any(attempt.region is None or attempt.region not in intent.permitted for attempt in attempts):
        return Finding.OUTSIDE_PERMITTED
    if any(attempt.region not in intent.plan for attempt in attempts):
        return Finding.OUTSIDE_PLAN
    return Finding.MATCHED


def intent_of(decision: Decision) -> Intent:
    """Give what a decision allowed."""
    plan = decision.steering.plan if isinstance(decision.steering, Steer) else ()
    regions = decision.verdict.regions if decision.verdict is not None else ()
    return Intent(permitted=frozenset(r.region for r in regions if r.exclusion is None), plan=plan)
