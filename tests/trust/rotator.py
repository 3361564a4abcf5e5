"""A process that writes a log and changes its key all the time, until it is killed.

Usage: python rotator.py ROOT. Prints a line for each change that the log has recorded.
"""

import asyncio
import sys
import time
from itertools import count
from pathlib import Path

from extproc.ledger.commit import Ledger, LogIdentity
from extproc.ledger.entries import gap_to_entry
from extproc.trust.epochs import KeyRing

IDENTITY = LogIdentity(org="acme", env="test", region="eu", node="node-1", worker="w0")


async def main(root: Path) -> None:
    ring = KeyRing(root / "keys" / "log.pem", scope=IDENTITY.signer, now_s=time.time())
    ledger = await Ledger.open(
        root / "logs",
        identity=IDENTITY,
        key=ring.key,
        delegations=ring.delegations,
        program="1",
        segment_bytes=1 << 16,
    )
    for number in count(1):
        now_s = time.time()
        await ledger.commit(gap_to_entry(at_s=now_s, entries=number, first_at_s=now_s, last_at_s=now_s))
        if number % 3 == 0:
            await ring.rotate(ledger.rotate, now_s=now_s)
            sys.stdout.write(f"{ring.key.public.hex()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
