"""What decisions and deliveries of one part say, and whether each is right by itself.

This is the inner loop of a verification. What two records have in common is worked out once: see :mod:`.compact`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from extproc.audit.checks.compact import CHOICE_TAG, ID_AT, PRIVATE_TAG, cut, inner, sequence_of
from extproc.audit.checks.jobs import Configuration
from extproc.audit.checks.joins import ID_BYTES, Bucket, Gathered, pack_delivery, settle
from extproc.audit.findings import Category, Findings
from extproc.core.delivery import Intent
from extproc.core.ids import RegionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import check_answers, permitted_regions, shadow_verdict
from extproc.ledger.entries import delivery_from_entry
from extproc.notes.errors import MalformedError

_KEPT: Final = 1 << 14
"""Distinct records that are kept in mind: far more than a policy gives, and an end for a log that is made to differ."""

_CUTS: Final = 8
"""Ways to cut decisions of one length that are tried."""
_parse_choice: Final = pb.Choice.FromString


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What all decisions with the same head and tail have in common.

    `intent` is the number of what they allow; None where the record contradicts its own form, as `malformed` says.
    `own` is false where what should stand once stands there again: then each is read in full.
    """

    intent: int | None
    findings: tuple[tuple[Category, str, str, str], ...] = ()
    malformed: str = ""
    own: bool = True


