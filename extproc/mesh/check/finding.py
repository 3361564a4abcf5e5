"""What the linter says: a rule, where it is broken, and the mend."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    LEAK = "leak"
    """A request could reach a region that nobody permitted, or nobody would know which it reached."""
    FAULT = "fault"
    """Nothing leaks, and legal requests would be refused, or less than was meant is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that must hold. `id` is stable, of a-z and '-'; `title` says it in a line; `why` what happens else."""

    id: str
    severity: Severity
    title: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a rule is broken.

    `origin` is the file or the admin port, `path` the field in it (`static_resources.listeners[0].…`), `message` what
    is there, `mend` what to write.
    """

    rule: Rule
    origin: str
    path: str
    message: str
    mend: str
