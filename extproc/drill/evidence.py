"""What a decision log says of the requests of a drill: read back as it is published, from a moment on.

Trusts the log's signature and hashes and nobody's word; whether the keys are the right ones is for
:mod:`extproc.audit`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from extproc.core.delivery import Attempt, Delivery
from extproc.core.ids import RegionId
from extproc.custody.published import PublishedLog, incarnations, open_published, parse
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import permitted_regions
from extproc.ledger.entries import delivery_from_entry, kind_of
from extproc.ledger.ids import id_from_bytes
from extproc.ledger.tiles import TILE_WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One recorded decision: when it was recorded (Unix seconds), and which regions it permits."""

    at_s: float
    permitted: frozenset[RegionId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Decisions and deliveries by the id of the decision; `stray` are deliveries that bear none."""

    decisions: Mapping[str, Decided] = field(default_factory=dict)
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    stray: tuple[Delivery, ...] = ()

    def attempts(self) -> Iterator[Attempt]:
        """Give every attempt that Envoy reported."""
        for delivery in self.deliveries.values():
            yield from delivery.attempts


def read_evidence(root: Path, since_s: float) -> Evidence:
    """Read what all logs below `root` say since a time, as far as it is published. Raises UnsoundLogError."""
    decisions: dict[str, Decided] = {}
    deliveries: dict[str, Delivery] = {}
    stray: list[Delivery] = []
    for directory in incarnations(root):
        log = open_published(directory)
        if log is None:
            continue
        for entry in _since(log, since_s):
            match kind_of(entry):
                case "decision":
                    decisions[str(id_from_bytes(entry.decision.id))] = Decided(
                        at_s=entry.at_s, permitted=permitted_regions(entry.decision.verdict)
                    )
                case "delivery":
                    delivery = delivery_from_entry(entry)
                    if delivery.decision is None:
                        stray.append(delivery)
                    else:
                        deliveries[delivery.decision] = delivery
                case _:
                    pass
    return Evidence(decisions=decisions, deliveries=deliveries, stray=tuple(stray))


def _since(log: PublishedLog, since_s: float) -> Iterator[pb.Entry]:
    """Give the entries since a time, without reading all that a log of many months has before it."""
    start = (log.bundles - 1) * TILE_WIDTH
    while start > log.first():
        _, first = next(log.entries(start))
        if parse(first, log.directory).at_s < since_s:
            break
        start -= TILE_WIDTH
    for _, data in log.entries(max(start, log.first())):
        entry = parse(data, log.directory)
        if entry.at_s >= since_s:
            yield entry
