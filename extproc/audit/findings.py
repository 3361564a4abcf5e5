"""What a verification found, how grave it is, and what the command exits with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Category(StrEnum):
    """How grave a finding is, gravest first."""

    INTEGRITY = "integrity"
    """The files contradict each other, their signatures or themselves: do not rely on them."""

    TRUST = "trust"
    """No key that you trust has signed."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSummary:
    """One log as it was found. `size` and `root` are those of the signed tree; `kinds` counts its entries."""

    directory: str
    origin: str
    size: int
    root: bytes
    closed: bool
    signed_by: tuple[str, ...]
    tiles: int
    frames: int
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The whole result. `undelivered` counts decisions to steer of which no delivery was recorded."""

    logs: Sequence[LogSummary]
    findings: Sequence[Finding]
    deliveries: Mapping[str, int] = field(default_factory=Counter)
    undelivered: int = 0

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
