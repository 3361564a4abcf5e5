"""Logs of a node and their keeper, small enough to look at each byte."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.world import IDENTITY, config, decision, delivery

from extproc.core.evidence import Private
from extproc.custody.keeper import Keeper
from extproc.custody.published import open_published
from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.entries import close_to_entry, decision_to_entry, delivery_to_entry
from extproc.ledger.incarnation import start_log
from extproc.ledger.merkle import leaf_hash, verify_inclusion
from extproc.ledger.proofs import TileTree
from extproc.notes.keys import generate_key
from extproc.sealed.destroy import Grounds

KEY: Final = generate_key()
DAY_S: Final = 86_400.0
NOW_S: Final = 1_763_725_440.0
GROUNDS: Final = Grounds(reason="retention rule 4", at_s=NOW_S, approved_by=("A. Officer",))


def keeper(root: Path) -> Keeper:
    return Keeper(root=root, identity=IDENTITY, key=KEY, program="1", clock=lambda: NOW_S)


def write_log(  # noqa: PLR0913 - what a log is made of
    root: Path,
    *,
    at_s: float,
    decisions: int = 2,
    first: int = 1,
    close: bool = True,
    privates: Sequence[Private | None] = (),
    step_s: float = 0.0,
) -> Path:
    """Write one log of the worker w0 whose entries were made from `at_s`, `step_s` apart, and give its folder."""
    writer, lock = start_log(
        root, identity=IDENTITY, key=KEY, durability="fsync", program="1", clock=lambda: at_s, segment_bytes=1 << 16
    )
    try:
        entries = [config()]
        for n in range(decisions):
            private = privates[n] if n < len(privates) else None
            entries.append(decision_to_entry(decision(first + n), sequence=n + 1, private=private))
        entries.append(delivery_to_entry(delivery(decision(first)), at_s=at_s))
        timed = [entry[:1] + _double(at_s + i * step_s) + entry[9:] for i, entry in enumerate(entries)]
        for start in range(0, len(timed), 100):
            writer.append(timed[start : start + 100])
        writer.sync()
        if close:
            writer.append([close_to_entry(at_s=at_s + len(timed) * step_s, reason="shutdown")])
            writer.close()
        else:
            writer.publish()
    finally:
        writer.abandon()
        lock.release()
    return writer.directory


def _double(at_s: float) -> bytes:
    return struct.pack("<d", at_s)


def check_proofs(directory: Path) -> tuple[int, Checkpoint]:
    """Prove each entry that is there against the signed root, by the tree code; give how many there are."""
    log = open_published(directory)
    assert log is not None
    log.check_tree()
    tree = TileTree(lambda path: (directory / "log" / path).read_bytes(), log.size)
    proved = 0
    for index, entry in log.entries(log.first()):
        verify_inclusion(leaf_hash(entry), index, log.size, tree.inclusion(index), log.checkpoint.root)
        proved += 1
    return proved, log.checkpoint
