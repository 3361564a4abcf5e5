"""Putting an explanation together: the question is asked once, and each part of the answer looked up."""

from extproc.core.decide import Refused
from extproc.core.facts import RequestFacts
from extproc.core.ids import DataClass, Jurisdiction, RegionId
from extproc.core.jurisdiction import RegionVerdict, Undecided, Verdict, jurisdictions_of
from extproc.core.overrides import Suspension
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import OnMismatch
from extproc.policy.compile import CompiledPolicy
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.document import CaseInput
from extproc.review.explain.answers import answer_in_words, is_transfer
from extproc.review.explain.changes import Changes, changes_of
from extproc.review.explain.gaps import missing, unconsidered
from extproc.review.explain.law import Law
from extproc.review.explain.model import Explanation, Ground, IngressNote, RegionNote
from extproc.review.explain.provisos import provisos_of
from extproc.review.explain.sources import bound_by, classes_of, signals_of
from extproc.review.question import ask, declared_classes, facts_of
from extproc.review.words import (
    day_of,
    exclusion_in_words,
    format_moment,
    joined,
    place_in_words,
    territory_in_words,
)


def explain(
    compiled: CompiledPolicy, given: CaseInput, now_s: float, beside: tuple[DataClass, ...] = ()
) -> Explanation:
    """Explain what tier 1 answers to one question at `now_s` (Unix seconds), and what would change it.

    `beside` are classes that the request declares beside the question's own.
    Raises KeyError where the policy has no such tenant.
    """
    document, tables = compiled.document, compiled.tables
    tenant = document.tenants[given.tenant]
    facts = facts_of(compiled, given, beside)
    ruled = ask(compiled, given, now_s, beside)
    day = day_of(now_s)
    places = _places(compiled, facts)
    classes = _classes(compiled, given, beside)
    orders = tuple(order for order in compiled.suspensions if order.in_force(now_s))
    law = Law(rules=RulesOfDay(document, day), tenant=tenant, classes=classes, places=places, orders=orders)
    grounds = {} if ruled.verdict is None else {each.region: law.grounds(each.region) for each in ruled.verdict.regions}
    changes = changes_of(compiled, given, now_s, ruled, _may_fall(grounds), beside)
    regions = () if ruled.verdict is None else _regions(compiled, ruled.verdict, grounds, changes, orders, given)
    ungoverned = isinstance(ruled, Refused) and ruled.deny.refusal is Refusal.UNGOVERNED_JURISDICTION
    governs = tables.epoch_at(now_s) is not None
    return Explanation(
        policy=tables.id,
        version=tables.version,
        revision=tables.revision,
        profile=tables.profile,
        at=format_moment(now_s),
        review_by=document.identity.review_by,
        overdue=document.identity.review_by < day,
        tenant=given.tenant,
        bound_by=bound_by(tenant.match),
        exporter=tenant.exporter,
        model=given.model,
        refusal=ruled.deny.refusal if isinstance(ruled, Refused) else None,
        redirect=ruled.deny.redirect_host if isinstance(ruled, Refused) else None,
        answer=answer_in_words(ruled, document, places, regions),
        signals=signals_of(compiled, facts, given),
        jurisdictions=places,
        classes=classes_of(compiled, classes, facts),
        governing=law.governing_notes() if governs else (),
        silent=tuple(each.id for each in document.regimes if each not in law.governing),
        unconsidered=tuple(unconsidered(law.rules, law.situations)) if governs else (),
        regions=regions,
        remedies=(*(missing(law.rules, law.situations) if ungoverned else ()), *changes.remedies),
        duties=law.duties() if ruled.verdict is not None else (),
        ingress=_ingress(compiled, ruled.verdict),
        provisos=() if ruled.verdict is None else provisos_of(tables, ruled.verdict, given.model),
    )


def _places(compiled: CompiledPolicy, facts: RequestFacts) -> tuple[Jurisdiction, ...]:
    try:
        return jurisdictions_of(facts, compiled.tables).names
    except Undecided:
        return ()


