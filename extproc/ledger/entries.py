"""Entries of the log, from the core's words and back.

Owns the correspondence between :mod:`extproc.core` and the schema of `proto/`. The stored bytes are the leaf; nothing
here is ever called to serialise an entry a second time.

Decisions are encoded by :mod:`extproc.ledger.decisions`, because that is on the request path, and read back by
:mod:`extproc.ledger.decision_reader`.
"""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from extproc.core.delivery import Attempt, Delivery, Finding
from extproc.core.ids import OverrideId, RegionId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.core.snapshot import Snapshot
from extproc.core.tables import PolicyTables
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import decision_from_entry
from extproc.ledger.decisions import decision_to_entry
from extproc.ledger.ids import id_from_bytes, id_to_bytes
from extproc.notes.errors import MalformedError

__all__ = [
    "GeoIdentity",
    "Previous",
    "close_to_entry",
    "config_to_entry",
    "decision_from_entry",
    "decision_to_entry",
    "delivery_from_entry",
    "delivery_to_entry",
    "gap_to_entry",
    "genesis_to_entry",
    "kind_of",
    "override_to_entry",
    "parse_entry",
    "recovered_to_entry",
    "resumption_from_proto",
    "suspension_from_proto",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoIdentity:
    """Which database of addresses answers: the SHA-256 of its file, when it was built (Unix seconds) and its type."""

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


def config_to_entry(  # noqa: PLR0913 - what decisions are made by, each by name
    snapshot: Snapshot,
    *,
    at_s: float,
    program: str,
    geo: GeoIdentity | None = None,
    anonymity: GeoIdentity | None = None,
    policy_stored: bool = False,
    shadow_stored: bool = False,
) -> bytes:
    """Encode what decisions are made by from now on, beside the legal orders, each of which has an entry of its own.

    `policy_stored` and `shadow_stored` say of which policy :meth:`extproc.ledger.commit.Ledger.store_policy` has kept
    the canonical form.
    """
    policy, shadow = snapshot.policy, snapshot.shadow
    config = pb.ConfigSnapshot(
        revision=snapshot.revision,
        policy=_policy_to_proto(policy, stored=policy_stored),
        shadow=None if shadow is None else _policy_to_proto(shadow.policy, stored=shadow_stored),
        program=program,
        geo=None if geo is None else _geo_to_proto(geo),
        anonymity=None if anonymity is None else _geo_to_proto(anonymity),
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
    return pb.Entry(at_s=at_s, config=config).SerializeToString()


def override_to_entry(
    suspension: Suspension, *, at_s: float, resumed: bool = False, resumption: Resumption | None = None
) -> bytes:
    """Encode that a legal trigger was pulled, or with `resumed` that it was released.

    `resumption` says by whom and why, None where the file of orders was changed by hand.
    """
    override = pb.Override(
        action="resumed" if resumed else "suspended",
        suspension=_suspension_to_proto(suspension),
        resumption=None
        if resumption is None
        else pb.Resumption(reason=resumption.reason, approved_by=resumption.approved_by, at_s=resumption.at_s),
    )
    return pb.Entry(at_s=at_s, override=override).SerializeToString()


def gap_to_entry(  # noqa: PLR0913 - what a gap is, each by name
    *, at_s: float, entries: int, first_at_s: float, last_at_s: float, reason: str = "overflow", released: int = 0
) -> bytes:
    """Encode that `entries` entries were not recorded; `released` of them were of mode "observe" and went ahead."""
    gap = pb.Gap(reason=reason, entries=entries, first_at_s=first_at_s, last_at_s=last_at_s, released=released)
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
    """Read a suspension back. Raises MalformedError for one of an unknown kind."""
    try:
        kind = TargetKind(message.kind)
    except ValueError as error:
        raise MalformedError(f"suspension: {error}") from None
    return Suspension(
        id=OverrideId(message.id),
        kind=kind,
        name=message.name,
        reason=message.reason,
        from_s=message.from_s,
        until_s=message.until_s if message.HasField("until_s") else None,
        approved_by=tuple(message.approved_by),
    )


def resumption_from_proto(override: pb.Override) -> Resumption | None:
    """Read by whom and why an order was released; None where the record does not say."""
    if not override.HasField("resumption"):
        return None
    message = override.resumption
    return Resumption(
        order=OverrideId(override.suspension.id),
        reason=message.reason,
        approved_by=tuple(message.approved_by),
        at_s=message.at_s,
    )


def _suspension_to_proto(suspension: Suspension) -> pb.Suspension:
    return pb.Suspension(
        id=suspension.id,
        kind=suspension.kind,
        name=suspension.name,
        reason=suspension.reason,
        from_s=suspension.from_s,
        until_s=suspension.until_s,
        approved_by=suspension.approved_by,
    )


def _policy_to_proto(policy: PolicyTables, *, stored: bool) -> pb.Policy:
    return pb.Policy(
        id=policy.id, version=policy.version, revision=policy.revision, stored=stored, profile=policy.profile
    )


def _geo_to_proto(geo: GeoIdentity) -> pb.GeoIdentity:
    return pb.GeoIdentity(sha256=geo.sha256, build_epoch=geo.build_epoch, type=geo.type)