class DecisionReader:
    """Reads the decisions and deliveries of one part; `findings` grow as it goes."""

    def __init__(self, findings: Findings, *, first: int, buckets: int, whole: bool, known: bool) -> None:
        """`whole` says that nothing before the part was left out; `known`, that its configurations are given."""
        self.configurations: dict[str, Configuration] = {}
        self.unknown: set[tuple[str, tuple[str, ...] | None, str]] = set()
        self._findings = findings
        self._first = first
        self._whole = whole
        self._known = known
        self._mask = buckets - 1
        self._buckets = [Bucket() for _ in range(buckets)]
        self._judged: dict[tuple[bytes, bytes], _Judged] = {}
        self._cuts: dict[int, list[tuple[int, int, int]]] = {}
        self._intents: list[Intent] = []
        self._numbers: dict[Intent, int] = {}
        self._local: dict[bytes, tuple[Bucket, int]] = {}
        self._settled: Counter[str] = Counter()
        self._outcomes: dict[tuple[object, ...], str] = {}

    def configure(self, revision: str, configuration: Configuration) -> None:
        """Take up a configuration: decisions after it may name it."""
        self.configurations[revision] = configuration
        self._judged.clear()

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
        for choice, tail, private in self._cuts.get(len(rest), ()):
            judged = self._judged.get((rest[:choice], rest[tail:private]))
            if judged is not None and judged.own:
                # What differs from record to record is read all the same: a part that is no message is no record.
                try:
                    if choice != tail:
                        within = inner(rest[choice:tail], CHOICE_TAG)
                        if within is None:
                            continue
                        _parse_choice(within)
                    if private != len(rest):
                        within = inner(rest[private:], PRIVATE_TAG)
                        if within is None:
                            continue
                        pb.Private.FromString(within)
                except DecodeError:
                    raise MalformedError("not an entry") from None
                self._record(index, body[ID_AT : ID_AT + ID_BYTES], judged)
                return sequence
        return self._take_new(index, body, rest)

    def take_delivery(self, index: int, body: bytes) -> None:
        """Read a delivery's message and hold it against its decision where that is here. Raises MalformedError."""
        try:
            delivery = pb.Delivery.FromString(body)
        except DecodeError:
            raise MalformedError("not an entry") from None
        if not delivery.HasField("decision"):
            self._settle(index, delivery, None)
            return
        raw = delivery.decision
        local = self._local.get(raw)
        if local is None:
            delivery_from_entry(pb.Entry(delivery=delivery))  # for its form; it is joined when all parts are read
            bucket = self._buckets[raw[-1] & self._mask]
            bucket.deliveries.append(pack_delivery(raw, index - self._first, body))
            return
        bucket, at = local
        bucket.delivered[at] = 1
        attempts = delivery.attempts
        key = (
            bucket.intents[at],
            delivery.finding,
            delivery.attempts_expected,
            *[each.region for each in attempts],
        )
        outcome = self._outcomes.get(key)
        if outcome is None:
            self._settle(index, delivery, self._intents[bucket.intents[at]], key)
        else:
            self._settled[outcome] += 1

    def gathered(self) -> Gathered:
        """Give what is left to be joined with other parts."""
        return Gathered(
            buckets=tuple(bucket.pack() for bucket in self._buckets),
            intents=tuple(self._intents),
            deliveries=self._settled,
        )

    def _settle(
        self, index: int, message: pb.Delivery, intent: Intent | None, key: tuple[object, ...] | None = None
    ) -> None:
        delivery = delivery_from_entry(pb.Entry(delivery=message))
        outcome, findings = settle(delivery, intent, file=self._findings.file, entry=index)
        self._settled[outcome.value] += 1
        self._findings.extend(findings)
        # Where there is nothing to say, the next one that is alike needs no second look; a region is never nameless.
        if key is not None and not findings and all(each.region for each in message.attempts):
            if len(self._outcomes) >= _KEPT:
                self._outcomes.clear()
            self._outcomes[key] = outcome.value

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

    def _take_new(self, index: int, body: bytes, rest: bytes) -> int:
        """Read a decision in full, and learn from it how to cut those that are like it."""
        cuts = cut(rest)
        if cuts is not None:
            choice, tail, private = cuts
            key = rest[:choice], rest[tail:private]
            if key not in self._judged:
                self._judged[key] = self._judge_parts(*key)
            known = self._cuts.setdefault(len(rest), [])
            if cuts in known:
                known.remove(cuts)
            known.insert(0, cuts)
            del known[_CUTS:]
            if len(self._judged) >= _KEPT:
                self._judged.clear()
        return self._take_in_full(index, body)

    def _judge_parts(self, head: bytes, tail: bytes) -> _Judged:
        """Work out what decisions with these bytes have in common."""
        try:
            for part in (head, tail):
                pb.Decision.FromString(part)
            decision = pb.Decision.FromString(head + tail)
        except DecodeError:
            return _Judged(intent=None, own=False)
        if decision.id or decision.sequence or decision.HasField("choice") or decision.HasField("private"):
            return _Judged(intent=None, own=False)
        return self._judge(decision)

    def _judge(self, decision: pb.Decision) -> _Judged:
        findings = [*self._check_configuration(decision)]
        try:
            permitted = permitted_regions(decision.verdict)
            if decision.shadow.HasField("verdict"):
                other = shadow_verdict(decision)
                check_answers(other, len(other.regions))
        except MalformedError as error:
            return _Judged(intent=None, findings=tuple(findings), malformed=str(error))
        plan = tuple(map(RegionId, decision.steer.plan))
        if not permitted.issuperset(plan):
            findings.append(
                (
                    Category.VIOLATION,
                    "the decision names a region that its own verdict excludes",
                    " ".join(sorted(permitted)),
                    " ".join(plan),
                )
            )
        return _Judged(intent=self._number(Intent(permitted=permitted, plan=plan)), findings=tuple(findings))

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


def check_configuration(
    key: tuple[str, tuple[str, ...] | None, str], known: Configuration
) -> list[tuple[Category, str, str, str]]:
    """Hold revision, judged regions and shadow's revision of a decision against its configuration."""
    _, judged, shadow = key
    findings: list[tuple[Category, str, str, str]] = []
    if judged is not None and judged != known.catalogue:
        message = "the verdict is over other regions than those of the configuration"
        findings.append((Category.INTEGRITY, message, " ".join(known.catalogue), " ".join(judged)))
    if shadow != known.shadow:
        message = "the shadow policy is not that of the configuration"
        findings.append((Category.INTEGRITY, message, known.shadow or "none", shadow or "none"))
    return findings
