"""The decision: the main path of Situs, from facts to steering."""

from dataclasses import dataclass
from typing import Final

from extproc.core.facts import RequestFacts
from extproc.core.fitness import Unfit
from extproc.core.ids import ConfigRevision, Country, DecisionId, Jurisdiction, PolicyRevision, RegionId
from extproc.core.jurisdiction import Jurisdictions, Undecided, Verdict, classes_of, judge, jurisdictions_of
from extproc.core.overrides import Suspension
from extproc.core.reasons import Fault, Refusal
from extproc.core.routing.choose import UNCOUNTED, Choice, Moment, choose
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Deny, Steer, Steering, format_plan
from extproc.core.tables import Epoch, OnMismatch, Permit, PolicyTables, Tenant

RETRY_AFTER_S: Final = 2
"""What a client is told to wait when no permitted region serves: two probe periods of a recovering cell."""

_FAULTS: Final = {
    Fault.MALFORMED_REQUEST: Refusal.MALFORMED_REQUEST,
    Fault.MALFORMED_DECLARATION: Refusal.MALFORMED_DECLARATION,
    Fault.CONFLICTING_DECLARATIONS: Refusal.CONFLICTING_DECLARATIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """That a region of the plan receives the data under a permit that is a transfer (GDPR Art. 44).

    `reference` is the tenant's own one of the mechanism, empty where it gives none.
    """

    region: RegionId
    importer: Country
    exporter: Jurisdiction | None
    permit: Permit
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """What the shadow policy says of the same request: a verdict, with the refusal that follows from it if one does.

    `facts` are None where the shadow policy read the same of the request as the live one. Which regions are unfit is
    seen for the live policy: what only the shadow policy binds them to is not.
    """

    policy: PolicyRevision
    facts: RequestFacts | None
    verdict: Verdict | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision and all that led to it.

    `verdict` is None when tier 1 could not define an answer, `choice` when tier 1 left nothing to choose from. The
    regions of the plan are always permitted by the verdict. `shadow` is None where no shadow policy is loaded.
    """

    id: DecisionId
    decided_at_s: float
    config: ConfigRevision
    facts: RequestFacts
    steering: Steering
    verdict: Verdict | None = None
    choice: Choice | None = None
    transfers: tuple[Transfer, ...] = ()
    shadow: Shadowed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """Tier 1 leaves at least one region, for this tenant."""

    verdict: Verdict
    tenant: Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Tier 1 refuses; with a verdict where nothing is permitted or the request arrived in the wrong place."""

    deny: Deny
    verdict: Verdict | None = None


def decide(  # noqa: PLR0913 - the values of one decision, each by name
    facts: RequestFacts,
    snapshot: Snapshot,
    *,
    now_s: float,
    decision_id: DecisionId,
    shadow_facts: RequestFacts | None = None,
    moment: Moment = UNCOUNTED,
) -> Decision:
    """Decide one request. Pure: the same arguments give an equal decision, whenever and wherever.

    `now_s` is Unix time in seconds. `shadow_facts` are what the shadow policy reads of the same request; None where it
    reads the same. `moment` is what tier 2 knows of this moment alone. Never raises for any facts: what cannot be
    decided is a refusal.
    """
    shadow = _shadowed(facts, shadow_facts, snapshot, now_s)

    # 1. Tier 1: where the request may go, if anywhere.
    ruled = rule(facts, snapshot.policy, snapshot.suspensions, now_s=now_s, unfit=snapshot.unfit(facts.model))

    def decided(steering: Steering, choice: Choice | None = None, transfers: tuple[Transfer, ...] = ()) -> Decision:
        return Decision(
            id=decision_id,
            decided_at_s=now_s,
            config=snapshot.revision,
            facts=facts,
            steering=steering,
            verdict=ruled.verdict,
            choice=choice,
            transfers=transfers,
            shadow=shadow,
        )

    if isinstance(ruled, Refused):
        return decided(ruled.deny)
    verdict = ruled.verdict

    # 2. Tier 2: the best of what tier 1 left, and nothing else.
    policy = snapshot.policy
    choice = choose(
        permitted=verdict.permitted,
        regions=policy.regions,
        standings=snapshot.standings,
        deployment=policy.deployment,
        plan_length=policy.plan_length,
        now_s=now_s,
        moment=moment,
    )
    if not choice.plan:
        refusal = Refusal.SPILL_REFUSED if choice.is_full else Refusal.NO_SERVING_REGION
        return decided(Deny(refusal=refusal, retry_after_s=RETRY_AFTER_S), choice)

    # 3. Steering: the plan by name, and each transfer that it may cause.
    plan = [policy.regions[i] for i in choice.plan]
    steer = Steer(plan=tuple(region.id for region in plan), route=format_plan([region.cluster for region in plan]))
    return decided(steer, choice, transfers_of(policy, ruled.tenant, verdict, choice.plan))


def rule(
    facts: RequestFacts,
    policy: PolicyTables,
    suspensions: tuple[Suspension, ...],
    *,
    now_s: float,
    unfit: tuple[Unfit, ...] = (),
) -> Permitted | Refused:
    """Answer tier 1 for one request: whose law claims it, and where that lets it go.

    `unfit` are the regions that may not serve the request's model now.
    """
    # 1. A request that could not be read is refused for what was wrong with it.
    if facts.faults:
        return Refused(deny=Deny(refusal=_FAULTS[facts.faults[0]]))

    # 2. The rules in force at this time, and the tenant whose rules they are.
    epoch = policy.epoch_at(now_s)
    if epoch is None:
        return Refused(deny=Deny(refusal=Refusal.POLICY_NOT_IN_FORCE))
    tenant = policy.tenants.get(facts.tenant) if facts.tenant is not None else None
    if tenant is None:
        return Refused(deny=Deny(refusal=Refusal.UNKNOWN_TENANT))
    model = policy.models.get(facts.model) if facts.model is not None else None
    if model is None or facts.model is None:
        return Refused(deny=Deny(refusal=Refusal.UNKNOWN_MODEL))

    # 3. Whose law claims the data, what data it is, and where it may go.
    try:
        verdict = judge(
            policy=policy,
            epoch=epoch,
            tenant=tenant,
            model=facts.model,
            jurisdictions=jurisdictions_of(facts, policy),
            classes=classes_of(facts, tenant, model, policy),
            suspensions=suspensions,
            now_s=now_s,
            unfit=unfit,
        )
    except Undecided as undecided:
        return Refused(deny=Deny(refusal=undecided.refusal))
    nothing = None if verdict.permitted else _nothing_permitted(verdict)
    if nothing is not None and nothing.refusal is Refusal.NO_PERMITTED_REGION:
        return Refused(verdict=verdict, deny=nothing)

    # 4. Whether it may be here at all: its data has already moved to where TLS ended, and waiting would not help that.
    if not verdict.ingress and policy.on_mismatch is not OnMismatch.OBSERVE:
        host = _redirect(epoch, verdict.jurisdictions) if policy.on_mismatch is OnMismatch.REDIRECT else None
        return Refused(verdict=verdict, deny=Deny(refusal=Refusal.WRONG_INGRESS, redirect_host=host))
    if nothing is not None:
        return Refused(verdict=verdict, deny=nothing)
    return Permitted(verdict=verdict, tenant=tenant)


def _nothing_permitted(verdict: Verdict) -> Deny:
    """Tell whether it is the law, an order or a choice that leaves nothing, or only that no region is fit now."""
    if any(each.exclusion is not None and each.exclusion.is_of_fitness for each in verdict.regions):
        return Deny(refusal=Refusal.NO_ELIGIBLE_REGION, retry_after_s=RETRY_AFTER_S)
    return Deny(refusal=Refusal.NO_PERMITTED_REGION)


def transfers_of(
    policy: PolicyTables, tenant: Tenant, verdict: Verdict, regions: tuple[int, ...]
) -> tuple[Transfer, ...]:
    """List every transfer that sending the request to `regions` would be, in their order."""
    return tuple(
        Transfer(
            region=verdict.regions[i].region,
            importer=policy.regions[i].country,
            exporter=tenant.exporter,
            permit=permit,
            reference="" if permit.mechanism is None else tenant.references.get(permit.mechanism, ""),
        )
        for i in regions
        for permit in verdict.regions[i].permits
        if permit.basis.is_transfer
    )


def _redirect(epoch: Epoch, jurisdictions: Jurisdictions) -> str | None:
    """Give the one host that is right for all of the jurisdictions, if there is one."""
    hosts = {epoch.redirects.get(name) or epoch.redirects.get(Jurisdiction(name[:2])) for name in jurisdictions.names}
    return hosts.pop() if len(hosts) == 1 else None


def _shadowed(
    facts: RequestFacts, shadow_facts: RequestFacts | None, snapshot: Snapshot, now_s: float
) -> Shadowed | None:
    shadow = snapshot.shadow
    if shadow is None:
        return None
    own = shadow_facts if shadow_facts != facts else None
    asked = facts if own is None else own
    ruled = rule(asked, shadow.policy, shadow.suspensions, now_s=now_s, unfit=snapshot.unfit(asked.model))
    return Shadowed(
        policy=shadow.policy.revision,
        facts=own,
        verdict=ruled.verdict,
        refusal=ruled.deny.refusal if isinstance(ruled, Refused) else None,
    )
