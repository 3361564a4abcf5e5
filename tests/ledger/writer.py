"""A process that records decisions as fast as it can and says which were released, until it is killed."""

import asyncio
import os
import sys
from pathlib import Path

from ledger.world import IDENTITY, config, decision

from extproc.ledger.commit import Durability, Ledger
from extproc.ledger.entries import decision_to_entry
from extproc.notes.keys import load_key


async def _write(root: Path, mode: Durability) -> None:
    key = load_key(root / "key.pem")
    ledger = await Ledger.open(root / "logs", identity=IDENTITY, key=key, mode=mode, segment_bytes=1 << 18)
    await ledger.commit(config())
    first = int.from_bytes(os.urandom(5)) << 20
    sequence = 0

    async def record() -> None:
        nonlocal sequence
        while True:
            sequence += 1
            made = decision(first + sequence)
            await ledger.commit(decision_to_entry(made, sequence=sequence))
            os.write(1, f"{made.id}\n".encode())

    os.write(1, b"ready\n")
    await asyncio.gather(*(record() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1]), Durability(sys.argv[2])))
