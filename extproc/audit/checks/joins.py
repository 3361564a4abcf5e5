"""Deliveries against decisions, wherever each was recorded.

Mostly a delivery stands a few entries behind its decision, and the job of that part holds one against the other. What
is left is gathered here in the simplest form and joined when all parts are read. It is sorted into buckets by the last
byte of the decision's id, which is random, and lies in temporary files once it is large: so at any time only one bucket
is in memory, however many decisions there are.
"""

import struct
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Final, Self

from extproc.audit.checks.orders import Ordered, known_at
from extproc.audit.findings import Category, Finding, Findings
from extproc.core.delivery import Delivery, Intent, Order, late, reconcile
from extproc.core.delivery import Finding as Reconciled
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import delivery_from_entry

ID_BYTES: Final = 16
_BUCKET_DECISIONS: Final = 1 << 18
_MOST_BUCKETS: Final = 256
_IN_MEMORY: Final = 4 << 20
_CHUNK: Final = struct.Struct("<III")
_DELIVERY: Final = struct.Struct("<16sII")


def count_buckets(entries: int) -> int:
    """Give into how many buckets the decisions of so many entries are sorted: a power of two."""
    wanted = max(1, entries // _BUCKET_DECISIONS)
    return min(_MOST_BUCKETS, 1 << (wanted - 1).bit_length())


class Bucket:
    """Decisions and deliveries of one part, whose ids end alike."""

    __slots__ = ("delivered", "deliveries", "ids", "intents", "places")

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self.places = array("I")
        self.intents = array("I")
        self.delivered = bytearray()
        self.deliveries: list[bytes] = []

    def pack(self) -> bytes:
        """Give it as bytes."""
        deliveries = b"".join(self.deliveries)
        return b"".join(
            (
                _CHUNK.pack(len(self.ids), len(deliveries), 0),
                b"".join(self.ids),
                self.places.tobytes(),
                self.intents.tobytes(),
                self.delivered,
                deliveries,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one part leaves to be joined: packed buckets, what its decisions allowed, and what was settled there."""

    buckets: tuple[bytes, ...]
    intents: tuple[Intent, ...]
    deliveries: Counter[str]


def pack_delivery(raw: bytes, place: int, message: bytes) -> bytes:
    """Give a delivery to be joined: its decision's id, its place in the part, and itself as it was recorded."""
    return _DELIVERY.pack(raw, place, len(message)) + message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    file: str
    first: int
    intents: Sequence[Intent]


@dataclass(frozen=True, slots=True)
class _Decision:
    part: int
    place: int
    intent: Intent


class Join:
    """Takes up what every part left, then settles it. Use it in a `with` statement: its files end with that."""

    def __init__(self, buckets: int) -> None:
        self.deliveries: Counter[str] = Counter()
        self.undelivered = 0
        self._parts: list[_Part] = []
        self._orders: dict[str, Sequence[Ordered]] = {}
        self._shared: dict[Intent, Intent] = {}
        self._stack = ExitStack()
        self._files = [
            self._stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - the stack is the context
            for _ in range(buckets)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, file: str, first: int, gathered: Gathered) -> None:
        """Take up what the part of the log `file` left that begins with entry `first`."""
        number = len(self._parts)
        intents = [self._shared.setdefault(intent, intent) for intent in gathered.intents]
        self._parts.append(_Part(file=file, first=first, intents=intents))
        self.deliveries.update(gathered.deliveries)
        for spool, packed in zip(self._files, gathered.buckets, strict=True):
            spool.write(_CHUNK.pack(number, len(packed), 0) + packed)

    def know(self, file: str, orders: Sequence[Ordered]) -> None:
        """Take up the legal orders that the log `file` has recorded."""
        self._orders[file] = orders

    def settle(self, findings: Findings) -> None:
        """Hold every delivery that is left against its decision, and every decision's id against all others."""
        for spool in self._files:
            spool.seek(0)
            self._settle(spool.read(), findings)

    def _orders_of(self, file: str, entry: int, decision: "_Decision") -> Sequence[Order]:
        """Give the orders that a delivery is held against: its own log's, and those of the log that decided."""
        own = self._orders.get(file, ())
        theirs = self._parts[decision.part].file
        orders = known_at(own, entry) if own else ()
        if theirs != file:
            orders += tuple(each.order for each in self._orders.get(theirs, ()))
        return tuple(each for each in orders if each.touches(decision.intent)) if orders else ()

    def _settle(self, data: bytes, findings: Findings) -> None:
        decisions: dict[bytes, _Decision] = {}
        delivered: set[bytes] = set()
        waiting: list[tuple[int, int, bytes, bytes]] = []
        for number, chunk in _chunks(data):
            part = self._parts[number]
            for raw, place, intent, done in _decisions(chunk):
                found = _Decision(part=number, place=place, intent=part.intents[intent])
                if decisions.setdefault(raw, found) is not found:
                    message = f"decision {raw.hex()} was recorded before"
                    findings.add(Category.INTEGRITY, message, file=part.file, entry=part.first + place)
                if done:
                    delivered.add(raw)
            waiting += [(number, *each) for each in _deliveries(chunk)]
        for number, place, raw, message_bytes in waiting:
            part = self._parts[number]
            entry = pb.Entry()
            entry.delivery.MergeFromString(message_bytes)
            decision = decisions.get(raw)
            delivered.add(raw)
            again, found_there = settle(
                delivery_from_entry(entry),
                None if decision is None else decision.intent,
                () if decision is None else self._orders_of(part.file, part.first + place, decision),
                file=part.file,
                entry=part.first + place,
            )
            self.deliveries[again.value] += 1
            findings.extend(found_there)
        self.undelivered += sum(bool(each.intent.plan) and raw not in delivered for raw, each in decisions.items())


def settle(
    delivery: Delivery, intent: Intent | None, orders: Sequence[Order], *, file: str, entry: int
) -> tuple[Reconciled, list[Finding]]:
    """Hold one delivery against what its decision allowed, None where no log has that decision, and against orders."""
    findings = Findings(file)
    again = reconcile(delivery.decision, intent, delivery.attempts, orders)
    _name_late(delivery, intent, orders, again, findings, entry)
    if again is Reconciled.MATCHED and delivery.finding is Reconciled.AFTER_ORDER:
        # As with the rest: what was recorded is not made better by leaving out what says so.
        again = Reconciled.AFTER_ORDER
    # The sidecar that saw the delivery need not be the one that decided; here all logs are read together. And it may
    # have been a program that did not hold deliveries against orders, or had not heard of one yet.
    unknown = Reconciled.DECIDED_ELSEWHERE, Reconciled.MATCHED if again is Reconciled.AFTER_ORDER else again
    if delivery.finding not in (again, *unknown) and again is not Reconciled.DECIDED_ELSEWHERE:
        findings.add(
            Category.INTEGRITY,
            "the recorded finding is not what its facts give",
            entry=entry,
            expected=again.value,
            found=delivery.finding.value,
        )
    if again is Reconciled.DECIDED_ELSEWHERE and delivery.finding.is_violation:
        # Whoever leaves out the log with the decision must not turn a violation into something that is missing.
        message = f"was recorded as {delivery.finding.value}; its decision {delivery.decision} is in none of these logs"
        findings.add(Category.VIOLATION, message, entry=entry)
    if again is Reconciled.DECIDED_ELSEWHERE:
        message = f"decision {delivery.decision} is in none of these logs"
        findings.add(Category.INCOMPLETE, message, entry=entry)
    if again.is_violation:
        served = ", ".join(str(each.region or each.cluster) for each in delivery.attempts)
        subject = f"request of decision {delivery.decision}" if delivery.decision else "a request without decision"
        findings.add(Category.VIOLATION, f"{subject} was sent to {served}: {again.value}", entry=entry)
    if len(delivery.attempts) < delivery.attempts_expected:
        # Envoy reports over a stream that breaks when the sidecar dies, and what it had buffered is lost: that is no
        # hole in this log. A decision whose whole delivery was lost counts the same way, as undelivered.
        message = f"{len(delivery.attempts)} of {delivery.attempts_expected} attempts were seen"
        findings.add(Category.NOTE, message, entry=entry)
    return again, findings.all()


def _name_late(  # noqa: PLR0913, PLR0917 - what a finding is made of
    delivery: Delivery,
    intent: Intent | None,
    orders: Sequence[Order],
    again: Reconciled,
    findings: Findings,
    entry: int,
) -> None:
    """Say where a request was sent after an order: that is no violation, and must be known all the same."""
    found = late(intent, delivery.attempts, orders) if intent is not None and again is Reconciled.AFTER_ORDER else None
    if found is not None:
        attempt, order = found[0], found[1].suspension
        message = (
            f"request of decision {delivery.decision} was sent to {attempt.region} after order {order.id} had taken "
            f"out the {order.kind} {order.name}: {again.value}"
        )
        findings.add(Category.NOTE, message, entry=entry)
    elif delivery.finding is Reconciled.AFTER_ORDER:
        regions = ", ".join(str(each.region or each.cluster) for each in delivery.attempts)
        message = (
            f"request of decision {delivery.decision}, sent to {regions}, was recorded as {delivery.finding.value}; "
            "the order is in none of these logs"
        )
        findings.add(Category.NOTE, message, entry=entry)


def _chunks(data: bytes) -> Iterator[tuple[int, memoryview]]:
    view, at = memoryview(data), 0
    while at < len(data):
        number, size, _ = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        yield number, view[at : at + size]
        at += size


def _decisions(chunk: memoryview) -> Iterator[tuple[bytes, int, int, int]]:
    count, _, _ = _CHUNK.unpack_from(chunk)
    at = _CHUNK.size
    ids = bytes(chunk[at : at + count * ID_BYTES])
    at += len(ids)
    places, intents = array("I"), array("I")
    for column in (places, intents):
        end = at + count * column.itemsize
        column.frombytes(chunk[at:end])
        at = end
    for i, (place, intent) in enumerate(zip(places, intents, strict=True)):
        yield ids[i * ID_BYTES : (i + 1) * ID_BYTES], place, intent, chunk[at + i]


def _deliveries(chunk: memoryview) -> Iterator[tuple[int, bytes, bytes]]:
    """Give place, decision's id and message of each delivery."""
    _, size, _ = _CHUNK.unpack_from(chunk)
    at = len(chunk) - size
    while at < len(chunk):
        raw, place, length = _DELIVERY.unpack_from(chunk, at)
        at += _DELIVERY.size
        yield place, raw, bytes(chunk[at : at + length])
        at += length
