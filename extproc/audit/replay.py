"""Deciding again from a record: the same facts, beliefs and time must give the same decision."""

from math import inf

from extproc.core.decide import Decision, decide
from extproc.core.fitness import Unfit
from extproc.core.ids import DependencyId, ModelId, RegionId
from extproc.core.jurisdiction import Verdict
from extproc.core.overrides import Suspension
from extproc.core.reasons import Exclusion
from extproc.core.routing.choose import Estimate, Moment
from extproc.core.routing.standing import UNSEEN, Standing
from extproc.core.snapshot import Shadow, Snapshot
from extproc.core.tables import PolicyTables


def replay(
    recorded: Decision, policy: PolicyTables, suspensions: tuple[Suspension, ...], shadow: Shadow | None = None
) -> Decision:
    """Decide again by the policies that the decision's ConfigSnapshot names and the orders recorded before it.

    Equal to `recorded` unless the record, a policy or the deciding program is another. Without `shadow` the shadow
    policy is not asked again, and the result says nothing of it.
    """
    estimates = {} if recorded.choice is None else {each.region: each for each in recorded.choice.estimates}
    # Regions without an estimate were not permitted, so nothing of them was looked at.
    believed = [estimates.get(region.id) for region in policy.regions]
    snapshot = Snapshot(
        revision=recorded.config,
        policy=policy,
        suspensions=suspensions,
        standings=tuple(_standing(each, recorded.decided_at_s) for each in believed),
        fitness=_fitness(recorded),
        shadow=shadow,
    )
    return decide(
        recorded.facts,
        snapshot,
        now_s=recorded.decided_at_s,
        decision_id=recorded.id,
        shadow_facts=None if recorded.shadow is None else recorded.shadow.facts,
        moment=_moment(believed),
    )


def _standing(estimate: Estimate | None, now_s: float) -> Standing:
    """Turn an estimate back into what it was made of, at the time of the decision."""
    if estimate is None:
        return UNSEEN
    return Standing(
        state=estimate.state,
        observed_at_s=now_s - estimate.age_s if estimate.age_s is not None else 0.0,
        latency_s=estimate.latency_s,
        budget=inf if estimate.budget is None else float(estimate.budget),
        missing_slo=estimate.missing_slo,
    )


def _moment(believed: list[Estimate | None]) -> Moment:
    """Give what was of that moment and request alone, where there was anything."""
    known = [each for each in believed if each is not None]
    counted = any(each.budget is not None or each.in_flight for each in known)
    preferred = any(each.preference is not None for each in known)
    return Moment(
        in_flight=[0 if each is None else each.in_flight for each in believed] if counted else (),
        preference=[_preference(each, len(believed)) for each in believed] if preferred else (),
    )


def _preference(estimate: Estimate | None, last: int) -> int:
    return last if estimate is None or estimate.preference is None else estimate.preference


def _fitness(recorded: Decision) -> dict[ModelId, tuple[Unfit, ...]]:
    """Give the regions that the verdicts found unfit, by model. Those that the law excluded before were not asked.

    The shadow policy may have read another model of the same request.
    """
    found: dict[ModelId, dict[RegionId, Unfit]] = {}
    shadow = recorded.shadow
    said = [(recorded.facts, recorded.verdict)]
    if shadow is not None:
        said.append((shadow.facts or recorded.facts, shadow.verdict))
    for facts, verdict in said:
        if facts.model is not None and verdict is not None:
            found.setdefault(facts.model, {}).update((each.region, each) for each in _unfit(verdict))
    return {model: tuple(unfit.values()) for model, unfit in found.items() if unfit}


def _unfit(verdict: Verdict) -> list[Unfit]:
    return [
        Unfit(
            region=RegionId(each.region),
            why=each.exclusion,
            by=DependencyId(each.excluded_by)
            if each.exclusion is Exclusion.DEPENDENCY_STALE and each.excluded_by is not None
            else None,
        )
        for each in verdict.regions
        if each.exclusion is not None and each.exclusion.is_of_fitness
    ]
