"""What the recorder writes by itself."""

import asyncio
from pathlib import Path

from ledger.world import IDENTITY, KEY, decision

from extproc.audit.show import read_records
from extproc.ledger.commit import Ledger
from extproc.ledger.housekeeping import heartbeat_from_entry
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


async def _grown_to(ledger: Ledger, size: int) -> None:
    for _ in range(2000):
        if ledger.size >= size:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{ledger.size} entries after ten seconds")
