"""Entries of the log, from the core's words and back.

Owns the correspondence between :mod:`extproc.core` and the schema of `proto/`. The stored bytes are the leaf; nothing
here is ever called to serialise an entry a second time.

Decisions are encoded by :mod:`extproc.ledger.decisions`, because that is on the request path.
"""

from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from extproc.core.decide import Decision, Transfer
from extproc.core.delivery import Attempt, Delivery, Finding
from extproc.core.facts import Binding, RequestFacts, Signal, Source, Tier
from extproc.core.health import HealthState
from extproc.core.ids import (
    ConfigRevision,
    Country,
    DataClass,
    Jurisdiction,
    MechanismId,
    ModelId,
    OverrideId,
    PermitId,
    RegimeId,
    RegionId,
    RegionMask,
    TenantId,
)
from extproc.core.jurisdiction import RegionVerdict, Verdict
from extproc.core.overrides import Suspension
from extproc.core.reasons import Exclusion, Fault, Refusal
from extproc.core.region import Choice, Estimate
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Deny, Steer, Steering
from extproc.core.tables import Basis, Permit
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decisions import decision_to_entry
from extproc.ledger.errors import MalformedError
from extproc.ledger.ids import id_from_bytes, id_to_bytes

__all__ = [
    "GeoIdentity",
    "Json",
    "Previous",
    "close_to_entry",
    "config_to_entry",
    "decision_from_entry",
    "decision_to_entry",
    "delivery_from_entry",
    "delivery_to_entry",
    "entry_to_json",
    "gap_to_entry",
    "genesis_to_entry",
    "kind_of",
    "override_to_entry",
    "parse_entry",
    "recovered_to_entry",
    "suspension_from_proto",
]

Json: TypeAlias = dict[str, object]
"""One JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoIdentity:
    """Which geolocation database answers: the SHA-256 of its file, when it was built (Unix seconds) and its type."""

    sha256: bytes
    build_epoch: int
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The end of the log that a new one continues. `state` is "closed", "recovered" or "quarantined"."""

    origin: str
    size: int
    root: bytes
    state: str
    reason: str = ""


def genesis_to_entry(
    *, at_s: float, origin: str, durability: str, program: str, previous: Previous | None = None
) -> bytes:
    """Encode the first entry of a log."""
    genesis = pb.Genesis(origin=origin, durability=durability, program=program)
    if previous is not None:
        genesis.previous.CopyFrom(
            pb.Previous(
                origin=previous.origin,
                size=previous.size,
                root=previous.root,
                state=previous.state,
                reason=previous.reason,
            )
        )
    return pb.Entry(at_s=at_s, genesis=genesis).SerializeToString()


def config_to_entry(
    snapshot: Snapshot, *, at_s: float, program: str, geo: GeoIdentity | None = None, policy_stored: bool = False
) -> bytes:
    """Encode what decisions are made by from now on, beside the legal orders, each of which has an entry of its own.

    `policy_stored` says that :meth:`extproc.ledger.commit.Ledger.store_policy` has kept the policy's canonical form.
    """
    policy = snapshot.policy
    config = pb.ConfigSnapshot(
        revision=snapshot.revision,
        policy_id=policy.id,
        policy_version=policy.version,
        policy_revision=policy.revision,
        policy_stored=policy_stored,
        program=program,
        ingress_region=policy.ingress_region,
        regions=[
            pb.Region(
                id=region.id,
                country=region.country,
                subdivision=region.subdivision or "",
                cluster=region.cluster,
                rtt_s=region.rtt_s,
            )
            for region in policy.regions
        ],
    )
    if geo is not None:
        config.geo.CopyFrom(pb.GeoIdentity(sha256=geo.sha256, build_epoch=geo.build_epoch, type=geo.type))
    return pb.Entry(at_s=at_s, config=config).SerializeToString()


def override_to_entry(suspension: Suspension, *, at_s: float, resumed: bool = False) -> bytes:
    """Encode that a legal trigger was pulled, or with `resumed` that it was released."""
    override = pb.Override(action="resumed" if resumed else "suspended", suspension=_suspension_to_proto(suspension))
    return pb.Entry(at_s=at_s, override=override).SerializeToString()


