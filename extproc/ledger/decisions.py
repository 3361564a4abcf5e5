"""Decisions as entries, on the request path.

What tier 1 says repeats from request to request, so its bytes are kept and used again for equal facts and equal
verdicts, the shadow policy's included; equality is tested, never assumed from a key. What tier 2 believed is new each
time and is written out directly. :mod:`extproc.ledger.decision_reader` is the way back.

SPEC: https://protobuf.dev/programming-guides/encoding. A message is its fields one after the other, so the parts may be
made apart and joined. They are joined in the order of the field numbers: the bytes are those that the protobuf library
would give for the whole, which a test compares.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from extproc.core.decide import Decision, Shadowed, Transfer
from extproc.core.evidence import Private
from extproc.core.facts import RequestFacts
from extproc.core.ids import ConfigRevision, RegionId
from extproc.core.jurisdiction import Verdict
from extproc.core.routing.choose import Choice, Estimate
from extproc.core.steering import Deny, Steer, Steering
from extproc.core.tables import Permit
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.ids import id_to_bytes

_KEPT: Final = 4096
"""Most facts, and most plans of each, whose bytes are kept; then all are dropped and made anew."""

# Tags: field number << 3 | wire type.
_ENTRY_AT: Final = struct.Struct("<cd")
_ENTRY_AT_TAG: Final = b"\x09"
_ENTRY_DECISION: Final = b"\x22"
_DECISION_ID: Final = b"\x0a\x10"  # and its length, 16
_DECISION_SEQUENCE: Final = b"\x10"
_DECISION_CHOICE: Final = b"\x3a"
_DECISION_DURABILITY: Final = b"\x62"
_DECISION_PRIVATE: Final = b"\x6a"
_PRIVATE_PSEUDONYM: Final = b"\x0a"
_PRIVATE_REQUEST: Final = b"\x12"
_PRIVATE_SEALED: Final = b"\x1a"
_PRIVATE_DAY: Final = b"\x22"
_CHOICE_PLAN: Final = b"\x0a"
_CHOICE_ESTIMATE: Final = b"\x12"
_LATENCY: Final = b"\x19"
_AGE: Final = b"\x21"
_IN_FLIGHT: Final = b"\x2d"
_BUDGET: Final = b"\x35"
_PREFERENCE: Final = b"\x3d"
_MISSING_SLO: Final = b"\x40\x01"
# What estimates mostly hold: all that is measured, counted or not, ranked for a session or not.
_MEASURED: Final = struct.Struct("<cdcd")
_COUNTED: Final = struct.Struct("<cdcdcIcI")
_RANKED: Final = struct.Struct("<cdcdcIcIcI")
_ONE_BYTE: Final = 0x80
"""Numbers below this are one byte as a varint."""

_Outcome: TypeAlias = tuple[Steering, tuple[Transfer, ...], bytes]
"""Steering and transfers, and the bytes of both with the permits that they and the verdicts point to."""
_Key: TypeAlias = tuple[ConfigRevision, RequestFacts, RequestFacts | None]
_Head: TypeAlias = tuple[int, str, int]
"""Of an estimate: its region's position, its state, and how many bytes come after these two."""


@dataclass(slots=True, kw_only=True)
class _Known:
    """What tier 1 said of facts that were seen, and its bytes. `positions` are those of the live catalogue."""

    verdict: Verdict | None
    shadow: Shadowed | None
    head: bytes
    permits: dict[Permit, int]
    positions: dict[RegionId, int]
    outcomes: dict[tuple[int, ...] | None, _Outcome] = field(default_factory=dict)


_known: dict[_Key, _Known] = {}
_estimate_heads: dict[_Head, bytes] = {}


