"""Puts the literal interpreter's questions to a compiled policy, through the decision itself."""

from datetime import datetime

from policy.literal import Answer, Question
from policy.literal_rules import RegionAnswer
from policy.random_laws import Written
from policy.strategies import as_yaml
from support.tables import TIERS

from extproc.core.decide import Decision, Permitted, Refused, decide, rule, transfers_of
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source
from extproc.core.ids import ConfigRevision, DataClass, DecisionId, Jurisdiction, ModelId, TenantId
from extproc.core.jurisdiction import Verdict
from extproc.core.overrides import Suspension
from extproc.core.routing.standing import UNSEEN
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Steer
from extproc.core.tables import PolicyTables
from extproc.policy import CompiledPolicy, compile_policy, parse_policy

ID = DecisionId("00000000-0000-7000-8000-000000000000")


def compiled(policy: Written) -> CompiledPolicy:
    return compile_policy(parse_policy(as_yaml(policy)))


def facts_of(asked: Question) -> RequestFacts:
    """Say a question as the edge would."""
    return RequestFacts(
        tenant=None if asked.tenant is None else TenantId(asked.tenant),
        binding=Binding.CLAIM,
        model=None if asked.model is None else ModelId(asked.model),
        classes=tuple(ClassSignal(source=ClassSource.HEADER, data_class=DataClass(name)) for name in asked.classes),
        signals=tuple(
            Signal(
                source=Source(source),
                tier=TIERS[Source(source)],
                jurisdiction=None if place is None else Jurisdiction(place),
            )
            for source, place in asked.signals.items()
        ),
    )


def question_of(facts: RequestFacts) -> Question:
    """Say in plain words what the edge says."""
    return Question(
        tenant=facts.tenant,
        model=facts.model,
        signals={signal.source.value: signal.jurisdiction for signal in facts.signals},
        classes=tuple(signal.data_class for signal in facts.classes),
    )


def snapshot_of(policy: CompiledPolicy) -> Snapshot:
    """Give a snapshot in which nothing is known of any region."""
    return Snapshot(
        revision=ConfigRevision("sha256:1"),
        policy=policy.tables,
        suspensions=policy.suspensions,
        standings=(UNSEEN,) * len(policy.tables.regions),
    )


def decided(facts: RequestFacts, policy: CompiledPolicy, now: datetime) -> Decision:
    return decide(facts, snapshot_of(policy), now_s=now.timestamp(), decision_id=ID)


def ruled(asked: Question, tables: PolicyTables, orders: tuple[Suspension, ...], now_s: float) -> Answer:
    """Ask tier 1, in the words of the literal interpreter; tier 2's plan is left out."""
    return said(rule(facts_of(asked), tables, orders, now_s=now_s), tables)


def said(answer: Permitted | Refused, tables: PolicyTables) -> Answer:
    """Say in plain words what tier 1 says."""
    refused = answer.deny if isinstance(answer, Refused) else None
    verdict = answer.verdict
    refusal = None if refused is None else refused.refusal.value
    host = None if refused is None else refused.redirect_host
    if verdict is None:
        return Answer(refusal=refusal, host=host)
    transfers: dict[str, tuple[str, ...]] = {}
    if isinstance(answer, Permitted):
        transfers = {
            str(region.id): tuple(
                f"{transfer.permit.name} {transfer.reference}".rstrip()
                for transfer in transfers_of(tables, answer.tenant, verdict, (i,))
            )
            for i, region in enumerate(tables.regions)
            if verdict.permitted >> i & 1
        }
    return Answer(
        refusal=refusal,
        host=host,
        places=verdict.jurisdictions.names,
        assumed=verdict.jurisdictions.assumed,
        classes=verdict.classes,
        regimes=verdict.regimes,
        obligations=verdict.obligations,
        ingress=verdict.ingress,
        regions=_regions(verdict),
        transfers=transfers,
    )


def plan_of(decision: Decision) -> tuple[str, ...]:
    return decision.steering.plan if isinstance(decision.steering, Steer) else ()


def permitted(decision: Decision) -> set[str]:
    """Give the permitted regions, and see that the plan names no other."""
    verdict = decision.verdict
    found = set() if verdict is None else {str(each.region) for each in verdict.regions if each.exclusion is None}
    assert set(plan_of(decision)) <= found
    return found


def _regions(verdict: Verdict) -> dict[str, RegionAnswer]:
    return {
        each.region: RegionAnswer(
            each.exclusion, each.excluded_by, tuple([permit.name for permit in each.permits]) if each.permits else ()
        )
        for each in verdict.regions
    }
