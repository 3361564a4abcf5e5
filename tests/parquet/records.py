"""One log that has an entry of every kind, for the tests of tables and exports."""

from dataclasses import replace
from pathlib import Path

from ledger.world import (
    IDENTITY,
    KEY,
    NOW_S,
    REGIONS,
    config,
    decision,
    delivery,
    shadow_refuses,
    shadowed,
    write_log,
)

from extproc.core.delivery import Finding, Order
from extproc.core.ids import DecisionId, OverrideId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.entries import (
    decision_to_entry,
    delivery_to_entry,
    gap_to_entry,
    override_to_entry,
    recovered_to_entry,
)
from extproc.ledger.housekeeping import (
    Acknowledgement,
    DrillMode,
    DrillRun,
    Erasure,
    ErasureScope,
    Head,
    Heartbeat,
    Hold,
    HoldAction,
    KeyRotation,
    Prune,
    acknowledgement_to_entry,
    drill_to_entry,
    erasure_to_entry,
    head_to_entry,
    heartbeat_to_entry,
    hold_to_entry,
    prune_to_entry,
    rotation_to_entry,
)
from extproc.notes.note import sign_note

ORDER = Suspension(
    id=OverrideId("o-1"),
    kind=TargetKind.PERMIT,
    name="gdpr.dpf",
    reason='=cmd|" /C calc"!A0',
    from_s=NOW_S,
    until_s=None,
    approved_by=("a", "b"),
)


PAST_REGION = REGIONS[0]
PAST = replace(ORDER, id=OverrideId("o-2"), kind=TargetKind.REGION, name=PAST_REGION, until_s=NOW_S + 3600)
"""An order that was released a second after it was recorded."""
RELEASE = Resumption(order=PAST.id, reason="settled", approved_by=("c", "d"), at_s=NOW_S + 1.5)


def after_order(number: int) -> bytes:
    """A delivery whose attempt rested on a permit that an order had taken out."""
    known = Order(suspension=ORDER, since_s=NOW_S + 1)
    late = delivery(decision(number), REGIONS[2], began_at_s=NOW_S + 5, orders=(known,))
    return delivery_to_entry(late, at_s=NOW_S + 31.5)


def denied(number: int) -> bytes:
    """A refusal without a verdict."""
    deny = Deny(refusal=Refusal.UNKNOWN_TENANT, retry_after_s=7, redirect_host="elsewhere.example")
    bare = replace(decision(number), verdict=None, choice=None, transfers=(), steering=deny)
    return decision_to_entry(bare, sequence=number)


def private(number: int) -> bytes:
    """A decision with a pseudonym and a sealed block, released under another mode."""
    entry = pb.Entry.FromString(decision_to_entry(decision(number), sequence=number))
    entry.decision.durability = "page"
    entry.decision.private.pseudonym = b"\xab" * 16
    entry.decision.private.request = b"\xcd" * 16
    entry.decision.private.sealed = b"\xef" * 40
    entry.decision.private.day = "2025-11-21"
    return entry.SerializeToString()


def seen_head() -> bytes:
    """A witness's record of another log."""
    text = format_checkpoint(Checkpoint(origin="other/log", size=9, root=b"\x01" * 32))
    return head_to_entry(Head(checkpoint=sign_note(text, KEY.verifier("other/log"), KEY.sign)), at_s=NOW_S + 20)


def violating(number: int) -> bytes:
    """A delivery of a decision to a region that it had excluded."""
    wrong = delivery(decision(number), REGIONS[3])
    return delivery_to_entry(wrong, at_s=NOW_S + 30)


def orphan() -> bytes:
    """A delivery of a decision that is nowhere."""
    lost = replace(
        delivery(decision(1), REGIONS[0]),
        decision=DecisionId("00000000-0000-7000-8000-00000000ffff"),
        finding=Finding.DECIDED_ELSEWHERE,
    )
    return delivery_to_entry(lost, at_s=NOW_S + 31)


