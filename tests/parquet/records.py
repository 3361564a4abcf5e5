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

from extproc.core.delivery import Finding
from extproc.core.ids import DecisionId, OverrideId
from extproc.core.overrides import Suspension, TargetKind
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
    DrillRun,
    Erasure,
    ErasureScope,
    Head,
    Heartbeat,
    Hold,
    HoldAction,
    KeyRotation,
    Prune,
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
