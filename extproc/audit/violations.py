"""Finding the violations that one decision, or one entry, is about.

For whoever has to say what they know of a violation: it must be there to be acknowledged. Verifies no hash; that is
:mod:`extproc.audit.verify`, which finds all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from extproc.archive import Archive
from extproc.audit.published import PublishedLog, find_published, read_entry, read_range
from extproc.core.delivery import Finding, Intent, reconcile
from extproc.core.ids import DecisionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import intent_of_record, permitted_regions
from extproc.ledger.entries import delivery_from_entry, parse_entry
from extproc.ledger.ids import id_from_bytes, id_to_bytes
from extproc.notes.errors import MalformedError

PLAN_OUTSIDE_PERMITTED: Final = "plan_outside_permitted"
"""Of a decision that names a region which its own verdict excludes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A violation and where it stands: entry `index` of the log `origin`. `decision` is None where there was none."""

    decision: DecisionId | None
    origin: str
    index: int
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One entry about the decision."""

    log: PublishedLog
    index: int
    entry: pb.Entry


def violations_of(archive: Archive, decision: DecisionId) -> tuple[Violation, ...]:
    """Give the violations of a decision, in all published logs of an archive: as `situs audit verify` finds them.

    Reads every entry. Raises MalformedError, ArchiveError and ValueError for an id that is no UUID.
    """
    told = list(_about(archive, id_to_bytes(decision)))
    return tuple(_judge(decision, told))


def violations_at(archive: Archive, name: str, index: int) -> tuple[Violation, ...]:
    """Give the violation at one entry of the log whose folder or name is `name`; none where there is none.

    Raises IndexError where there is no such entry, and as :func:`violations_of`.
    """
    log = next((each for each in find_published(archive) if name in (each.name, each.origin)), None)
    if log is None:
        raise IndexError(f"{name}: no published log of this folder or name")
    entry = parse_entry(read_entry(archive, log, index))
    raw = entry.decision.id or entry.delivery.decision
    if raw:
        return tuple(
            each
            for each in violations_of(archive, id_from_bytes(raw))
            if (each.origin, each.index) == (log.origin, index)
        )
    return tuple(_judge(None, [_Told(log=log, index=index, entry=entry)]))


def _about(archive: Archive, raw: bytes) -> Iterator[_Told]:
    for log in find_published(archive):
        for index, data in read_range(archive, log, 0, log.size):
            # Most entries are of others: only those that hold these bytes are parsed.
            if raw not in data:
                continue
            entry = parse_entry(data)
            if raw in (entry.decision.id, entry.delivery.decision):
                yield _Told(log=log, index=index, entry=entry)


def _judge(decision: DecisionId | None, told: list[_Told]) -> Iterator[Violation]:
    """Find what is a violation among all that is told of one decision."""
    intent: Intent | None = None
    for each in told:
        if not each.entry.HasField("decision"):
            continue
        permitted = permitted_regions(each.entry.decision.verdict)
        intent = intent_of_record(each.entry.decision, permitted)
        if not permitted.issuperset(intent.plan):
            yield _violation(decision, each, PLAN_OUTSIDE_PERMITTED)
    for each in told:
        if not each.entry.HasField("delivery"):
            continue
        delivery = delivery_from_entry(each.entry)
        found = reconcile(delivery.decision, intent, delivery.attempts)
        if found is Finding.DECIDED_ELSEWHERE:
            # Without the log that decided, what was recorded stands.
            found = delivery.finding
        if found.is_violation:
            yield _violation(decision, each, found.value)


def _violation(decision: DecisionId | None, told: _Told, finding: str) -> Violation:
    return Violation(decision=decision, origin=told.log.origin, index=told.index, finding=finding)


def parse_reference(text: str) -> tuple[str, int]:
    """Read where an entry stands, as `LOG:ENTRY`. Raises MalformedError."""
    name, colon, index = text.rpartition(":")
    if not colon or not name or not index.isascii() or not index.isdigit():
        raise MalformedError(
            f"{text}: neither a decision's id nor LOG:ENTRY. Mend: take one that `situs audit verify` names"
        )
    return name.rstrip("/"), int(index)