def _classes(compiled: CompiledPolicy, given: CaseInput, beside: tuple[DataClass, ...]) -> tuple[DataClass, ...]:
    own = compiled.tables.tenants[given.tenant].data_class
    model = compiled.tables.models.get(given.model)
    others = {*declared_classes(given, beside), None if model is None else model.data_class}
    return (own, *sorted(name for name in others if name is not None and name != own))


def _may_fall(grounds: dict[RegionId, tuple[Ground, ...]]) -> tuple[tuple[str, str], ...]:
    """List the permits on which regions rest and which may fall: transfers, and what has a known risk."""
    permits = [each.permit for found in grounds.values() for each in found if each.permit is not None]
    return tuple(sorted({(each.name, each.risk) for each in permits if each.risk or each.basis.is_transfer}))


def _regions(  # noqa: PLR0913, PLR0917 - the parts of the answer, each by name
    compiled: CompiledPolicy,
    verdict: Verdict,
    grounds: dict[RegionId, tuple[Ground, ...]],
    changes: Changes,
    orders: tuple[Suspension, ...],
    given: CaseInput,
) -> tuple[RegionNote, ...]:
    notes = []
    for each in verdict.regions:
        entry = compiled.document.regions[each.region]
        permitted = each.exclusion is None
        found = changes.losses if permitted else changes.gains
        notes.append(
            RegionNote(
                region=each.region,
                place=entry.subdivision or Jurisdiction(entry.country),
                permitted=permitted,
                exclusion=each.exclusion,
                excluded_by=each.excluded_by,
                words=_words(compiled, each, orders, given),
                grounds=grounds[each.region],
                transfer=permitted and is_transfer(each),
                changes=found[each.region],
            )
        )
    return tuple(notes)


def _words(compiled: CompiledPolicy, verdict: RegionVerdict, orders: tuple[Suspension, ...], given: CaseInput) -> str:
    """Say in one sentence why the region is permitted or excluded."""
    document = compiled.document
    if verdict.exclusion is None:
        if not verdict.permits:
            return "no regime governs, because every class of the request is unregulated"
        return "every regime that governs permits it"
    words = exclusion_in_words(verdict.exclusion)
    order = next((each for each in orders if each.id == verdict.excluded_by), None)
    if order is not None:
        until = "without an end" if order.until_s is None else f"until {format_moment(order.until_s)}"
        return f"{words}: {order.id}, {order.reason}, {until}, approved by {joined(order.approved_by)}"
    match verdict.exclusion:
        case Exclusion.TENANT:
            allow = document.tenants[given.tenant].allow or ()
            return f"{words}: it holds {joined(allow)}"
        case Exclusion.RESIDENCY:
            model = document.models[given.model]
            return f"{words}: {territory_in_words(model.resident_in or (), document)} ({model.cite})"
        case Exclusion.DEPLOYMENT:
            return f"{words}: {document.deployment.pattern}"
        case _:
            return words if verdict.excluded_by is None else f"{verdict.excluded_by} does not permit it"


def _ingress(compiled: CompiledPolicy, verdict: Verdict | None) -> IngressNote:
    region = compiled.tables.ingress_region
    place = place_in_words(compiled.document.regions[region].country)
    arrives = f"The request arrives in {region} ({place}), where TLS ends"
    if verdict is None:
        return IngressNote(
            region=region, permitted=None, words=f"{arrives}. Whether the policy's regimes permit that is not known."
        )
    if verdict.ingress:
        return IngressNote(
            region=region, permitted=True, words=f"{arrives}, and the policy's regimes permit that region for it."
        )
    follows = {
        OnMismatch.OBSERVE: "The policy records it and lets it pass (on_mismatch: observe).",
        OnMismatch.REDIRECT: "The policy sends the client to the right host, or refuses where it names none "
        "(on_mismatch: redirect).",
        OnMismatch.REFUSE: "The policy refuses it (on_mismatch: refuse).",
    }[compiled.tables.on_mismatch]
    words = (
        f"{arrives}, and the policy's regimes do not permit that: its data has moved there before anything is routed. "
        f"{follows}"
    )
    return IngressNote(region=region, permitted=False, words=words)
