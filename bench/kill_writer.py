"""The victim of the kills: a forked process that records decisions as fast as it can and says which were released.

It says so by lines on a pipe: `open`, when its log has begun, then `LOG INDEX SEQUENCE` for each released decision.
"""

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

from bench.handler import write_policy
from bench.messages import processing_requests
from extproc.core.decide import decide
from extproc.demo.places import write_geo_database
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.commit import Durability, Ledger, LogIdentity
from extproc.ledger.entries import config_to_entry, decision_to_entry
from extproc.notes.keys import SigningKey
from extproc.sidecar.configuration import Files, Origin, load_configuration
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.live import Live

IDENTITY: Final = LogIdentity(org="bench", env="kills", region="eu-fra", node="bench", worker="0")
OPEN: Final = b"open\n"
WAITERS: Final = 12


class Mode(StrEnum):
    """What the victim's entries wait for."""

    FSYNC = "fsync"
    PAGE = "page"
    MIXED = "mixed"
    """Each entry by chance: the three modes share batches."""
    OBSERVE = "observe"
    """Nothing is promised then, so only the log itself is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What is recorded: a configuration, and a decision that is given its number and time."""

    config: bytes
    decision: bytes

    def configured(self) -> bytes:
        """Give the configuration as of now."""
        entry = pb.Entry.FromString(self.config)
        entry.at_s = time.time()
        return entry.SerializeToString()

    def numbered(self, sequence: int, writer: bytes) -> bytes:
        """Give the decision as of now with its number, and an id that begins with eight bytes of the writer's own."""
        entry = pb.Entry.FromString(self.decision)
        entry.at_s = time.time()
        entry.decision.sequence = sequence
        entry.decision.id = writer + sequence.to_bytes(8)
        return entry.SerializeToString()


def make_supply() -> Supply:
    """Make both by the demo's policy."""
    with tempfile.TemporaryDirectory() as folder:
        geo, policy = Path(folder) / "country.mmdb", Path(folder) / "policy.yaml"
        write_geo_database(geo)
        write_policy(policy, 4)
        current = Live(load_configuration(Files(policy=Origin(location=str(policy)), geo=geo))).current
    now_s = time.time()
    facts = current.reader.requests.read(processing_requests()[0], now_s)
    made = decide(facts, current.snapshot, now_s=now_s, decision_id=DecisionIds().make(now_s))
    return Supply(
        config=config_to_entry(current.snapshot, at_s=now_s, program="bench"),
        decision=decision_to_entry(made, sequence=1),
    )


def fork_writer(root: Path, *, key: SigningKey, mode: Mode, segment_bytes: int, supply: Supply) -> tuple[int, int]:
    """Start a victim; give its process id and the end of the pipe that it writes to. The caller kills and reaps it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    # The child never returns into the caller's code, whatever happens.
    try:
        os.close(reading)
        with suppress(KeyboardInterrupt):
            asyncio.run(_write(root, writing, key=key, mode=mode, segment_bytes=segment_bytes, supply=supply))
    finally:
        os._exit(1)


async def _write(  # noqa: PLR0913 - what a victim is told, each by name
    root: Path, writing: int, *, key: SigningKey, mode: Mode, segment_bytes: int, supply: Supply
) -> None:
    default = Durability.FSYNC if mode is Mode.MIXED else Durability(mode.value)
    ledger = await Ledger.open(root, identity=IDENTITY, key=key, mode=default, segment_bytes=segment_bytes)
    await ledger.commit(supply.configured(), reserved=True)
    os.write(writing, OPEN)
    random = Random(os.getpid())  # noqa: S311 - chance, not a secret
    modes = tuple(Durability) if mode is Mode.MIXED else (default,)
    log = ledger.directory.name
    writer = os.urandom(8)
    sequence = 0

    async def record() -> None:
        nonlocal sequence
        while True:
            sequence += 1
            number, durability = sequence, random.choice(modes)
            index = await ledger.commit(supply.numbered(number, writer), durability=durability)
            if index is None:
                await asyncio.sleep(0)
            else:
                os.write(writing, f"{log} {index} {number}\n".encode())

    await asyncio.gather(*(record() for _ in range(WAITERS)))