def decision_to_entry(
    decision: Decision, *, sequence: int, durability: str = "", private: Private | None = None
) -> bytes:
    """Encode a decision. `sequence` counts the decisions of this log from 1, in the order in which they are committed.

    `durability` is what its release waits for, where that is not what the log's Genesis says. `private` is what of the
    record points to the person concerned.

    Not for several threads at once. Raises ValueError when the id is no UUID, or when it has estimates of regions that
    its verdict does not judge.
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
            b"" if choice is None else _encode_choice(choice, known.positions),
            _encode_outcome(decision, known),
            _encode_durability(durability) if durability else b"",
            b"" if private is None else _encode_private(private),
        )
    )
    return _ENTRY_AT.pack(_ENTRY_AT_TAG, decision.decided_at_s) + _ENTRY_DECISION + _varint(len(body)) + body


def _recognise(decision: Decision) -> _Known:
    """Give the bytes for these facts and what tier 1 said of them, kept or made."""
    verdict, shadow = decision.verdict, decision.shadow
    key = (decision.config, decision.facts, None if shadow is None else shadow.facts)
    known = _known.get(key)
    if known is not None and _same_verdict(known.verdict, verdict) and _same_shadow(known.shadow, shadow):
        # The objects of this time: the next request is likely to bring the same, which need not be compared.
        known.verdict, known.shadow = verdict, shadow
        return known
    permits: dict[Permit, int] = {}
    catalogue = _catalogue(verdict)
    message = pb.Decision(
        config=decision.config,
        facts=_facts_to_proto(decision.facts),
        verdict=None if verdict is None else _verdict_to_proto(verdict, catalogue, permits),
        shadow=None if shadow is None else _shadow_to_proto(shadow, catalogue, permits),
    )
    known = _Known(
        verdict=verdict,
        shadow=shadow,
        head=message.SerializeToString(),
        permits=permits,
        positions={region: i for i, region in enumerate(catalogue)},
    )
    _make_room(_known)
    _known[key] = known
    return known


def _same_verdict(one: Verdict | None, other: Verdict | None) -> bool:
    return one is other or one == other


def _same_shadow(one: Shadowed | None, other: Shadowed | None) -> bool:
    """Compare all but the facts, by which the bytes are kept."""
    if one is None or other is None:
        return one is other
    return one.policy == other.policy and one.refusal is other.refusal and _same_verdict(one.verdict, other.verdict)


def _facts_to_proto(facts: RequestFacts) -> pb.Facts:
    return pb.Facts(
        tenant=facts.tenant,
        binding=facts.binding,
        model=facts.model,
        classes=[
            pb.ClassSignal(source=each.source, data_class=each.data_class, detail=each.detail) for each in facts.classes
        ],
        signals=[
            pb.Signal(source=each.source, tier=each.tier, jurisdiction=each.jurisdiction, detail=each.detail)
            for each in facts.signals
        ],
        faults=facts.faults,
    )


def _catalogue(verdict: Verdict | None) -> tuple[RegionId, ...]:
    return () if verdict is None else tuple(each.region for each in verdict.regions)


def _verdict_to_proto(verdict: Verdict, regions: tuple[RegionId, ...], permits: dict[Permit, int]) -> pb.Verdict:
    """Write tier 1's answer, naming `regions`, and adding to `permits` those that it points to."""
    message = pb.Verdict(
        jurisdictions=verdict.jurisdictions.names,
        assumed=verdict.jurisdictions.assumed,
        classes=verdict.classes,
        regimes=verdict.regimes,
        obligations=verdict.obligations,
        ingress=verdict.ingress,
        regions=regions,
    )
    alike: dict[object, pb.Answer] = {}
    for i, each in enumerate(verdict.regions):
        grounds = (each.permits, each.exclusion, each.excluded_by)
        answer = alike.get(grounds)
        if answer is None:
            answer = alike[grounds] = message.answers.add(
                permits=[permits.setdefault(permit, len(permits)) for permit in each.permits],
                exclusion=each.exclusion or "",
                excluded_by=each.excluded_by,
            )
        answer.regions.append(i)
    return message


def _shadow_to_proto(shadow: Shadowed, catalogue: tuple[RegionId, ...], permits: dict[Permit, int]) -> pb.Shadow:
    verdict = shadow.verdict
    own = _catalogue(verdict)
    return pb.Shadow(
        policy_revision=shadow.policy,
        facts=None if shadow.facts is None else _facts_to_proto(shadow.facts),
        verdict=None if verdict is None else _verdict_to_proto(verdict, () if own == catalogue else own, permits),
        refusal=shadow.refusal,
    )


