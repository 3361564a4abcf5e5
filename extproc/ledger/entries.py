"""Entries of the log, from the core's words and back.

Owns the correspondence between :mod:`extproc.core` and the schema of `proto/`. The stored bytes are the leaf; nothing
here is ever called to serialise an entry a second time.

`decision_to_entry` is on the request path: it builds each message with one constructor call and keeps the bytes of
what repeats from request to request.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

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
    DecisionId,
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
from extproc.ledger.errors import MalformedError

Json: TypeAlias = dict[str, object]
"""One JSON object."""

_ID_BYTES: Final = 16
_UUID_CUTS: Final = (8, 12, 16, 20)
"""Hex digits before which a UUID in canonical form has its hyphens."""


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
    """Encode what decisions are made by from now on.

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
        suspensions=[_suspension_to_proto(suspension) for suspension in snapshot.suspensions],
    )
    if geo is not None:
        config.geo.CopyFrom(pb.GeoIdentity(sha256=geo.sha256, build_epoch=geo.build_epoch, type=geo.type))
    return pb.Entry(at_s=at_s, config=config).SerializeToString()


def override_to_entry(suspension: Suspension, *, at_s: float, resumed: bool = False) -> bytes:
    """Encode that a legal trigger was pulled, or with `resumed` that it was released."""
    override = pb.Override(
        action="resumed" if resumed else "suspended", suspension=_suspension_to_proto(suspension)
    )
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


def decision_to_entry(decision: Decision, *, sequence: int) -> bytes:
    """Encode a decision. `sequence` counts the decisions of this log from 1, in the order in which they are committed.

    Raises ValueError when the id is no UUID.
    """
    facts = decision.facts
    permits: dict[Permit, int] = {}
    message = pb.Decision(
        id=_id_to_bytes(decision.id),
        sequence=sequence,
        config=decision.config,
        tenant=facts.tenant,
        binding=facts.binding,
        model=facts.model,
        declared_class=facts.declared_class,
        signals=[
            pb.Signal(source=each.source, tier=each.tier, jurisdiction=each.jurisdiction, detail=each.detail)
            for each in facts.signals
        ],
        faults=facts.faults,
    )
    verdict = decision.verdict
    if verdict is not None:
        message.verdict.MergeFrom(_verdict_to_proto(verdict, permits))
    choice = decision.choice
    if choice is not None:
        message.choice.MergeFrom(
            pb.Choice(
                plan=choice.plan,
                estimates=[
                    pb.Estimate(
                        region=each.region, state=each.state, latency_s=each.latency_s, age_s=each.age_s
                    )
                    for each in choice.estimates
                ],
            )
        )
    steering = decision.steering
    if isinstance(steering, Steer):
        message.steer.MergeFrom(pb.Steer(plan=steering.plan, route=steering.route))
    else:
        message.deny.MergeFrom(pb.Deny(refusal=steering.refusal, retry_after_s=steering.retry_after_s))
    return pb.Entry(at_s=decision.decided_at_s, decision=message).SerializeToString()
