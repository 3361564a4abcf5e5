"""What the entries of logs say, and whether it adds up: within one log, between logs, and against the decisions.

Owns the reading of entries in order. The hashes are for :mod:`extproc.audit.tree`.
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from extproc.audit.findings import Category, Finding
from extproc.core.delivery import Delivery, Intent, reconcile
from extproc.core.delivery import Finding as Reconciled
from extproc.core.ids import RegionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import check_answers, permitted_regions, shadow_verdict
from extproc.ledger.entries import delivery_from_entry, kind_of, parse_entry, suspension_from_proto
from extproc.ledger.housekeeping import (
    drill_from_entry,
    erasure_from_entry,
    head_from_entry,
    heartbeat_from_entry,
    hold_from_entry,
    prune_from_entry,
    rotation_from_entry,
)
from extproc.ledger.ids import id_to_bytes
from extproc.ledger.log import POLICIES
from extproc.notes.errors import MalformedError

_CLOCK_STEP_S: Final = 1.0
"""A record this much older than the one before it shows that the clock was set back; less is queueing."""
_DIGEST: Final = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A delivery that waits for its decision to be found in another log."""

    delivery: Delivery
    file: str
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Configuration:
    """What a ConfigSnapshot says that its decisions must agree with; `shadow` is a revision, empty for none."""

    catalogue: list[str]
    shadow: str


@dataclass(slots=True)
class Decisions:
    """The decisions of all logs, with what each allowed, and the deliveries held against them."""

    intents: dict[bytes, Intent] = field(default_factory=dict)
    deliveries: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    _delivered: set[bytes] = field(default_factory=set)
    _shared: dict[Intent, Intent] = field(default_factory=dict)
    _pending: list[_Pending] = field(default_factory=list)

    def add(self, decision_id: bytes, intent: Intent) -> bool:
        """Take up a decision; False when its id was taken up before."""
        if decision_id in self.intents:
            return False
        self.intents[decision_id] = self._shared.setdefault(intent, intent)
        return True

    def deliver(self, delivery: Delivery, file: str, entry: int) -> None:
        """Hold a delivery against its decision, at once or when all logs are read."""
        self._pending.append(_Pending(delivery=delivery, file=file, entry=entry))
        if delivery.decision is None or id_to_bytes(delivery.decision) in self.intents:
            self._settle(self._pending.pop())

    def settle(self) -> None:
        """Hold against their decisions the deliveries that came before them, or whose decision is not here."""
        for pending in self._pending:
            self._settle(pending)
        self._pending.clear()

    @property
    def undelivered(self) -> int:
        """Number of decisions to steer of which no delivery was recorded."""
        return sum(1 for raw, intent in self.intents.items() if intent.plan and raw not in self._delivered)

    def _settle(self, pending: _Pending) -> None:
        delivery = pending.delivery
        intent = None
        if delivery.decision is not None:
            raw = id_to_bytes(delivery.decision)
            intent = self.intents.get(raw)
            self._delivered.add(raw)
        again = reconcile(delivery.decision, intent, delivery.attempts)
        self.deliveries[again.value] += 1
        # The sidecar that saw the delivery need not be the one that decided; here all logs are read together.
        if delivery.finding not in (again, Reconciled.DECIDED_ELSEWHERE) and again is not Reconciled.DECIDED_ELSEWHERE:
            self._find(Category.INTEGRITY, pending, "the recorded finding is not what its facts give", again)
        if again is Reconciled.DECIDED_ELSEWHERE:
            self._find(Category.INCOMPLETE, pending, f"decision {delivery.decision} is in none of these logs")
        if again.is_violation:
            served = ", ".join(str(each.region or each.cluster) for each in delivery.attempts)
            subject = f"request of decision {delivery.decision}" if delivery.decision else "a request without decision"
            self._find(Category.VIOLATION, pending, f"{subject} was sent to {served}: {again.value}")
        if len(delivery.attempts) < delivery.attempts_expected:
            message = f"{len(delivery.attempts)} of {delivery.attempts_expected} attempts were seen"
            # Envoy reports over a stream that breaks when the sidecar dies, and what it had buffered is lost: that is
            # no hole in this log. A decision whose whole delivery was lost counts the same way, as undelivered.
            self._find(Category.NOTE, pending, message)

    def _find(self, category: Category, pending: _Pending, message: str, expected: Reconciled | None = None) -> None:
        self.findings.append(
            Finding(
                category=category,
                message=message,
                file=pending.file,
                entry=pending.entry,
                expected=expected.value if expected is not None else "",
                found=pending.delivery.finding.value if expected is not None else "",
            )
        )


