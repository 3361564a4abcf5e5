"""The decision: the main path of Situs, from facts to steering."""

from dataclasses import dataclass
from typing import Final

from extproc.core.facts import RequestFacts
from extproc.core.ids import ConfigRevision, Country, DecisionId, Jurisdiction, RegionId
from extproc.core.jurisdiction import Undecided, Verdict, classes_of, judge, jurisdictions_of
from extproc.core.reasons import Fault, Refusal
from extproc.core.region import Choice, choose
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Deny, Steer, Steering, format_plan
from extproc.core.tables import Permit, Tenant

RETRY_AFTER_S: Final = 2
"""What a client is told to wait when no permitted region serves: two probe periods of a recovering cell."""

_FAULTS: Final = {
    Fault.MALFORMED_REQUEST: Refusal.MALFORMED_REQUEST,
    Fault.MALFORMED_DECLARATION: Refusal.MALFORMED_DECLARATION,
    Fault.CONFLICTING_DECLARATIONS: Refusal.CONFLICTING_DECLARATIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """That a region of the plan receives the data under a permit that is a transfer (GDPR Art. 44)."""

    region: RegionId
    importer: Country
    exporter: Jurisdiction | None
    permit: Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision and all that led to it.

    `verdict` is None when tier 1 could not define an answer, `choice` when tier 1 left nothing to choose from. The
    regions of the plan are always permitted by the verdict.
    """

    id: DecisionId
    decided_at_s: float
    config: ConfigRevision
    facts: RequestFacts
    steering: Steering
    verdict: Verdict | None = None
    choice: Choice | None = None
    transfers: tuple[Transfer, ...] = ()


def decide(facts: RequestFacts, snapshot: Snapshot, *, now_s: float, decision_id: DecisionId) -> Decision:
    """Decide one request. Pure: the same arguments give an equal decision, whenever and wherever.

    `now_s` is Unix time in seconds. Never raises for any facts: what cannot be decided is a refusal.
    """

    def decided(
        steering: Steering, verdict: Verdict | None = None, choice: Choice | None = None, *rest: Transfer
    ) -> Decision:
        return Decision(
            id=decision_id,
            decided_at_s=now_s,
            config=snapshot.revision,
            facts=facts,
            steering=steering,
            verdict=verdict,
            choice=choice,
            transfers=rest,
        )

    policy = snapshot.policy

    # 1. A request that could not be read is refused for what was wrong with it.
    if facts.faults:
        return decided(Deny(refusal=_FAULTS[facts.faults[0]]))

    # 2. The rules in force at this time, and the tenant whose rules they are.
    epoch = policy.epoch_at(now_s)
    if epoch is None:
        return decided(Deny(refusal=Refusal.POLICY_NOT_IN_FORCE))
    tenant = policy.tenants.get(facts.tenant) if facts.tenant is not None else None
    if tenant is None:
        return decided(Deny(refusal=Refusal.UNKNOWN_TENANT))
    if facts.model is None:
        return decided(Deny(refusal=Refusal.UNKNOWN_MODEL))

    # 3. Tier 1: whose law claims the data, what data it is, and where it may go.
    try:
        verdict = judge(
            policy=policy,
            epoch=epoch,
            tenant=tenant,
            model=facts.model,
            jurisdictions=jurisdictions_of(facts, policy),
            classes=classes_of(facts, tenant, policy),
            suspensions=snapshot.suspensions,
            now_s=now_s,
        )
    except Undecided as undecided:
        return decided(Deny(refusal=undecided.refusal))
    if not verdict.permitted:
        return decided(Deny(refusal=Refusal.NO_PERMITTED_REGION), verdict)

    # 4. Tier 2: the best of what tier 1 left, and nothing else.
    choice = choose(
        permitted=verdict.permitted,
        regions=policy.regions,
        health=snapshot.health,
        plan_length=policy.plan_length,
        now_s=now_s,
    )
    if not choice.plan:
        deny = Deny(refusal=Refusal.NO_SERVING_REGION, retry_after_s=RETRY_AFTER_S)
        return decided(deny, verdict, choice)

    # 5. Steering: the plan by name, and each transfer that it may cause.
    plan = [policy.regions[i] for i in choice.plan]
    steer = Steer(plan=tuple(region.id for region in plan), route=format_plan([region.cluster for region in plan]))
    return decided(steer, verdict, choice, *_transfers(snapshot, tenant, verdict, choice))


def _transfers(snapshot: Snapshot, tenant: Tenant, verdict: Verdict, choice: Choice) -> tuple[Transfer, ...]:
    """List every transfer that following the plan may cause, in the plan's order."""
    return tuple(
        Transfer(
            region=verdict.regions[i].region,
            importer=snapshot.policy.regions[i].country,
            exporter=tenant.exporter,
            permit=permit,
        )
        for i in choice.plan
        for permit in verdict.regions[i].permits
        if permit.basis.is_transfer
    )