def every_kind(root: Path) -> Path:
    """Write the log and give its folder."""
    return write_log(
        root,
        [
            config(shadow=True),
            override_to_entry(ORDER, at_s=NOW_S + 1),
            decision_to_entry(decision(1), sequence=1),
            decision_to_entry(shadowed(decision(2)), sequence=2),
            decision_to_entry(shadow_refuses(decision(3), Refusal.UNKNOWN_MODEL), sequence=3),
            denied(4),
            private(5),
            delivery_to_entry(delivery(decision(1), REGIONS[0], None), at_s=NOW_S + 10),
            delivery_to_entry(delivery(decision(2), REGIONS[0]), at_s=NOW_S + 11),
            violating(3),
            orphan(),
            override_to_entry(PAST, at_s=NOW_S + 1),
            override_to_entry(PAST, at_s=NOW_S + 2, resumed=True, resumption=RELEASE),
            after_order(2),
            delivery_to_entry(delivery(decision(2), PAST_REGION, began_at_s=NOW_S + 3), at_s=NOW_S + 32),
            acknowledgement_to_entry(
                Acknowledgement(
                    decision=decision(3).id,
                    origin="acme/1",
                    index=12,
                    finding="outside_permitted",
                    reason="INC-7",
                    approved_by=("a", "b"),
                ),
                at_s=NOW_S + 33,
            ),
            heartbeat_to_entry(Heartbeat(sequence=5, running_s=1.5, free_bytes=1 << 40), at_s=NOW_S + 12),
            gap_to_entry(at_s=NOW_S + 13, entries=7, first_at_s=NOW_S, last_at_s=NOW_S + 1),
            recovered_to_entry(at_s=NOW_S + 14, size=3, segment="s", offset=1, cut=9),
            rotation_to_entry(KeyRotation(delegation=b"d\n", checkpoint=b"c\n"), at_s=NOW_S + 15),
            erasure_to_entry(
                Erasure(
                    scope=ErasureScope.SUBJECT,
                    tenant="shop",
                    days=("2025-11-21",),
                    keys=1,
                    reason="ticket 7",
                    pseudonyms=(b"\xab" * 16,),
                    approved_by=("a",),
                ),
                at_s=NOW_S + 16,
            ),
            prune_to_entry(
                Prune(origin="a/b", end=256, size=300, root=b"\x02" * 32, newest_at_s=NOW_S, reason="retention"),
                at_s=NOW_S + 17,
            ),
            hold_to_entry(
                Hold(action=HoldAction.PLACED, id="case-1", origin="acme", reason="court", until_s=NOW_S + 1),
                at_s=NOW_S + 18,
            ),
            drill_to_entry(
                DrillRun(
                    scenario="region-loss",
                    region="eu-fra",
                    began_at_s=NOW_S,
                    ended_at_s=NOW_S + 2,
                    requests=10,
                    failed=1,
                    outside_permitted=0,
                    recovery_s=None,
                    passed=True,
                    report=b"\x03" * 32,
                    rto_target_s=2.0,
                    records_lost=1,
                    rpo_target=0,
                    policy_revision="sha256:00",
                    mode=DrillMode.DEMO,
                ),
                at_s=NOW_S + 19,
            ),
            seen_head(),
            b"\xff\xff nonsense",
            pb.Entry(at_s=float("nan"), heartbeat=pb.Heartbeat()).SerializeToString(),
        ],
    )


def many(root: Path, decisions: int) -> Path:
    """Write a log of decisions and their deliveries in turn."""
    entries = [config()]
    for number in range(1, decisions + 1):
        made = decision(number)
        entries.append(decision_to_entry(made, sequence=number))
        entries.append(delivery_to_entry(delivery(made, REGIONS[0]), at_s=NOW_S + number + 0.5))
    return write_log(root, entries)


SIGNER = IDENTITY.signer