class LogMeaning:
    """Reads the entries of one log in order; `findings` grow as it goes."""

    def __init__(self, directory: Path, name: str, decisions: Decisions) -> None:
        self.findings: list[Finding] = []
        self.kinds: Counter[str] = Counter()
        self.genesis: pb.Genesis | None = None
        self.closed = False
        self._directory = directory
        self._name = name
        self._decisions = decisions
        self._configs: dict[str, _Configuration] = {}
        self._sequence = 0
        self._latest_s = 0.0

    def take(self, index: int, data: bytes) -> None:
        """Read one entry."""
        try:
            entry = parse_entry(data)
            self._read(index, entry)
        except (MalformedError, ValueError) as error:
            self._find(Category.INTEGRITY, index, str(error))

    def _read(self, index: int, entry: pb.Entry) -> None:
        kind = kind_of(entry)
        self.kinds[kind] += 1
        self._check_place(index, kind, entry.at_s)
        match kind:
            case "genesis":
                self.genesis = entry.genesis
            case "config":
                self._read_config(index, entry.config)
            case "decision":
                self._read_decision(index, entry.decision)
            case "delivery":
                self._decisions.deliver(delivery_from_entry(entry), self._name, index)
            case "override":
                suspension_from_proto(entry.override.suspension)
            case "gap":
                lost = entry.gap.entries
                self._find(Category.INCOMPLETE, index, f"{lost} entries were not recorded: {entry.gap.reason}")
            case "recovered":
                cut = entry.recovered.cut
                message = f"the process ended without a Close, which the next start wrote; {cut} torn bytes were cut"
                self._find(Category.NOTE, index, message)
            case "close":
                self.closed = True
            case _:
                _read_housekeeping(kind, entry)

    def _check_place(self, index: int, kind: str, at_s: float) -> None:
        """Check that an entry of this kind and time may stand here."""
        if (kind == "genesis") != (index == 0):
            self._find(Category.INTEGRITY, index, f"a {kind} where a log begins, or a Genesis where it does not")
        if self.closed:
            self._find(Category.INTEGRITY, index, f"a {kind} after the Close")
        if at_s < self._latest_s - _CLOCK_STEP_S:
            self._find(Category.NOTE, index, f"the clock was set back by {self._latest_s - at_s:.1f} s")
        self._latest_s = at_s

    def _read_config(self, index: int, config: pb.ConfigSnapshot) -> None:
        catalogue = [region.id for region in config.regions]
        self._configs[config.revision] = _Configuration(catalogue=catalogue, shadow=config.shadow.revision)
        for policy in (config.policy, config.shadow):
            if policy.stored:
                self._check_policy(index, policy)

    def _check_policy(self, index: int, policy: pb.Policy) -> None:
        """Hold the canonical form that was kept beside the log against its digest."""
        digest = policy.revision.removeprefix(_DIGEST)
        path = self._directory / POLICIES / f"{digest}.json"
        if not path.is_file():
            self._find(Category.INCOMPLETE, index, f"{POLICIES}/{path.name} is missing")
            return
        found = sha256(path.read_bytes()).hexdigest()
        if found != digest:
            self._find(Category.INTEGRITY, index, f"{POLICIES}/{path.name} is another", expected=digest, found=found)

    def _read_decision(self, index: int, decision: pb.Decision) -> None:
        expected = self._sequence + 1
        if decision.sequence > expected:
            self._find(
                Category.INCOMPLETE,
                index,
                "decisions are missing before this one",
                expected=f"sequence {expected}",
                found=str(decision.sequence),
            )
        elif decision.sequence < expected:
            self._find(
                Category.INTEGRITY,
                index,
                "a sequence number comes again",
                expected=f"sequence {expected}",
                found=str(decision.sequence),
            )
        self._sequence = max(self._sequence, decision.sequence)
        self._check_configuration(index, decision)
        permitted = permitted_regions(decision.verdict)
        if decision.shadow.HasField("verdict"):
            other = shadow_verdict(decision)
            check_answers(other, len(other.regions))
        plan = tuple(map(RegionId, decision.steer.plan))
        if not permitted.issuperset(plan):
            self._find(
                Category.VIOLATION,
                index,
                "the decision names a region that its own verdict excludes",
                expected=" ".join(sorted(permitted)),
                found=" ".join(plan),
            )
        if not self._decisions.add(decision.id, Intent(permitted=permitted, plan=plan)):
            self._find(Category.INTEGRITY, index, f"decision {decision.id.hex()} was recorded before")

    def _check_configuration(self, index: int, decision: pb.Decision) -> None:
        """Hold the decision against the ConfigSnapshot that it names: whose policies, and over which regions."""
        config = self._configs.get(decision.config)
        if config is None:
            self._find(Category.INCOMPLETE, index, f"configuration {decision.config} is described nowhere before")
            return
        if decision.HasField("verdict"):
            judged = list(decision.verdict.regions)
            if judged != config.catalogue:
                self._find(
                    Category.INTEGRITY,
                    index,
                    "the verdict is over other regions than those of the configuration",
                    expected=" ".join(config.catalogue),
                    found=" ".join(judged),
                )
        if decision.shadow.policy_revision != config.shadow:
            self._find(
                Category.INTEGRITY,
                index,
                "the shadow policy is not that of the configuration",
                expected=config.shadow or "none",
                found=decision.shadow.policy_revision or "none",
            )

    def _find(self, category: Category, index: int, message: str, *, expected: str = "", found: str = "") -> None:
        self.findings.append(
            Finding(category=category, message=message, file=self._name, entry=index, expected=expected, found=found)
        )


def _read_housekeeping(kind: str, entry: pb.Entry) -> None:
    """Read an entry about the log itself, for its form alone. Raises MalformedError."""
    match kind:
        case "heartbeat":
            heartbeat_from_entry(entry)
        case "rotation":
            rotation_from_entry(entry)
        case "erasure":
            erasure_from_entry(entry)
        case "prune":
            prune_from_entry(entry)
        case "hold":
            hold_from_entry(entry)
        case "drill":
            drill_from_entry(entry)
        case _:  # a Head, the one kind that is left
            head_from_entry(entry)