def gap_to_entry(*, at_s: float, entries: int, first_at_s: float, last_at_s: float) -> bytes:
    """Encode that `entries` entries were refused because too many waited."""
    gap = pb.Gap(reason="overflow", entries=entries, first_at_s=first_at_s, last_at_s=last_at_s)
    return pb.Entry(at_s=at_s, gap=gap).SerializeToString()


def recovered_to_entry(*, at_s: float, size: int, segment: str, offset: int, cut: int) -> bytes:
    """Encode that a log without its Close was checked up to `size` entries and `cut` torn bytes were removed."""
    recovered = pb.Recovered(size=size, segment=segment, offset=offset, cut=cut)
    return pb.Entry(at_s=at_s, recovered=recovered).SerializeToString()


def close_to_entry(*, at_s: float, reason: str) -> bytes:
    """Encode the last entry of a log; `reason` is "shutdown" or "recovery"."""
    return pb.Entry(at_s=at_s, close=pb.Close(reason=reason)).SerializeToString()


def delivery_to_entry(delivery: Delivery, *, at_s: float) -> bytes:
    """Encode what Envoy did with one request. Raises ValueError when the decision's id is no UUID."""
    message = pb.Delivery(
        decision=None if delivery.decision is None else id_to_bytes(delivery.decision),
        attempts=[
            pb.Attempt(
                cluster=each.cluster,
                region=each.region,
                status=each.status,
                began_at_s=each.began_at_s,
                duration_s=each.duration_s,
                flags=each.flags,
            )
            for each in delivery.attempts
        ],
        attempts_expected=delivery.attempts_expected,
        served=delivery.served,
        status=delivery.status,
        began_at_s=delivery.began_at_s,
        duration_s=delivery.duration_s,
        finding=delivery.finding,
    )
    return pb.Entry(at_s=at_s, delivery=message).SerializeToString()


def parse_entry(data: bytes) -> pb.Entry:
    """Read an entry. Raises MalformedError for bytes that are none, and for an unknown kind."""
    try:
        entry = pb.Entry.FromString(data)
    except DecodeError:
        raise MalformedError("not an entry") from None
    if entry.WhichOneof("kind") is None:
        raise MalformedError("an entry without a known kind")
    return entry


def kind_of(entry: pb.Entry) -> str:
    """Name the kind of an entry by its field in the schema: `decision`."""
    kind = entry.WhichOneof("kind")
    if kind is None:
        raise MalformedError("an entry without a known kind")
    return str(kind)


def decision_from_entry(entry: pb.Entry) -> Decision:
    """Read a decision back: equal to the one that was recorded. Raises MalformedError."""
    if not entry.HasField("decision"):
        raise MalformedError(f"expected a decision, found {entry.WhichOneof('kind')}")
    message = entry.decision
    try:
        permits = [_permit_from_proto(each) for each in message.permits]
        return Decision(
            id=id_from_bytes(message.id),
            decided_at_s=entry.at_s,
            config=ConfigRevision(message.config),
            facts=_facts_from_proto(message),
            steering=_steering_from_proto(message),
            verdict=_verdict_from_proto(message.verdict, permits) if message.HasField("verdict") else None,
            choice=_choice_from_proto(message.choice) if message.HasField("choice") else None,
            transfers=tuple(
                Transfer(
                    region=RegionId(each.region),
                    importer=Country(each.importer),
                    exporter=Jurisdiction(each.exporter) if each.HasField("exporter") else None,
                    permit=permits[each.permit],
                )
                for each in message.transfers
            ),
        )
    except (ValueError, IndexError) as error:
        raise MalformedError(f"decision: {error}") from None


def delivery_from_entry(entry: pb.Entry) -> Delivery:
    """Read a delivery back: equal to the one that was recorded. Raises MalformedError."""
    if not entry.HasField("delivery"):
        raise MalformedError(f"expected a delivery, found {entry.WhichOneof('kind')}")
    message = entry.delivery
    try:
        return Delivery(
            decision=id_from_bytes(message.decision) if message.HasField("decision") else None,
            attempts=tuple(
                Attempt(
                    cluster=each.cluster,
                    region=RegionId(each.region) if each.HasField("region") else None,
                    status=each.status,
                    began_at_s=each.began_at_s,
                    duration_s=each.duration_s,
                    flags=tuple(each.flags),
                )
                for each in message.attempts
            ),
            attempts_expected=message.attempts_expected,
            served=RegionId(message.served) if message.HasField("served") else None,
            status=message.status,
            began_at_s=message.began_at_s,
            duration_s=message.duration_s,
            finding=Finding(message.finding),
        )
    except ValueError as error:
        raise MalformedError(f"delivery: {error}") from None


