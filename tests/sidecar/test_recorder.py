"""What the recorder writes by itself."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, decision, suspension

from extproc.audit.show import read_records
from extproc.core.delivery import ORDER_KEPT_S, Order
from extproc.core.evidence import Private
from extproc.core.ids import DecisionId
from extproc.core.overrides import Resumption
from extproc.ledger.commit import Ledger
from extproc.ledger.entries import resumption_from_proto
from extproc.ledger.errors import EntryTooLargeError, LedgerFullError, LedgerPoisonedError
from extproc.ledger.housekeeping import heartbeat_from_entry
from extproc.ledger.room import Room, look_for_room
from extproc.sidecar.recorder import Recorder


async def test_it_beats_idle_or_not_and_counts_the_decisions_before_it(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16)
    recorder = Recorder(ledger, program="1", clock=lambda: 1_763_725_440.0)
    beating = asyncio.ensure_future(recorder.beat_forever(0.01))
    await _grown_to(ledger, 3)
    await recorder.record_decision(decision(1))
    await _grown_to(ledger, ledger.size + 2)
    beating.cancel()
    await ledger.close()
    records = list(read_records(tmp_path))
    kinds = [record.kind for record in records]
    at = kinds.index("decision")
    beats = [(i, heartbeat_from_entry(records[i].entry)) for i, kind in enumerate(kinds) if kind == "heartbeat"]
    assert [beat.sequence for i, beat in beats] == [int(i > at) for i, _ in beats]
    assert len([i for i, _ in beats if i > at]) >= 1
    running = [beat.running_s for _, beat in beats]
    assert running == sorted(running)
    assert running[0] > 0
    assert all(beat.free_bytes > 0 for _, beat in beats)


async def test_only_what_is_handed_over_takes_a_number(tmp_path: Path) -> None:
    room = Room(low_bytes=1 << 62, full_bytes=1 << 62)
    ledger = await Ledger.open(tmp_path, identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16, room=room)
    recorder = Recorder(ledger, program="1", clock=lambda: 1_763_725_440.0)
    with pytest.raises(LedgerFullError):
        await recorder.record_decision(decision(1))
    ledger._intake.room = look_for_room(tmp_path, Room(low_bytes=0, full_bytes=0))
    with pytest.raises(ValueError, match="non-hexadecimal"):
        await recorder.record_decision(replace(decision(1), id=DecisionId("not-an-id")))
    with pytest.raises(EntryTooLargeError):
        await recorder.record_decision(decision(1), private=Private(day="2025-11-21", sealed=bytes(1 << 16)))
    given_up = asyncio.ensure_future(recorder.record_decision(decision(1)))
    await asyncio.sleep(0)
    given_up.cancel()
    await recorder.record_decision(decision(2))
    await ledger.close()
    records = list(read_records(tmp_path))
    assert [r.entry.decision.sequence for r in records if r.kind == "decision"] == [1, 2]
    lost = [(r.entry.gap.reason, r.entry.gap.entries, r.entry.gap.released) for r in records if r.kind == "gap"]
    assert sorted(lost) == [("full", 1, 0), ("too_large", 1, 0)]


async def test_an_order_is_held_against_deliveries_from_when_it_was_recorded(tmp_path: Path) -> None:
    now_s = 1_763_725_440.0
    ledger = await Ledger.open(tmp_path, identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16)
    recorder = Recorder(ledger, program="1", clock=lambda: now_s)
    fra, ams = suspension("eu-fra", from_s=1.0), suspension("eu-ams")
    await recorder.record_overrides((), (fra, ams))
    assert list(recorder.orders) == [Order(suspension=fra, since_s=now_s), Order(suspension=ams, since_s=now_s)]
    now_s += 10
    resumption = Resumption(order=fra.id, reason="settled", approved_by=("A. Counsel", "B. Officer"), at_s=now_s - 1)
    later = replace(ams, until_s=now_s + 60)
    await recorder.record_overrides((fra, ams), (later,), (resumption,))
    assert list(recorder.orders) == [
        Order(suspension=fra, since_s=now_s - 10, ended_s=now_s),
        Order(suspension=ams, since_s=now_s - 10, ended_s=now_s),
        Order(suspension=later, since_s=now_s),
    ]
    now_s += ORDER_KEPT_S + 1
    await recorder.record_overrides((later,), ())
    assert list(recorder.orders) == [Order(suspension=later, since_s=now_s - ORDER_KEPT_S - 1, ended_s=now_s)]
    await ledger.close()
    told = [
        (
            record.entry.override.action,
            record.entry.override.suspension.id,
            resumption_from_proto(record.entry.override),
        )
        for record in read_records(tmp_path, kinds=frozenset({"override"}))
    ]
    assert told == [
        ("suspended", fra.id, None),
        ("suspended", ams.id, None),
        ("suspended", ams.id, None),
        ("resumed", fra.id, resumption),
        ("resumed", ams.id, None),  # changed, and released by nobody
        ("resumed", ams.id, None),  # removed by hand
    ]


async def test_an_order_that_could_not_be_recorded_is_held_against_nobody(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16)
    recorder = Recorder(ledger, program="1", clock=lambda: 1_763_725_440.0)
    ledger._intake.poisoned_by(OSError("the disk is gone"))
    with pytest.raises(LedgerPoisonedError):
        await recorder.record_overrides((), (suspension("eu-fra"),))
    assert recorder.orders == ()
    with pytest.raises(LedgerPoisonedError):
        await ledger.close()


async def test_a_log_that_fails_while_nobody_writes_is_noticed(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16)
    recorder = Recorder(ledger, program="1", clock=lambda: 1_763_725_440.0)
    recorder.notice()
    assert not recorder.failed.is_set()
    ledger._intake.poisoned_by(OSError("the disk is gone"))
    recorder.notice()
    assert recorder.failed.is_set()
    with pytest.raises(LedgerPoisonedError, match="the disk is gone"):
        await ledger.close()


async def _grown_to(ledger: Ledger, size: int) -> None:
    for _ in range(2000):
        if ledger.size >= size:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{ledger.size} entries after ten seconds")
