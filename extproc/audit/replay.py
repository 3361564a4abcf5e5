"""Deciding again from a record: the same facts, health and time must give the same decision."""

from extproc.core.decide import Decision, decide
from extproc.core.health import NEVER_OBSERVED, RegionHealth
from extproc.core.ids import RegionId
from extproc.core.overrides import Suspension
from extproc.core.region import Estimate
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
    snapshot = Snapshot(
        revision=recorded.config,
        policy=policy,
        suspensions=suspensions,
        # Regions without an estimate were not permitted, so their health was never looked at.
        health=tuple(_health(estimates, region.id, recorded.decided_at_s) for region in policy.regions),
        shadow=shadow,
    )
    return decide(
        recorded.facts,
        snapshot,
        now_s=recorded.decided_at_s,
        decision_id=recorded.id,
        shadow_facts=None if recorded.shadow is None else recorded.shadow.facts,
    )


def _health(estimates: dict[RegionId, Estimate], region: RegionId, now_s: float) -> RegionHealth:
    """Turn an estimate back into the observation that it was made of."""
    estimate = estimates.get(region)
    if estimate is None:
        return NEVER_OBSERVED
    observed_at_s = now_s - estimate.age_s if estimate.age_s is not None else 0.0
    latencies_s = () if estimate.latency_s is None else (estimate.latency_s,)
    return RegionHealth(state=estimate.state, observed_at_s=observed_at_s, latencies_s=latencies_s)
