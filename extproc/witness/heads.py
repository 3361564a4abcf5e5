"""Checkpoints of other logs, as a root log holds them: what they alone prove, and what they prove with a log at hand.

Pure: reads no file and no clock. Whether a log's own key has signed a checkpoint is for whoever trusts that key.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.housekeeping import Head
from extproc.notes.errors import MalformedError
from extproc.notes.note import parse_note
from extproc.witness.request import parse_head


class HeadFault(StrEnum):
    """What is wrong with a checkpoint in a root log."""

    MALFORMED = "malformed"
    """It is no checkpoint."""

    SHRUNK = "shrunk"
    """The log had more entries before."""

    FORKED = "forked"
    """The log had another root at this size."""

    BEYOND = "beyond"
    """The log that is at hand has fewer entries: some are gone, or it was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHead:
    """One checkpoint of a log. `index` is that of the entry that holds it."""

    index: int
    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFinding:
    """A fault: entry `index` of the root log, and what it is held against; `before` is None for a malformed one."""

    fault: HeadFault
    index: int
    origin: str
    expected: str
    found: str
    before: SeenHead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsReport:
    """All checkpoints of a root log, by the origin of their log, in order; and what is wrong with them."""

    heads: Mapping[str, Sequence[SeenHead]]
    findings: Sequence[HeadFinding]


def check_heads(entries: Iterable[tuple[int, Head]]) -> HeadsReport:
    """Check that no log shrank or changed its root, as far as checkpoints alone can show it.

    `entries` are those of the root log with their indices, in order. That a larger tree continues a smaller one takes
    the log itself: :func:`compare_heads`.
    """
    heads: dict[str, list[SeenHead]] = {}
    findings: list[HeadFinding] = []
    for index, head in entries:
        try:
            checkpoint = parse_head(parse_note(head.checkpoint).text)
        except MalformedError as error:
            findings.append(
                HeadFinding(
                    fault=HeadFault.MALFORMED, index=index, origin="", expected="a checkpoint", found=str(error)
                )
            )
            continue
        earlier = heads.setdefault(checkpoint.origin, [])
        # Held against the largest so far: after one that shrank, those that follow are judged as if it had not been.
        before = max(earlier, key=lambda each: each.checkpoint.size, default=None)
        finding = None if before is None else _compare(index, checkpoint, before)
        if finding is not None:
            findings.append(finding)
        earlier.append(SeenHead(index=index, checkpoint=checkpoint, note=head.checkpoint))
    return HeadsReport(heads=heads, findings=findings)


def compare_heads(heads: Sequence[SeenHead], *, size: int, root_at: Callable[[int], bytes]) -> tuple[HeadFinding, ...]:
    """Hold the checkpoints that a root log has of one log against that log itself, of `size` entries.

    `root_at` gives its root over its first entries (:meth:`extproc.ledger.proofs.TileTree.root`, once its tiles are
    verified). No finding means: this log continues all that was seen of it.
    """
    findings: list[HeadFinding] = []
    for seen in heads:
        checkpoint = seen.checkpoint
        if checkpoint.size > size:
            fault, expected, found = HeadFault.BEYOND, f"at least {checkpoint.size} entries", f"{size}"
        else:
            root = root_at(checkpoint.size)
            if root == checkpoint.root:
                continue
            fault, expected, found = HeadFault.FORKED, checkpoint.root.hex(), root.hex()
        findings.append(
            HeadFinding(
                fault=fault, index=seen.index, origin=checkpoint.origin, expected=expected, found=found, before=seen
            )
        )
    return tuple(findings)


def _compare(index: int, checkpoint: Checkpoint, before: SeenHead) -> HeadFinding | None:
    last = before.checkpoint
    if checkpoint.size < last.size:
        fault, expected, found = HeadFault.SHRUNK, f"at least {last.size} entries", f"{checkpoint.size}"
    elif checkpoint.size == last.size and checkpoint.root != last.root:
        fault, expected, found = HeadFault.FORKED, last.root.hex(), checkpoint.root.hex()
    else:
        return None
    return HeadFinding(
        fault=fault, index=index, origin=checkpoint.origin, expected=expected, found=found, before=before
    )
