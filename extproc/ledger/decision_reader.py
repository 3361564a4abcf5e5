"""Decisions from entries: the way back from :mod:`extproc.ledger.decisions`, for the auditor and for replay."""

from collections.abc import Iterator, Sequence

from extproc.core.decide import Decision, Shadowed, Transfer
from extproc.core.delivery import Intent
from extproc.core.evidence import Private
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import (
    ConfigRevision,
    Country,
    DataClass,
    Jurisdiction,
    MechanismId,
    ModelId,
    OverrideId,
    PermitId,
    PolicyRevision,
    RegimeId,
    RegionId,
    RegionMask,
    TenantId,
)
from extproc.core.jurisdiction import Jurisdictions, RegionVerdict, Verdict
from extproc.core.reasons import Exclusion, Fault, Refusal
from extproc.core.routing.choose import Choice, Estimate
from extproc.core.routing.health import HealthState
from extproc.core.steering import Deny, Steer, Steering
from extproc.core.tables import Basis, Permit
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.ids import id_from_bytes
from extproc.notes.errors import MalformedError


def decision_from_entry(entry: pb.Entry) -> Decision:
    """Read a decision back: equal to the one that was recorded. Raises MalformedError."""
    if not entry.HasField("decision"):
        raise MalformedError(f"expected a decision, found {entry.WhichOneof('kind')}")
    message = entry.decision
    try:
        permits = [_permit_from_proto(each) for each in message.permits]
        regions = tuple(map(RegionId, message.verdict.regions))
        return Decision(
            id=id_from_bytes(message.id),
            decided_at_s=entry.at_s,
            config=ConfigRevision(message.config),
            facts=_facts_from_proto(message.facts),
            steering=_steering_from_proto(message),
            verdict=_verdict_from_proto(message.verdict, permits, ()) if message.HasField("verdict") else None,
            choice=_choice_from_proto(message.choice, regions) if message.HasField("choice") else None,
            transfers=tuple(_transfer_from_proto(each, permits) for each in message.transfers),
            shadow=_shadow_from_proto(message.shadow, permits, regions) if message.HasField("shadow") else None,
        )
    except (ValueError, IndexError) as error:
        raise MalformedError(f"decision: {error}") from None


def private_of(decision: pb.Decision) -> Private | None:
    """Give what of a decision's record points to the person concerned; None where there is nothing."""
    if not decision.HasField("private"):
        return None
    message = decision.private
    return Private(day=message.day, pseudonym=message.pseudonym, request=message.request, sealed=message.sealed)


def permitted_regions(verdict: pb.Verdict) -> frozenset[RegionId]:
    """Give the permitted regions of a verdict that names its regions, as a decision's own does.

    Raises MalformedError where it does not answer exactly once for each.
    """
    names = verdict.regions
    check_answers(verdict, len(names))
    return frozenset(RegionId(names[i]) for each in verdict.answers if not each.exclusion for i in each.regions)


def intent_of_record(decision: pb.Decision, permitted: frozenset[RegionId]) -> Intent:
    """Give what a decision allowed, as :func:`extproc.core.delivery.intent_of`; `permitted` are its permitted regions.

    Raises MalformedError where a transfer points to no permit.
    """
    try:
        permits = [decision.permits[each.permit] for each in decision.transfers]
    except IndexError:
        raise MalformedError("decision: a transfer by a permit that it does not hold") from None
    return Intent(
        permitted=permitted,
        plan=tuple(map(RegionId, decision.steer.plan)),
        model=ModelId(decision.facts.model) if decision.facts.HasField("model") else None,
        bases=tuple(
            (RegionId(each.region), f"{permit.regime}.{permit.id}")
            for each, permit in zip(decision.transfers, permits, strict=True)
        ),
    )


def check_answers(verdict: pb.Verdict, regions: int) -> None:
    """Raise MalformedError where a verdict does not answer exactly once for each of so many regions."""
    if sorted(i for answer in verdict.answers for i in answer.regions) != list(range(regions)):
        raise MalformedError("verdict: expected one answer for each region, found another number for some")


def shadow_verdict(decision: pb.Decision) -> pb.Verdict:
    """Give the verdict of the shadow policy with its regions named, also where those are the decision's own."""
    verdict = pb.Verdict()
    verdict.CopyFrom(decision.shadow.verdict)
    if verdict.answers and not verdict.regions:
        verdict.regions.extend(decision.verdict.regions)
    return verdict


