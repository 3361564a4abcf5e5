"""Entries about the log itself and its keys: signs of life, changes of keys, and what became of old evidence.

Owns their words and the way to and from the schema of `proto/`. Each is a plain value, so that whoever reads a log gets
back what was written.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from extproc.core.ids import DecisionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.ids import id_from_bytes, id_to_bytes
from extproc.notes.errors import MalformedError

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign of life. `running_s` counts from the start of the log by a clock that nobody sets."""

    sequence: int
    running_s: float
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """A change of keys: the old key's delegation to the new one, and the tree before it, signed by both (notes)."""

    delegation: bytes
    checkpoint: bytes


class ErasureScope(StrEnum):
    """Whose keys were destroyed."""

    SUBJECT = "subject"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Keys that were destroyed. `days` are as in the records, `pseudonyms` those that became noise."""

    scope: ErasureScope
    tenant: str
    days: tuple[str, ...]
    keys: int
    reason: str
    pseudonyms: tuple[bytes, ...] = ()
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Entries before `end` of the log `origin` are removed. `size` and `root` are those of that log's end."""

    origin: str
    end: int
    size: int
    root: bytes
    newest_at_s: float
    reason: str
    approved_by: tuple[str, ...] = ()


class HoldAction(StrEnum):
    """What happens to a hold."""

    PLACED = "placed"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Evidence that must not be pruned: logs at or below `origin`, entries made in [from_s, until_s)."""

    action: HoldAction
    id: str
    origin: str
    reason: str
    from_s: float | None = None
    until_s: float | None = None
    approved_by: tuple[str, ...] = ()


class DrillMode(StrEnum):
    """What a failover was rehearsed on."""

    LIVE = "live"
    DEMO = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRun:
    """A rehearsed failover. `report` is the SHA-256 of its report; times are Unix seconds.

    `rto_target_s` and `rpo_target` are what the policy holds `recovery_s` and `records_lost` to, None where it states
    nothing. `records_lost` counts decisions that were released and of which no record is left.
    """

    scenario: str
    region: str
    began_at_s: float
    ended_at_s: float
    requests: int
    failed: int
    outside_permitted: int
    recovery_s: float | None
    passed: bool
    report: bytes
    rto_target_s: float | None = None
    records_lost: int = 0
    rpo_target: int | None = None
    policy_revision: str = ""
    mode: DrillMode = DrillMode.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """That somebody looked at the violation at entry `index` of the log `origin`, and what they say. It stays one.

    `decision` is None where the request bore none; `finding` is the word of what was found.
    """

    decision: DecisionId | None
    origin: str
    index: int
    finding: str
    reason: str
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A checkpoint of another log, a signed note, as a witness has seen it."""

    checkpoint: bytes


def heartbeat_to_entry(heartbeat: Heartbeat, *, at_s: float) -> bytes:
    """Encode a sign of life."""
    message = pb.Heartbeat(sequence=heartbeat.sequence, running_s=heartbeat.running_s, free_bytes=heartbeat.free_bytes)
    return pb.Entry(at_s=at_s, heartbeat=message).SerializeToString()


def heartbeat_from_entry(entry: pb.Entry) -> Heartbeat:
    """Read a sign of life. Raises MalformedError for another kind."""
    message = _expect(entry, "heartbeat").heartbeat
    return Heartbeat(sequence=message.sequence, running_s=message.running_s, free_bytes=message.free_bytes)


def rotation_to_entry(rotation: KeyRotation, *, at_s: float) -> bytes:
    """Encode a change of keys."""
    message = pb.KeyRotation(delegation=rotation.delegation, checkpoint=rotation.checkpoint)
    return pb.Entry(at_s=at_s, rotation=message).SerializeToString()


def rotation_from_entry(entry: pb.Entry) -> KeyRotation:
    """Read a change of keys. Raises MalformedError for another kind."""
    message = _expect(entry, "rotation").rotation
    return KeyRotation(delegation=message.delegation, checkpoint=message.checkpoint)


def erasure_to_entry(erasure: Erasure, *, at_s: float) -> bytes:
    """Encode that keys were destroyed."""
    message = pb.Erasure(
        scope=erasure.scope,
        tenant=erasure.tenant,
        days=erasure.days,
        pseudonyms=erasure.pseudonyms,
        keys=erasure.keys,
        reason=erasure.reason,
        approved_by=erasure.approved_by,
    )
    return pb.Entry(at_s=at_s, erasure=message).SerializeToString()


def erasure_from_entry(entry: pb.Entry) -> Erasure:
    """Read that keys were destroyed. Raises MalformedError."""
    message = _expect(entry, "erasure").erasure
    return Erasure(
        scope=_parse(ErasureScope, message.scope, "erasure"),
        tenant=message.tenant,
        days=tuple(message.days),
        pseudonyms=tuple(message.pseudonyms),
        keys=message.keys,
        reason=message.reason,
        approved_by=tuple(message.approved_by),
    )


def prune_to_entry(prune: Prune, *, at_s: float) -> bytes:
    """Encode that entries are about to be removed."""
    message = pb.Prune(
        origin=prune.origin,
        end=prune.end,
        size=prune.size,
        root=prune.root,
        newest_at_s=prune.newest_at_s,
        reason=prune.reason,
        approved_by=prune.approved_by,
    )
    return pb.Entry(at_s=at_s, prune=message).SerializeToString()


