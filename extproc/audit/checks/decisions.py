"""What decisions and deliveries of one part say, and whether each is right by itself.

This is the inner loop of a verification. What two records have in common is worked out once: see :mod:`.slots`.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from math import inf

from google.protobuf.message import DecodeError

from extproc.audit.checks.compact import ID, ID_AT, ID_END, sequence_of
from extproc.audit.checks.configurations import check_configuration
from extproc.audit.checks.jobs import Configuration
from extproc.audit.checks.joins import ID_BYTES, Bucket, Gathered, pack_delivery, settle
from extproc.audit.checks.orders import Ordered
from extproc.audit.checks.slots import Shapes, learn
from extproc.audit.findings import Category, Findings
from extproc.core.delivery import Intent, Order
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import check_answers, intent_of_record, permitted_regions, shadow_verdict
from extproc.ledger.entries import delivery_from_entry
from extproc.notes.errors import MalformedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What decisions have in common that differ in their slots alone.

    `intent` is the number of what they allow; None where the record contradicts its own form, as `malformed` says.
    """

    intent: int | None
    findings: tuple[tuple[Category, str, str, str], ...] = ()
    malformed: str = ""


class DecisionReader:
    """Reads the decisions and deliveries of one part; `findings` grow as it goes."""

    def __init__(  # noqa: PLR0913 - what is known of what comes before, each by name
        self,
        findings: Findings,
        *,
        first: int,
        buckets: int,
        whole: bool,
        known: bool,
        orders: tuple[Ordered, ...] = (),
    ) -> None:
        """`whole` says that nothing before the part was left out; `known`, that its configurations are given.

        `orders` are the legal orders that were recorded before.
        """
        self.configurations: dict[str, Configuration] = {}
        self.unknown: set[tuple[str, tuple[str, ...] | None, str]] = set()
        self._findings = findings
        self._first = first
        self._whole = whole
        self._known = known
        self._mask = buckets - 1
        self._buckets = [Bucket() for _ in range(buckets)]
        self._judged: Shapes[_Judged] = Shapes()
        self._intents: list[Intent] = []
        self._numbers: dict[Intent, int] = {}
        self._local: dict[bytes, tuple[Bucket, int]] = {}
        self._settled: Counter[str] = Counter()
        self._outcomes: Shapes[dict[int, str]] = Shapes()
        self.orders = orders
        self._against: dict[int, tuple[Order, ...]] = {}
        self._past_s: dict[int, float] = {}

    def configure(self, revision: str, configuration: Configuration) -> None:
        """Take up a configuration: decisions after it may name it."""
        self.configurations[revision] = configuration
        self._judged.clear()

    def order(self, orders: tuple[Ordered, ...]) -> None:
        """Hold deliveries against these legal orders from here on."""
        self.orders = orders
        self._against.clear()
        self._past_s.clear()
        # What was worked out without them may not hold any more.
        self._outcomes.clear()

    def forget(self) -> None:
        """Say that entries were left out here: they may have described any configuration."""
        self._known, self._whole = True, False
        self._judged.clear()

    def take_decision(self, index: int, body: bytes) -> int:
        """Read a decision's message and give its sequence number. Raises MalformedError."""
        sequence, start = sequence_of(body)
        if not start:
            return self._take_in_full(index, body)
        rest = body[start:]
        judged = self._judged.find(rest)
        if judged is not None:
            self._record(index, body[ID_AT:ID_END], judged)
            return sequence
        self._learn_decision(rest)
        return self._take_in_full(index, body)

    def take_delivery(self, index: int, body: bytes) -> None:
        """Read a delivery's message and hold it against its decision where that is here. Raises MalformedError."""
        if body.startswith(ID):
            rest = body[ID_END:]
            outcomes = self._outcomes.find(rest)
            if outcomes is not None:
                self._hold(index, body, outcomes)
                return
            self._learn_delivery(rest)
        self._take_delivery_in_full(index, body, {})

    def followed(self) -> tuple[Intent, ...]:
        """Give what the decisions allowed that were no refusals."""
        return tuple(each for each in self._intents if each.plan)

    def gathered(self) -> Gathered:
        """Give what is left to be joined with other parts."""
        return Gathered(
            buckets=tuple(bucket.pack() for bucket in self._buckets),
            intents=tuple(self._intents),
            deliveries=self._settled,
        )

    def _hold(self, index: int, body: bytes, outcomes: dict[int, str]) -> None:
        """Hold a delivery against its decision, when others have said already what it says."""
        raw = body[ID_AT:ID_END]
        local = self._local.get(raw)
        if local is None:
            self._leave(index, raw, body)
            return
        bucket, at = local
        outcome = outcomes.get(bucket.intents[at])
        if outcome is None or not self._is_past_orders(bucket.intents[at], body):
            self._take_delivery_in_full(index, body, outcomes)
            return
        bucket.delivered[at] = 1
        self._settled[outcome] += 1

    def _leave(self, index: int, raw: bytes, body: bytes) -> None:
        """Leave a delivery to be joined when all parts are read."""
        bucket = self._buckets[raw[-1] & self._mask]
        bucket.deliveries.append(pack_delivery(raw, index - self._first, body))

    def _take_delivery_in_full(self, index: int, body: bytes, outcomes: dict[int, str]) -> None:
        """Hold a delivery against its decision, and keep in `outcomes` what there is nothing to say about."""
        try:
            message = pb.Delivery.FromString(body)
        except DecodeError:
            raise MalformedError("not an entry") from None
        delivery = delivery_from_entry(pb.Entry(delivery=message))
        intent, number = None, -1
        if message.HasField("decision"):
            local = self._local.get(message.decision)
            if local is None:
                self._leave(index, message.decision, body)
                return
            bucket, at = local
            bucket.delivered[at] = 1
            number = bucket.intents[at]
            intent = self._intents[number]
        orders = () if intent is None else self._orders_against(number, intent)
        outcome, findings = settle(delivery, intent, orders, file=self._findings.file, entry=index)
        self._settled[outcome.value] += 1
        self._findings.extend(findings)
        # Where there are orders, the times of the attempts decide, which are in slots.
        if not findings and self._is_past_orders(number, body):
            outcomes[number] = outcome.value

    def _orders_against(self, number: int, intent: Intent) -> tuple[Order, ...]:
        """Give the orders that following an intent may meet."""
        if not self.orders:
            return ()
        known = self._against.get(number)
        if known is None:
            known = tuple(each.order for each in self.orders if each.order.touches(intent))
            self._against[number] = known
            if known:
                self._past_s[number] = max(inf if each.ends_s is None else each.ends_s for each in known)
        return known

    def _is_past_orders(self, number: int, body: bytes) -> bool:
        """Tell whether every order that an intent may meet was over when the attempts of a delivery began."""
        past_s = self._past_s.get(number)
        if past_s is None:
            return True
        return past_s < inf and all(each.began_at_s >= past_s for each in pb.Delivery.FromString(body).attempts)

    def _learn_delivery(self, rest: bytes) -> None:
        """Learn from a delivery how to tell those that are like it."""
        with suppress(DecodeError, MalformedError):
            learnt = learn(rest, pb.Delivery)
            if learnt is None or learnt[1].HasField("decision"):
                return
            delivery_from_entry(pb.Entry(delivery=learnt[1]))
            self._outcomes.add(rest, learnt[0], {})

    def _learn_decision(self, rest: bytes) -> None:
        """Learn from a decision how to tell those that are like it."""
        with suppress(DecodeError):
            learnt = learn(rest, pb.Decision)
            if learnt is None or learnt[1].id or learnt[1].sequence:
                return
            self._judged.add(rest, learnt[0], self._judge(learnt[1]))

    def _record(self, index: int, raw: bytes, judged: _Judged) -> None:
        for category, message, expected, found in judged.findings:
            self._findings.add(category, message, entry=index, expected=expected, found=found)
        if judged.intent is None:
            self._findings.add(Category.INTEGRITY, judged.malformed, entry=index)
            return
        if len(raw) != ID_BYTES:
            message = f"expected {ID_BYTES} bytes of a decision id, found {len(raw)}"
            self._findings.add(Category.INTEGRITY, message, entry=index)
            return
        bucket = self._buckets[raw[-1] & self._mask]
        self._local.setdefault(raw, (bucket, len(bucket.ids)))
        bucket.ids.append(raw)
        bucket.places.append(index - self._first)
        bucket.intents.append(judged.intent)
        bucket.delivered.append(0)

    def _take_in_full(self, index: int, body: bytes) -> int:
        try:
            decision = pb.Decision.FromString(body)
        except DecodeError:
            raise MalformedError("not an entry") from None
        self._record(index, decision.id, self._judge(decision))
        return decision.sequence

    def _judge(self, decision: pb.Decision) -> _Judged:
        findings = [*self._check_configuration(decision)]
        try:
            permitted = permitted_regions(decision.verdict)
            intent = intent_of_record(decision, permitted)
            if decision.shadow.HasField("verdict"):
                other = shadow_verdict(decision)
                check_answers(other, len(other.regions))
        except MalformedError as error:
            return _Judged(intent=None, findings=tuple(findings), malformed=str(error))
        if not permitted.issuperset(intent.plan):
            findings.append(
                (
                    Category.VIOLATION,
                    "the decision names a region that its own verdict excludes",
                    " ".join(sorted(permitted)),
                    " ".join(intent.plan),
                )
            )
        return _Judged(intent=self._number(intent), findings=tuple(findings))

    def _number(self, intent: Intent) -> int:
        number = self._numbers.setdefault(intent, len(self._intents))
        if number == len(self._intents):
            self._intents.append(intent)
        return number

    def _check_configuration(self, decision: pb.Decision) -> list[tuple[Category, str, str, str]]:
        """Hold a decision against the ConfigSnapshot that it names: whose policies, and over which regions."""
        judged = tuple(decision.verdict.regions) if decision.HasField("verdict") else None
        key = decision.config, judged, decision.shadow.policy_revision
        known = self.configurations.get(decision.config)
        if known is not None:
            return check_configuration(key, known)
        if not self._known:
            self.unknown.add(key)
        elif self._whole:
            message = f"configuration {decision.config} is described nowhere before"
            return [(Category.INCOMPLETE, message, "", "")]
        return []