def _permit_from_proto(message: pb.Permit) -> Permit:
    return Permit(
        regime=RegimeId(message.regime),
        id=PermitId(message.id),
        cite=message.cite,
        basis=Basis(message.basis),
        mechanism=MechanismId(message.mechanism) if message.HasField("mechanism") else None,
    )


def _transfer_from_proto(message: pb.Transfer, permits: Sequence[Permit]) -> Transfer:
    return Transfer(
        region=RegionId(message.region),
        importer=Country(message.importer),
        exporter=Jurisdiction(message.exporter) if message.HasField("exporter") else None,
        permit=permits[message.permit],
        reference=message.reference,
    )


def _facts_from_proto(message: pb.Facts) -> RequestFacts:
    return RequestFacts(
        tenant=TenantId(message.tenant) if message.HasField("tenant") else None,
        binding=Binding(message.binding),
        model=ModelId(message.model) if message.HasField("model") else None,
        classes=tuple(
            ClassSignal(source=ClassSource(each.source), data_class=DataClass(each.data_class), detail=each.detail)
            for each in message.classes
        ),
        signals=tuple(
            Signal(
                source=Source(each.source),
                tier=Tier(each.tier),
                jurisdiction=Jurisdiction(each.jurisdiction) if each.HasField("jurisdiction") else None,
                detail=each.detail,
            )
            for each in message.signals
        ),
        faults=tuple(map(Fault, message.faults)),
    )


def _verdict_from_proto(message: pb.Verdict, permits: Sequence[Permit], inherited: tuple[RegionId, ...]) -> Verdict:
    """Read a verdict; `inherited` are the regions of one that has answers and names none."""
    names = tuple(map(RegionId, message.regions)) or (inherited if message.answers else ())
    check_answers(message, len(names))
    judged = dict(_region_verdicts(message, permits, names))
    regions = tuple(judged[i] for i in range(len(names)))
    return Verdict(
        jurisdictions=Jurisdictions(names=tuple(map(Jurisdiction, message.jurisdictions)), assumed=message.assumed),
        classes=tuple(map(DataClass, message.classes)),
        regimes=tuple(map(RegimeId, message.regimes)),
        obligations=tuple(message.obligations),
        permitted=RegionMask(sum(1 << i for i, each in enumerate(regions) if each.exclusion is None)),
        regions=regions,
        ingress=message.ingress,
    )


def _region_verdicts(
    message: pb.Verdict, permits: Sequence[Permit], names: Sequence[RegionId]
) -> Iterator[tuple[int, RegionVerdict]]:
    for answer in message.answers:
        grounds = tuple(permits[permit] for permit in answer.permits)
        exclusion = Exclusion(answer.exclusion) if answer.exclusion else None
        # A regime, an order or a dependency: all are names, and the exclusion tells which.
        by = OverrideId(answer.excluded_by) if answer.HasField("excluded_by") else None
        for i in answer.regions:
            yield i, RegionVerdict(region=names[i], permits=grounds, exclusion=exclusion, excluded_by=by)


def _shadow_from_proto(message: pb.Shadow, permits: Sequence[Permit], inherited: tuple[RegionId, ...]) -> Shadowed:
    return Shadowed(
        policy=PolicyRevision(message.policy_revision),
        facts=_facts_from_proto(message.facts) if message.HasField("facts") else None,
        verdict=_verdict_from_proto(message.verdict, permits, inherited) if message.HasField("verdict") else None,
        refusal=Refusal(message.refusal) if message.HasField("refusal") else None,
    )


def _choice_from_proto(message: pb.Choice, regions: Sequence[RegionId]) -> Choice:
    return Choice(
        plan=tuple(message.plan),
        estimates=tuple(
            Estimate(
                region=regions[each.region],
                state=HealthState(each.state),
                latency_s=each.latency_s if each.HasField("latency_s") else None,
                age_s=each.age_s if each.HasField("age_s") else None,
                in_flight=each.in_flight,
                budget=each.budget if each.HasField("budget") else None,
                preference=each.preference if each.HasField("preference") else None,
                missing_slo=each.missing_slo,
            )
            for each in message.estimates
        ),
    )


def _steering_from_proto(message: pb.Decision) -> Steering:
    if message.HasField("steer"):
        return Steer(plan=tuple(map(RegionId, message.steer.plan)), route=message.steer.route)
    deny = message.deny
    return Deny(
        refusal=Refusal(deny.refusal),
        retry_after_s=deny.retry_after_s if deny.HasField("retry_after_s") else None,
        redirect_host=deny.redirect_host if deny.HasField("redirect_host") else None,
    )
