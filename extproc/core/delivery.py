"""What really happened to a request, held against what was decided for it.

Every attempt counts: a region that failed a request has received its data too.
"""

from dataclasses import dataclass
from enum import StrEnum

from extproc.core.ids import DecisionId, RegionId


class Finding(StrEnum):
    """What reconciliation found. Everything but the first two is a violation."""

    MATCHED = "matched"
    """Every attempt went to a region of the plan."""

    UNDELIVERED = "undelivered"
    """No region received the request: Envoy answered by itself after a decision to steer."""

    OUTSIDE_PERMITTED = "outside_permitted"
    """A region that tier 1 had excluded received the request."""

    OUTSIDE_PLAN = "outside_plan"
    """A permitted region that the plan did not name received the request."""

    REFUSED_BUT_SENT = "refused_but_sent"
    """The decision was a refusal, yet a region received the request."""

    NO_DECISION = "no_decision"
    """A region received a request that bears no decision known to this log."""

    @property
    def is_violation(self) -> bool:
        """Tell whether the finding breaks the first invariant or cannot be shown to keep it."""
        return self not in (Finding.MATCHED, Finding.UNDELIVERED)


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

    `attempts_expected` is Envoy's own count; when fewer attempts were seen, the record says so.
    """

    decision: DecisionId
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


def reconcile(intent: Intent | None, attempts: tuple[Attempt, ...]) -> Finding:
    """Hold the attempts against the intent; `intent` is None when the decision is not known.

    The gravest finding wins. An attempt in a cluster that is no region's is outside the permitted set.
    """
    if not attempts:
        return Finding.UNDELIVERED
    if intent is None:
        return Finding.NO_DECISION
    if any(attempt.region is None or attempt.region not in intent.permitted for attempt in attempts):
        return Finding.OUTSIDE_PERMITTED if intent.plan else Finding.REFUSED_BUT_SENT
    if any(attempt.region not in intent.plan for attempt in attempts):
        return Finding.OUTSIDE_PLAN if intent.plan else Finding.REFUSED_BUT_SENT
    return Finding.MATCHED
