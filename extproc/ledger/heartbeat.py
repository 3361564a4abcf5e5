"""Signs of life: an entry every ten seconds, idle or not, so that a silence that is not signed is a hole."""

import asyncio
from collections.abc import Callable
from time import time
from typing import Final, NoReturn

from extproc.ledger.commit import Ledger
from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry
from extproc.ledger.log import Clock

HEARTBEAT_S: Final = 10.0


async def beat_forever(
    ledger: Ledger, latest: Callable[[], int], *, clock: Clock = time, every_s: float = HEARTBEAT_S
) -> NoReturn:
    """Record a sign of life at once and then every `every_s` seconds, until cancelled.

    `latest` gives the number of the latest decision, 0 before the first. A heartbeat is a reserved entry: it goes in
    when the disk is nearly full, and says so. Raises LedgerPoisonedError and LedgerClosedError.
    """
    while True:
        beat = Heartbeat(sequence=latest(), running_s=ledger.running_s, free_bytes=ledger.room.free_bytes)
        await ledger.commit(heartbeat_to_entry(beat, at_s=clock()), reserved=True)
        await asyncio.sleep(every_s)