def _encode_choice(choice: Choice, positions: Mapping[RegionId, int]) -> bytes:
    plan = b"".join(map(_varint, choice.plan))
    parts = [_CHOICE_PLAN, _varint(len(plan)), plan] if plan else []
    heads = _estimate_heads
    for each in choice.estimates:
        position = positions.get(each.region)
        if position is None:
            raise ValueError(f"an estimate of {each.region}, of which the verdict says nothing")
        figures = _encode_figures(each)
        head = position, each.state, len(figures)
        parts += (heads.get(head) or _make_estimate_head(head), figures)
    body = b"".join(parts)
    return _DECISION_CHOICE + _varint(len(body)) + body


def _encode_figures(estimate: Estimate) -> bytes:
    """Encode what an estimate holds beside region and state."""
    latency_s, age_s, budget, preference = estimate.latency_s, estimate.age_s, estimate.budget, estimate.preference
    if latency_s is None or age_s is None or (budget is None and (estimate.in_flight or preference is not None)):
        return _figures_to_proto(estimate).SerializeToString()
    if budget is None:
        figures = _MEASURED.pack(_LATENCY, latency_s, _AGE, age_s)
    elif preference is None:
        figures = _COUNTED.pack(_LATENCY, latency_s, _AGE, age_s, _IN_FLIGHT, estimate.in_flight, _BUDGET, budget)
    else:
        counts = _IN_FLIGHT, estimate.in_flight, _BUDGET, budget
        figures = _RANKED.pack(_LATENCY, latency_s, _AGE, age_s, *counts, _PREFERENCE, preference)
    return figures + _MISSING_SLO if estimate.missing_slo else figures


def _figures_to_proto(estimate: Estimate) -> pb.Estimate:
    """Give the message of an estimate without region and state. No count is written where there was none."""
    return pb.Estimate(
        latency_s=estimate.latency_s,
        age_s=estimate.age_s,
        in_flight=estimate.in_flight if estimate.in_flight or estimate.budget is not None else None,
        budget=estimate.budget,
        preference=estimate.preference,
        missing_slo=estimate.missing_slo,
    )


def _make_estimate_head(head: _Head) -> bytes:
    """Encode what an estimate begins with, its length included, and keep it."""
    position, state, size = head
    named = pb.Estimate(region=position, state=state).SerializeToString()
    encoded = _CHOICE_ESTIMATE + _varint(len(named) + size) + named
    _make_room(_estimate_heads)
    _estimate_heads[head] = encoded
    return encoded


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
        deny=_deny_to_proto(steering) if isinstance(steering, Deny) else None,
        transfers=[
            pb.Transfer(
                region=each.region,
                importer=each.importer,
                exporter=each.exporter,
                permit=permits.setdefault(each.permit, len(permits)),
                reference=each.reference,
            )
            for each in transfers
        ],
    )
    message.permits.extend(_permit_to_proto(each) for each in permits)
    encoded = message.SerializeToString()
    _make_room(known.outcomes)
    known.outcomes[plan] = (steering, transfers, encoded)
    return encoded


def _encode_durability(durability: str) -> bytes:
    word = durability.encode()
    return _DECISION_DURABILITY + _varint(len(word)) + word


def _encode_private(private: Private) -> bytes:
    parts: list[bytes] = []
    for tag, value in (
        (_PRIVATE_PSEUDONYM, private.pseudonym),
        (_PRIVATE_REQUEST, private.request),
        (_PRIVATE_SEALED, private.sealed),
        (_PRIVATE_DAY, private.day.encode()),
    ):
        if value:
            parts += (tag, _varint(len(value)), value)
    body = b"".join(parts)
    return _DECISION_PRIVATE + _varint(len(body)) + body


def _deny_to_proto(deny: Deny) -> pb.Deny:
    return pb.Deny(refusal=deny.refusal, retry_after_s=deny.retry_after_s, redirect_host=deny.redirect_host)


def _permit_to_proto(permit: Permit) -> pb.Permit:
    return pb.Permit(
        regime=permit.regime, id=permit.id, cite=permit.cite, basis=permit.basis, mechanism=permit.mechanism
    )


def _make_room(
    kept: dict[_Key, _Known] | dict[_Head, bytes] | dict[tuple[int, ...] | None, _Outcome],
) -> None:
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