def prune_from_entry(entry: pb.Entry) -> Prune:
    """Read that entries are removed. Raises MalformedError for another kind."""
    message = _expect(entry, "prune").prune
    return Prune(
        origin=message.origin,
        end=message.end,
        size=message.size,
        root=message.root,
        newest_at_s=message.newest_at_s,
        reason=message.reason,
        approved_by=tuple(message.approved_by),
    )


def hold_to_entry(hold: Hold, *, at_s: float) -> bytes:
    """Encode that a hold was placed or released."""
    message = pb.Hold(
        action=hold.action,
        id=hold.id,
        origin=hold.origin,
        from_s=hold.from_s,
        until_s=hold.until_s,
        reason=hold.reason,
        approved_by=hold.approved_by,
    )
    return pb.Entry(at_s=at_s, hold=message).SerializeToString()


def hold_from_entry(entry: pb.Entry) -> Hold:
    """Read that a hold was placed or released. Raises MalformedError."""
    message = _expect(entry, "hold").hold
    return Hold(
        action=_parse(HoldAction, message.action, "hold"),
        id=message.id,
        origin=message.origin,
        from_s=message.from_s if message.HasField("from_s") else None,
        until_s=message.until_s if message.HasField("until_s") else None,
        reason=message.reason,
        approved_by=tuple(message.approved_by),
    )


def drill_to_entry(run: DrillRun, *, at_s: float) -> bytes:
    """Encode a rehearsed failover."""
    message = pb.Drill(
        scenario=run.scenario,
        region=run.region,
        began_at_s=run.began_at_s,
        ended_at_s=run.ended_at_s,
        requests=run.requests,
        failed=run.failed,
        outside_permitted=run.outside_permitted,
        recovery_s=run.recovery_s,
        passed=run.passed,
        report=run.report,
        rto_target_s=run.rto_target_s,
        records_lost=run.records_lost,
        rpo_target=run.rpo_target,
        policy_revision=run.policy_revision,
        mode=run.mode,
    )
    return pb.Entry(at_s=at_s, drill=message).SerializeToString()


def drill_from_entry(entry: pb.Entry) -> DrillRun:
    """Read a rehearsed failover. Raises MalformedError."""
    message = _expect(entry, "drill").drill
    return DrillRun(
        scenario=message.scenario,
        region=message.region,
        began_at_s=message.began_at_s,
        ended_at_s=message.ended_at_s,
        requests=message.requests,
        failed=message.failed,
        outside_permitted=message.outside_permitted,
        recovery_s=message.recovery_s if message.HasField("recovery_s") else None,
        passed=message.passed,
        report=message.report,
        rto_target_s=message.rto_target_s if message.HasField("rto_target_s") else None,
        records_lost=message.records_lost,
        rpo_target=message.rpo_target if message.HasField("rpo_target") else None,
        policy_revision=message.policy_revision,
        # Records from before there were demos do not say.
        mode=_parse(DrillMode, message.mode or DrillMode.LIVE, "drill"),
    )


def acknowledgement_to_entry(acknowledgement: Acknowledgement, *, at_s: float) -> bytes:
    """Encode that somebody looked at a violation. Raises ValueError when the decision's id is no UUID."""
    decision = acknowledgement.decision
    message = pb.Acknowledgement(
        decision=None if decision is None else id_to_bytes(decision),
        origin=acknowledgement.origin,
        index=acknowledgement.index,
        finding=acknowledgement.finding,
        reason=acknowledgement.reason,
        approved_by=acknowledgement.approved_by,
    )
    return pb.Entry(at_s=at_s, acknowledgement=message).SerializeToString()


def acknowledgement_from_entry(entry: pb.Entry) -> Acknowledgement:
    """Read that somebody looked at a violation. Raises MalformedError."""
    message = _expect(entry, "acknowledgement").acknowledgement
    try:
        decision = id_from_bytes(message.decision) if message.HasField("decision") else None
    except ValueError as error:
        raise MalformedError(f"acknowledgement: {error}") from None
    return Acknowledgement(
        decision=decision,
        origin=message.origin,
        index=message.index,
        finding=message.finding,
        reason=message.reason,
        approved_by=tuple(message.approved_by),
    )


def head_to_entry(head: Head, *, at_s: float) -> bytes:
    """Encode a checkpoint that a witness has seen."""
    return pb.Entry(at_s=at_s, head=pb.Head(checkpoint=head.checkpoint)).SerializeToString()


def head_from_entry(entry: pb.Entry) -> Head:
    """Read a checkpoint that a witness has seen. Raises MalformedError for another kind."""
    return Head(checkpoint=_expect(entry, "head").head.checkpoint)


def _expect(entry: pb.Entry, kind: str) -> pb.Entry:
    if not entry.HasField(kind):
        raise MalformedError(f"expected a {kind}, found {entry.WhichOneof('kind')}")
    return entry


def _parse(words: type[_Word], text: str, what: str) -> _Word:
    try:
        return words(text)
    except ValueError:
        raise MalformedError(f"{what}: expected one of {', '.join(words)}, found {text!r}") from None