def suspension_from_proto(message: pb.Suspension) -> Suspension:
    """Read a suspension back."""
    return Suspension(
        id=OverrideId(message.id),
        region=RegionId(message.region),
        reason=message.reason,
        from_s=message.from_s,
        until_s=message.until_s if message.HasField("until_s") else None,
        approved_by=tuple(message.approved_by),
    )


def entry_to_json(entry: pb.Entry) -> Json:
    """Project an entry into one JSON object for people and tools: ids as UUIDs, hashes as hex."""
    projected = MessageToDict(entry, preserving_proto_field_name=True)
    if entry.HasField("decision"):
        projected["decision"]["id"] = id_from_bytes(entry.decision.id)
    elif entry.delivery.HasField("decision"):
        projected["delivery"]["decision"] = id_from_bytes(entry.delivery.decision)
    elif entry.genesis.HasField("previous"):
        projected["genesis"]["previous"]["root"] = entry.genesis.previous.root.hex()
    elif entry.config.HasField("geo"):
        projected["config"]["geo"]["sha256"] = entry.config.geo.sha256.hex()
    return {"kind": kind_of(entry), **projected}


def _suspension_to_proto(suspension: Suspension) -> pb.Suspension:
    return pb.Suspension(
        id=suspension.id,
        region=suspension.region,
        reason=suspension.reason,
        from_s=suspension.from_s,
        until_s=suspension.until_s,
        approved_by=suspension.approved_by,
    )


def _permit_from_proto(message: pb.Permit) -> Permit:
    return Permit(
        regime=RegimeId(message.regime),
        id=PermitId(message.id),
        cite=message.cite,
        basis=Basis(message.basis),
        mechanism=MechanismId(message.mechanism) if message.HasField("mechanism") else None,
        reference=message.reference,
    )


def _facts_from_proto(message: pb.Decision) -> RequestFacts:
    return RequestFacts(
        tenant=TenantId(message.tenant) if message.HasField("tenant") else None,
        binding=Binding(message.binding),
        model=ModelId(message.model) if message.HasField("model") else None,
        declared_class=DataClass(message.declared_class) if message.HasField("declared_class") else None,
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


def _verdict_from_proto(message: pb.Verdict, permits: list[Permit]) -> Verdict:
    regimes = {regime: RegimeId(regime) for regime in message.regimes}
    regions: list[RegionVerdict] = []
    permitted = 0
    for i, each in enumerate(message.regions):
        by = each.excluded_by if each.HasField("excluded_by") else None
        regions.append(
            RegionVerdict(
                region=RegionId(each.region),
                permits=tuple(permits[permit] for permit in each.permits),
                exclusion=Exclusion(each.exclusion) if each.exclusion else None,
                excluded_by=by if by is None else regimes.get(by, OverrideId(by)),
            )
        )
        if not each.exclusion:
            permitted |= 1 << i
    return Verdict(
        jurisdictions=tuple(map(Jurisdiction, message.jurisdictions)),
        classes=tuple(map(DataClass, message.classes)),
        regimes=tuple(regimes.values()),
        permitted=RegionMask(permitted),
        regions=tuple(regions),
    )


def _choice_from_proto(message: pb.Choice) -> Choice:
    return Choice(
        plan=tuple(message.plan),
        estimates=tuple(
            Estimate(
                region=RegionId(each.region),
                state=HealthState(each.state),
                latency_s=each.latency_s if each.HasField("latency_s") else None,
                age_s=each.age_s if each.HasField("age_s") else None,
            )
            for each in message.estimates
        ),
    )


def _steering_from_proto(message: pb.Decision) -> Steering:
    if message.HasField("steer"):
        return Steer(plan=tuple(map(RegionId, message.steer.plan)), route=message.steer.route)
    deny = message.deny
    return Deny(
        refusal=Refusal(deny.refusal), retry_after_s=deny.retry_after_s if deny.HasField("retry_after_s") else None
    )
