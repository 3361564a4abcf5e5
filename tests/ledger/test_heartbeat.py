import asyncio
from pathlib import Path

import pytest
from ledger.ledgers import open_ledger, until
from ledger.world import NOW_S

from extproc.audit.show import read_records
from extproc.ledger.errors import LedgerClosedError
from extproc.ledger.heartbeat import beat_forever
from extproc.ledger.housekeeping import heartbeat_from_entry


async def test_a_log_beats_until_it_is_closed(tmp_path: Path) -> None:
    ledger = await open_ledger(tmp_path)
    sequence = 0

    def latest() -> int:
        nonlocal sequence
        sequence += 1
        return sequence

    beating = asyncio.create_task(beat_forever(ledger, latest, clock=lambda: NOW_S, every_s=0.01))
    await until(lambda: ledger.size >= 4)
    await ledger.close()
    with pytest.raises(LedgerClosedError):
        await beating
    beats = [heartbeat_from_entry(record.entry) for record in read_records(tmp_path, kinds=frozenset({"heartbeat"}))]
    assert len(beats) >= 3
    assert [beat.sequence for beat in beats] == list(range(1, len(beats) + 1))
    assert all(beat.free_bytes > 0 for beat in beats)
    running = [beat.running_s for beat in beats]
    assert running == sorted(running)
    assert running[-1] - running[0] >= 0.01 * (len(beats) - 1)
