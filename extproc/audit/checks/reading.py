"""What the entries of one part say, read in order, and whether each may stand where it does.

What a part cannot know, because it stands in the part before, is taken for granted and said in :class:`Needs`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from extproc.archive import Archive
from extproc.audit.checks.clocks import CLOCK_STEP_S, Clocks
from extproc.audit.checks.compact import DECISION_TAG, DELIVERY_TAG, KIND_AT, body_at
from extproc.audit.checks.configurations import check_policy
from extproc.audit.checks.decisions import DecisionReader
from extproc.audit.checks.jobs import Configuration, Edge, Meaning, Needs
from extproc.audit.checks.orders import Recorded, with_recorded, without_past
from extproc.audit.checks.times import AT, LATEST_S, Spans
from extproc.audit.findings import Category, Findings, Tally
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import kind_of, parse_entry, resumption_from_proto, suspension_from_proto
from extproc.ledger.housekeeping import (
    Acknowledgement,
    Hold,
    Prune,
    acknowledgement_from_entry,
    drill_from_entry,
    erasure_from_entry,
    head_from_entry,
    heartbeat_from_entry,
    hold_from_entry,
    prune_from_entry,
    rotation_from_entry,
)
from extproc.notes.errors import MalformedError

_USUAL: Final = (DECISION_TAG, DELIVERY_TAG)
"""Of these two kinds a log is full."""


class PartReader:
    """Reads the entries of one part in order. `before` is None where what comes before is not known yet."""

    def __init__(self, archive: Archive, log: str, *, first: int, before: Edge | None, buckets: int) -> None:
        if before is None and first == 0:
            before = Edge()
        self.findings = Findings(log or ".")
        self.tallies: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self._archive = archive
        self._log = log
        self._before = before
        edge = Edge(sequence=None, whole=True) if before is None else before
        self._sequence = edge.sequence
        self._at_s = edge.at_s
        self._closed = edge.closed
        self._whole = edge.whole
        self._clocks = Clocks(self.findings, self.tallies, beat=edge.beat, begins=first == 0)
        self._decisions = DecisionReader(
            self.findings,
            first=first,
            buckets=buckets,
            whole=edge.whole,
            known=before is not None,
            orders=edge.orders,
        )
        for revision, configuration in edge.configurations.items():
            self._decisions.configure(revision, configuration)
        self._spans = Spans()
        self._first_at_s: float | None = None
        self._first_sequence: int | None = None
        self._decided = self._delivered = 0
        self._genesis: bytes | None = None
        self._rotations: list[tuple[int, bytes]] = []
        self._recovered: list[int] = []
        self._prunes: list[tuple[int, Prune]] = []
        self._holds: list[tuple[int, Hold]] = []
        self._overrides: list[Recorded] = []
        self._acknowledgements: list[tuple[float, Acknowledgement]] = []

    def take(self, first: int, entries: Sequence[bytes]) -> None:
        """Read entries that follow each other, the first of them at index `first`."""
        decisions, deliveries = self._decisions.take_decision, self._decisions.take_delivery
        times: list[float] = []
        begun = first
        # Where an entry's place is a question of its own, it goes the longer way.
        usual = self._first_at_s is not None and not self._closed
        for index, data in enumerate(entries, first):
            at = body_at(data)
            tag = data[KIND_AT] if at and usual else 0
            try:
                if tag in _USUAL:
                    at_s = AT(data, 1)[0]
                    # Said so that it holds for what is no number too.
                    if not self._at_s - CLOCK_STEP_S <= at_s < LATEST_S:
                        self._step(index, at_s)
                        at_s = self._at_s
                    times.append(at_s)
                    self._at_s = at_s
                    if tag == DELIVERY_TAG:
                        self._delivered += 1
                        deliveries(index, data[at:])
                    else:
                        self._decided += 1
                        sequence = decisions(index, data[at:])
                        if sequence - 1 == self._sequence:
                            self._sequence = sequence
                        else:
                            self._count(index, sequence)
                else:
                    self._spans.take(begun, times)
                    times, begun = [], index + 1
                    self._read(index, parse_entry(data), data)
                    usual = self._first_at_s is not None and not self._closed
            except (MalformedError, ValueError) as error:
                self.findings.add(Category.INTEGRITY, str(error), entry=index)
        self._spans.take(begun, times)

    def skip(self) -> None:
        """Say that entries come here that cannot be read: what they may have said is not known any more."""
        self._sequence = None
        self._whole = False
        self._clocks.forget()
        self._decisions.forget()

    def meaning(self) -> Meaning:
        """Give what was read."""
        self.kinds += Counter(decision=self._decided, delivery=self._delivered)
        self._decided = self._delivered = 0
        return Meaning(
            findings=tuple(self.findings.all()),
            needs=Needs(
                starts=self._first_at_s is not None,
                sequence=self._first_sequence,
                at_s=self._first_at_s,
                configurations=frozenset(self._decisions.unknown),
                beat=self._clocks.needed,
                close_at_s=self._clocks.close_at_s,
                until_s=self._at_s,
                intents=self._decisions.followed(),
            ),
            edge=Edge(
                sequence=self._sequence,
                at_s=self._at_s,
                configurations=self._decisions.configurations,
                closed=self._closed,
                beat=self._clocks.beat,
                whole=self._whole,
            ),
            kinds=self.kinds,
            tallies=self.tallies,
            gathered=self._decisions.gathered(),
            spans=self._spans.all(),
            genesis=self._genesis,
            rotations=tuple(self._rotations),
            recovered=tuple(self._recovered),
            prunes=tuple(self._prunes),
            holds=tuple(self._holds),
            overrides=tuple(self._overrides),
            acknowledgements=tuple(self._acknowledgements),
            heads=self.kinds["head"],
        )

    def _place(self, index: int, kind: str, at_s: float) -> None:
        """Check that an entry of this kind and time may stand here, and count it."""
        self.kinds[kind] += 1
        if (kind == "genesis") != (index == 0):
            message = f"a {kind} where a log begins, or a Genesis where it does not"
            self.findings.add(Category.INTEGRITY, message, entry=index)
        if self._closed:
            self.findings.add(Category.INTEGRITY, f"a {kind} after the Close", entry=index)
        if not self._at_s - CLOCK_STEP_S <= at_s < LATEST_S:
            self._step(index, at_s)
        else:
            self._at_s = at_s
        if self._first_at_s is None:
            self._first_at_s = self._at_s
        self._spans.take(index, [self._at_s])

    def _step(self, index: int, at_s: float) -> None:
        """Take up a time that does not follow the one before it; one that no calendar has counts for nothing."""
        if 0 <= at_s < LATEST_S:
            self._clocks.set_back(index, self._at_s - at_s)
            self._at_s = at_s
        else:
            self.findings.add(Category.INTEGRITY, f"made at a time that no calendar has: {at_s} s", entry=index)

    def _count(self, index: int, sequence: int) -> None:
        """Hold the number of a decision against that of the one before."""
        before = self._sequence
        if before is None:
            if self._first_sequence is None:
                self._first_sequence = sequence
            self._sequence = sequence
            return
        expected = before + 1
        if sequence == expected:
            self._sequence = sequence
            return
        if sequence > expected:
            self.tallies[Tally.SEQUENCE_HOLES] += 1
            category, message = Category.INCOMPLETE, "decisions are missing before this one"
        else:
            category, message = Category.INTEGRITY, "a sequence number comes again"
        self.findings.add(category, message, entry=index, expected=f"sequence {expected}", found=str(sequence))
        self._sequence = max(before, sequence)

    def _read(self, index: int, entry: pb.Entry, data: bytes) -> None:
        """Read an entry of any kind."""
        kind, before_s = kind_of(entry), self._at_s
        self._place(index, kind, entry.at_s)
        match kind:
            case "decision":
                decision = entry.decision
                self._count(index, self._decisions.take_decision(index, decision.SerializeToString()))
            case "delivery":
                self._decisions.take_delivery(index, entry.delivery.SerializeToString())
            case "genesis":
                if index == 0:
                    self._genesis = entry.genesis.SerializeToString()
            case "config":
                self._read_config(index, entry.config)
            case "override":
                self._read_override(index, entry)
            case "gap":
                self._read_gap(index, entry.gap)
            case "recovered" | "close" | "heartbeat":
                self._read_life(kind, index, entry, before_s)
            case _:
                self._read_housekeeping(kind, index, entry, data)

    def _read_override(self, index: int, entry: pb.Entry) -> None:
        override = entry.override
        recorded = Recorded(
            entry=index,
            at_s=entry.at_s,
            suspension=suspension_from_proto(override.suspension),
            resumed=override.action != "suspended",
        )
        resumption_from_proto(override)
        self._overrides.append(recorded)
        self._decisions.order(with_recorded(self._decisions.orders, recorded))

    def _read_life(self, kind: str, index: int, entry: pb.Entry, before_s: float) -> None:
        """Read an entry about the life of the process that writes."""
        at_s = self._at_s  # the entry's own, unless no calendar has that
        match kind:
            case "recovered":
                cut = entry.recovered.cut
                message = f"the process ended without a Close, which the next start wrote; {cut} torn bytes were cut"
                self.findings.add(Category.NOTE, message, entry=index)
                self._recovered.append(index)
                self._spans.turn(index, at_s)
                self._clocks.recovered(index, before_s)
            case "close":
                self._closed = True
                self._clocks.close(index, at_s)
            case _:
                self._clocks.live(index, at_s, heartbeat_from_entry(entry).running_s)
                left = without_past(self._decisions.orders, at_s)
                if len(left) != len(self._decisions.orders):
                    self._decisions.order(left)

    def _read_housekeeping(self, kind: str, index: int, entry: pb.Entry, data: bytes) -> None:
        """Read an entry about keys and old evidence. Raises MalformedError."""
        match kind:
            case "rotation":
                rotation_from_entry(entry)
                self._rotations.append((index, data))
                # The entry itself is signed by the new key.
                self._spans.turn(index, self._at_s)
            case "erasure":
                self.tallies[Tally.KEYS_ERASED] += erasure_from_entry(entry).keys
            case "prune":
                self._prunes.append((index, prune_from_entry(entry)))
            case "hold":
                self._holds.append((index, hold_from_entry(entry)))
            case "drill":
                drill_from_entry(entry)
            case "acknowledgement":
                self._acknowledgements.append((entry.at_s, acknowledgement_from_entry(entry)))
            case _:  # a Head, the one kind that is left
                head_from_entry(entry)

    def _read_gap(self, index: int, gap: pb.Gap) -> None:
        if gap.released > gap.entries or not gap.first_at_s <= gap.last_at_s:
            self.findings.add(
                Category.INTEGRITY,
                "a gap that contradicts itself",
                entry=index,
                expected=f"{gap.entries} entries or fewer, and an end after the beginning",
                found=f"{gap.released} released, from {gap.first_at_s} to {gap.last_at_s}",
            )
        self.tallies[Tally.LOST_ENTRIES] += gap.entries
        self.tallies[Tally.RELEASED_UNRECORDED] += gap.released
        message = f"{gap.entries} entries were not recorded: {gap.reason}"
        if gap.released:
            message += f"; {gap.released} of them were decisions that were released all the same"
        self.findings.add(Category.INCOMPLETE, message, entry=index)

    def _read_config(self, index: int, config: pb.ConfigSnapshot) -> None:
        catalogue = tuple(region.id for region in config.regions)
        self._decisions.configure(config.revision, Configuration(catalogue=catalogue, shadow=config.shadow.revision))
        for policy in (config.policy, config.shadow):
            if policy.stored:
                check_policy(self._archive, self._log, policy, index, self.findings)
