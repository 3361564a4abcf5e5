"""What a verification found, how grave it is, and what the command exits with."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

MOST_FINDINGS: Final = 1000
"""Findings of one category that one part of a log keeps; of more, only the number is kept."""


class Category(StrEnum):
    """How grave a finding is, gravest first."""

    INTEGRITY = "integrity"
    """The files contradict each other, their signatures or themselves: do not rely on them."""

    TRUST = "trust"
    """No key that you trust has signed, or not when it might; or not enough witnesses have seen it."""

    VIOLATION = "violation"
    """The evidence is sound, and it shows that data went where it was not permitted to go."""

    INCOMPLETE = "incomplete"
    """Something that should be there is not, and the log or its neighbours say so."""

    NOTE = "note"
    """Worth knowing; takes nothing from the result."""


EXIT_STATUS: Final[Mapping[Category, int]] = MappingProxyType(
    {Category.INTEGRITY: 2, Category.TRUST: 4, Category.VIOLATION: 5, Category.INCOMPLETE: 3, Category.NOTE: 0}
)
EXIT_VERIFIED: Final = 0
EXIT_USAGE: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found. `file` is relative to what was verified; `entry` is an index in the log, where one is meant."""

    category: Category
    message: str
    file: str
    entry: int | None = None
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        where = self.file if self.entry is None else f"{self.file}: entry {self.entry}"
        compared = f": expected {self.expected}, found {self.found}" if self.expected or self.found else ""
        return f"{where}: {self.message}{compared}"


class Findings:
    """Findings as they grow. A log that is wrong in each of its entries must not fill the memory."""

    def __init__(self, file: str, *, most: int = MOST_FINDINGS) -> None:
        """Take up findings about `file`, unless they name another, and keep so many of one category and file."""
        self.file = file
        self._most = most
        self._kept: list[Finding] = []
        self._counts: Counter[tuple[Category, str]] = Counter()

    def add(  # noqa: PLR0913 - the parts of a finding, each by name
        self,
        category: Category,
        message: str,
        *,
        file: str | None = None,
        entry: int | None = None,
        expected: str = "",
        found: str = "",
    ) -> None:
        """Take up one."""
        where = self.file if file is None else file
        self.take(Finding(category=category, message=message, file=where, entry=entry, expected=expected, found=found))

    def take(self, finding: Finding) -> None:
        """Take up one that is made already."""
        key = finding.category, finding.file
        self._counts[key] += 1
        if self._counts[key] <= self._most:
            self._kept.append(finding)

    def extend(self, findings: Iterable[Finding]) -> None:
        """Take up many."""
        for finding in findings:
            self.take(finding)

    def all(self) -> list[Finding]:
        """Give what was kept, and how many were not."""
        more = [
            Finding(category=category, message=f"and {count - self._most:,} more like these", file=file)
            for (category, file), count in self._counts.items()
            if count > self._most
        ]
        return self._kept + more


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """That somebody has looked at the violation at `entry` of the log `file`, and what they said, at `at_s` (Unix s).

    `origin` is that log's name, `finding` the word of what was found then, and `recorded_in` the keeper's log.
    """

    file: str
    entry: int
    origin: str
    decision: str | None
    finding: str
    reason: str
    approved_by: tuple[str, ...]
    at_s: float
    recorded_in: str

    @property
    def by(self) -> str:
        """Name who has looked."""
        return " and ".join(self.approved_by) or "nobody by name"

    def of(self, file: str) -> "Acknowledged":
        """Give it for the log with this folder."""
        return replace(self, file=file)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEpoch:
    """One key's reign over a log: the hash of the key in hex digits, and the entries from `first` that it signed."""

    key: str
    first: int
    from_s: float | None
    until_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """The latest tree of a log that witnesses have cosigned, and when each did, by its name in the policy.

    `age_s` is the time from the quorum's cosignature to the log's last entry; None where no quorum is known.
    """

    size: int
    cosigned_at_s: Mapping[str, int]
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSummary:
    """One log as it was found.

    `size` and `root` are those of the signed tree; `kinds` counts the entries that were read, and `tallies` what was
    found in them by the words of :class:`Tally`. `entries_hashed` were hashed anew: all but those that were pruned.
    """

    directory: str
    origin: str
    size: int
    root: bytes
    closed: bool
    signed_by: tuple[str, ...]
    tiles: int
    frames: int
    kinds: Mapping[str, int]
    tallies: Mapping[str, int] = field(default_factory=dict)
    entries_hashed: int = 0
    pruned: int = 0
    signatures: int = 0
    epochs: tuple[KeyEpoch, ...] = ()
    witnessed: Witnessed | None = None
    first_at_s: float | None = None
    last_at_s: float | None = None


class Tally(StrEnum):
    """What is counted of each log beside the kinds of its entries."""

    SEQUENCE_HOLES = "sequence_holes"
    HEARTBEAT_GAPS = "heartbeat_gaps"
    CLOCK_STEPS = "clock_steps"
    LOST_ENTRIES = "lost_entries"
    RELEASED_UNRECORDED = "released_unrecorded"
    KEYS_ERASED = "keys_erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The whole result. `undelivered` counts decisions to steer of which no delivery was recorded."""

    logs: Sequence[LogSummary]
    findings: Sequence[Finding]
    deliveries: Mapping[str, int] = field(default_factory=Counter)
    undelivered: int = 0
    acknowledged: Sequence[Acknowledged] = ()
    """Who has looked at which of the violations. They stay violations."""

    def acknowledgements_of(self, finding: Finding) -> list[Acknowledged]:
        """Give who has looked at a violation."""
        if finding.category is not Category.VIOLATION:
            return []
        return [each for each in self.acknowledged if (each.file, each.entry) == (finding.file, finding.entry)]

    @property
    def worst(self) -> Category | None:
        """The gravest category among the findings; None when there is none but notes."""
        present = {finding.category for finding in self.findings} - {Category.NOTE}
        return next((category for category in Category if category in present), None)

    @property
    def exit_status(self) -> int:
        """What the command exits with."""
        return EXIT_VERIFIED if self.worst is None else EXIT_STATUS[self.worst]

    @property
    def result(self) -> str:
        """The result in one word."""
        return "verified" if self.worst is None else self.worst.value
