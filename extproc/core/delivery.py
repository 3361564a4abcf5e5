"""What really happened to a request, held against what was decided for it.

Every attempt counts: a region that failed a request has received its data too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from extproc.core.decide import Decision
from extproc.core.ids import DecisionId, ModelId, RegionId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.steering import Steer

ORDER_KEPT_S: Final = 3600.0
"""For how long an order that ended is held against attempts: longer than a decision waits for its delivery."""


class Finding(StrEnum):
    """What reconciliation found. Everything but the first four is a violation."""

    MATCHED = "matched"
    """Every attempt went to a region of the plan."""

    UNDELIVERED = "undelivered"
    """No region received the request: Envoy answered by itself after a decision to steer."""

    DECIDED_ELSEWHERE = "decided_elsewhere"
    """Another worker, or an earlier incarnation of this one, made the decision: the auditor joins the logs."""

    AFTER_ORDER = "after_order"
    """An attempt began when a legal order had taken out its region, its model or its legal basis: the retry of a
    request that was decided before. No order calls back what was decided already: it is named, and is no violation."""

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
        return self not in (Finding.MATCHED, Finding.UNDELIVERED, Finding.DECIDED_ELSEWHERE, Finding.AFTER_ORDER)


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
    """What a decision allowed, kept until its delivery is known: the permitted regions and the plan.

    `model` and `bases` are what orders can take out beside regions: the model that was asked for, and for each transfer
    the region with the permit that it rests on, named with its regime (`eu-gdpr.dpf`).
    """

    permitted: frozenset[RegionId]
    plan: tuple[RegionId, ...]
    model: ModelId | None = None
    bases: tuple[tuple[RegionId, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A legal order as one log knows it.

    Its process had recorded it at `since_s` and recorded its end at `ended_s`, None while there is none (Unix seconds,
    by that process's clock). Nobody can be held to an order before, so `from_s` of the suspension counts only when it
    is later.
    """

    suspension: Suspension
    since_s: float
    ended_s: float | None = None

    def held_at(self, at_s: float) -> bool:
        """Tell whether the order was known and in force at `at_s`."""
        return self.since_s <= at_s and (self.ended_s is None or at_s < self.ended_s) and self.suspension.in_force(at_s)

    @property
    def ends_s(self) -> float | None:
        """When it ended or will end, as far as is known; None where it stays until somebody releases it."""
        return min((each for each in (self.ended_s, self.suspension.until_s) if each is not None), default=None)

    def is_over(self, now_s: float) -> bool:
        """Tell whether it ended so long before `now_s` that no attempt of it can still be reported."""
        return self.ends_s is not None and self.ends_s < now_s - ORDER_KEPT_S

    def touches(self, intent: Intent) -> bool:
        """Tell whether following the intent can meet what the order takes out."""
        return any(self.takes(intent, region) for region in intent.plan)

    def takes(self, intent: Intent, region: RegionId | None) -> bool:
        """Tell whether the order takes out an attempt in `region`."""
        name = self.suspension.name
        match self.suspension.kind:
            case TargetKind.REGION:
                return region == name
            case TargetKind.MODEL:
                return intent.model == name
            case TargetKind.PERMIT:
                return (region, name) in intent.bases


def reconcile(
    decision: DecisionId | None, intent: Intent | None, attempts: tuple[Attempt, ...], orders: Iterable[Order] = ()
) -> Finding:
    """Hold the attempts against the intent, which is None where this log does not know the decision.

    The gravest finding wins. An attempt in a cluster that is no region's is outside the permitted set. When an attempt
    began is Envoy's word, by Envoy's clock.
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
    return Finding.MATCHED if late(intent, attempts, orders) is None else Finding.AFTER_ORDER


def late(intent: Intent, attempts: tuple[Attempt, ...], orders: Iterable[Order]) -> tuple[Attempt, Order] | None:
    """Give the first attempt that began under an order against it, and that order; None where there is none."""
    known = tuple(orders)
    for attempt in attempts if known else ():
        for order in known:
            if order.held_at(attempt.began_at_s) and order.takes(intent, attempt.region):
                return attempt, order
    return None


def intent_of(decision: Decision) -> Intent:
    """Give what a decision allowed."""
    plan = decision.steering.plan if isinstance(decision.steering, Steer) else ()
    regions = decision.verdict.regions if decision.verdict is not None else ()
    return Intent(
        permitted=frozenset(r.region for r in regions if r.exclusion is None),
        plan=plan,
        model=decision.facts.model,
        bases=tuple((each.region, f"{each.permit.regime}.{each.permit.id}") for each in decision.transfers),
    )
