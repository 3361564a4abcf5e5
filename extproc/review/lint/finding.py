"""What a check found: where, what, and the mend."""

from dataclasses import dataclass
from enum import StrEnum

from extproc.strict_yaml import Place


class Level(StrEnum):
    """How much a finding matters. Members stand in order, the gravest first."""

    ERROR = "error"
    """The policy surely does not do what it says."""

    WARNING = "warning"
    """It most likely does not do what its author means, or will soon not do it any more."""

    NOTE = "note"
    """Worth knowing. It may well be meant."""

    @property
    def rank(self) -> int:
        """Order levels: 0 is the gravest."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding. `message` says what is so, `mend` what to do; neither ends with a full stop."""

    id: str
    level: Level
    place: Place
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.place}: {self.level.value} {self.id}: {self.message}. Mend: {self.mend}"
