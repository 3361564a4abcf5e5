"""Decisions as entries, on the request path.

What tier 1 says repeats from request to request, so its bytes are kept and used again for an equal verdict on equal
facts; equality is tested, never assumed from a key. What tier 2 believed is new each time and is written out directly.

SPEC: https://protobuf.dev/programming-guides/encoding. A message is its fields one after the other, so the parts may be
made apart and joined. They are joined in the order of the field numbers: the bytes are those that the protobuf library
would give for the whole, which a test compares.
"""

import struct
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from extproc.core.decide import Decision, Transfer
from extproc.core.facts import RequestFacts
from extproc.core.ids import ConfigRevision
from extproc.core.jurisdiction import Verdict
from extproc.core.region import Choice, Estimate
from extproc.core.steering import Deny, Steer, Steering
from extproc.core.tables import Permit
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.ids import id_to_bytes

_KEPT: Final = 4096
"""Most verdicts, and most plans of each, whose bytes are kept; then all are dropped and made anew."""

# Tags: field number << 3 | wire type.
_ENTRY_AT: Final = struct.Struct("<cd")
_ENTRY_AT_TAG: Final = b"\x09"
_ENTRY_DECISION: Final = b"\x22"
_DECISION_ID: Final = b"\x0a\x10"  # and its length, 16
_DECISION_SEQUENCE: Final = b"\x10"
_DECISION_CHOICE: Final = b"\x5a"
_CHOICE_ESTIMATE: Final = b"\x12"
_LATENCY_AND_AGE: Final = struct.Struct("<cdcd")
_LATENCY: Final = b"\x19"
_AGE: Final = b"\x21"
_ONE_BYTE: Final = 0x80
"""Numbers below this are one byte as a varint."""

_Outcome: TypeAlias = tuple[Steering, tuple[Transfer, ...], bytes]
"""Steering and transfers, and the bytes of both with the permits that they and the verdict point to."""


@dataclass(slots=True, kw_only=True)
class _Known:
    """Facts and verdict that were seen, and their bytes."""

    config: ConfigRevision
    facts: RequestFacts
    verdict: Verdict | None
    head: bytes
    permits: dict[Permit, int]
    outcomes: dict[tuple[int, ...] | None, _Outcome] = field(default_factory=dict)


_known: dict[object, _Known] = {}
_estimate_heads: dict[str, bytes] = {}


def decision_to_entry(decision: Decision, *, sequence: int) -> bytes:
    """Encode a decision. `sequence` counts the decisions of this log from 1, in the order in which they are committed.

    Not for several threads at once. Raises ValueError when the id is no UUID.
    """
    known = _recognise(decision)
    choice = decision.choice
    body = b"".join(
        (
            _DECISION_ID,
            id_to_bytes(decision.id),
            _DECISION_SEQUENCE,
            _varint(sequence),
            known.head,
            b"" if choice is None else _encode_choice(choice),
            _encode_outcome(decision, known),
        )
    )
    return _ENTRY_AT.pack(_ENTRY_AT_TAG, decision.decided_at_s) + _ENTRY_DECISION + _varint(len(body)) + body


def _recognise(decision: Decision) -> _Known:
    """Give the bytes for these facts and this verdict, kept or made."""
    facts, verdict = decision.facts, decision.verdict
    key = (
        decision.config,
        facts.tenant,
        facts.model,
        None if verdict is None else (verdict.jurisdictions, verdict.classes, verdict.permitted),
    )
    known = _known.get(key)
    if (
        known is not None
        and known.facts == facts
        and (known.verdict is verdict or known.verdict == verdict)
        and known.config == decision.config
    ):
        return known
    permits: dict[Permit, int] = {}
    message = pb.Decision(
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
        verdict=None if verdict is None else _verdict_to_proto(verdict, permits),
    )
    known = _Known(
        config=decision.config, facts=facts, verdict=verdict, head=message.SerializeToString(), permits=permits
    )
    _make_room(_known)
    _known[key] = known
    return known


def _verdict_to_proto(verdict: Verdict, permits: dict[Permit, int]) -> pb.Verdict:
    """Write tier 1's answer, adding to `permits` those that it points to."""
    return pb.Verdict(
        jurisdictions=verdict.jurisdictions,
        classes=verdict.classes,
        regimes=verdict.regimes,
        regions=[
            pb.RegionVerdict(
                region=each.region,
                permits=[permits.setdefault(permit, len(permits)) for permit in each.permits],
                exclusion=each.exclusion or "",
                excluded_by=each.excluded_by,
            )
            for each in verdict.regions
        ],
    )


def _encode_choice(choice: Choice) -> bytes:
    plan = b"".join(map(_varint, choice.plan))
    parts = [b"\x0a", _varint(len(plan)), plan] if plan else []
    for estimate in choice.estimates:
        encoded = _encode_estimate(estimate)
        parts += (_CHOICE_ESTIMATE, _varint(len(encoded)), encoded)
    body = b"".join(parts)
    return _DECISION_CHOICE + _varint(len(body)) + body


def _encode_estimate(estimate: Estimate) -> bytes:
    # No state is the end of another one, so region and state cannot be mistaken in one word.
    name = estimate.region + estimate.state
    head = _estimate_heads.get(name)
    if head is None:
        head = pb.Estimate(region=estimate.region, state=estimate.state).SerializeToString()
        _make_room(_estimate_heads)
        _estimate_heads[name] = head
    latency_s, age_s = estimate.latency_s, estimate.age_s
    if latency_s is not None and age_s is not None:
        return head + _LATENCY_AND_AGE.pack(_LATENCY, latency_s, _AGE, age_s)
    return head + pb.Estimate(latency_s=latency_s, age_s=age_s).SerializeToString()


def _encode_outcome(decision: Decision, known: _Known) -> bytes:
    """Give the bytes of steering, transfers and permits, kept or made."""
    steering, transfers = decision.steering, decision.transfers
    plan = None if decision.choice is None else decision.choice.plan
    outcome = known.outcomes.get(plan)
    if outcome is not None and outcome[0] == steering and outcome[1] == transfers:
        return outcome[2]
    # A copy: what one outcome adds is not for the next.
    permits = dict(known.permits)
    message = pb.Decision(
        steer=pb.Steer(plan=steering.plan, route=steering.route) if isinstance(steering, Steer) else None,
        deny=pb.Deny(refusal=steering.refusal, retry_after_s=steering.retry_after_s)
        if isinstance(steering, Deny)
        else None,
        transfers=[
            pb.Transfer(
                region=each.region,
                importer=each.importer,
                exporter=each.exporter,
                permit=permits.setdefault(each.permit, len(permits)),
            )
            for each in transfers
        ],
    )
    message.permits.extend(_permit_to_proto(each) for each in permits)
    encoded = message.SerializeToString()
    _make_room(known.outcomes)
    known.outcomes[plan] = (steering, transfers, encoded)
    return encoded


def _permit_to_proto(permit: Permit) -> pb.Permit:
    return pb.Permit(
        regime=permit.regime,
        id=permit.id,
        cite=permit.cite,
        basis=permit.basis,
        mechanism=permit.mechanism,
        reference=permit.reference,
    )


def _make_room(kept: dict[object, _Known] | dict[str, bytes] | dict[tuple[int, ...] | None, _Outcome]) -> None:
    if len(kept) >= _KEPT:
        kept.clear()


def _varint(number: int) -> bytes:
    if number < _ONE_BYTE:
        return number.to_bytes(1)
    encoded = bytearray()
    while number >= _ONE_BYTE:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
