"""Random regimes, and the words that every part of a random policy uses."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

Written = dict[str, Any]
Make: TypeAlias = Callable[[], object]

PLACES = ["DE", "FR", "NO", "US", "AE", "CA", "CA-QC", "BR", "GB"]
"""Where regions stand, and which jurisdictions requests come from."""

CLASSES = ["public", "personal", "special"]
MECHANISMS = ["dpf", "scc"]
DAYS = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-03-02", "2026-06-15"]
"""The days on which permits and members begin and end; policies start on one of them."""

_ZONES = ["EEA", "NEAR", "outer", "UK_ADEQUATE"]
_ATTRIBUTES = ["difc", "adgm"]
_BASES = ["internal", "unrestricted", "adequacy", "safeguards", "derogation"]


class LawMaker:
    """Makes regimes from a source of chance."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def regime(self, i: int) -> Written:
        permits = [self._permit(j) for j in range(self._random.choice([0, *[3, 4, 5, 6] * 3]))]
        ids = [permit["id"] for permit in permits]
        return {
            "id": f"regime-{i}",
            "when": {"subject_in": "anywhere"} if i == 0 and self._random.random() < 0.75 else self._condition(),
            **self.maybe("verified", self._random.random() < 0.5, 0.2),
            **self.maybe("note", "not in force yet", 0.2),
            "permits": permits,
            **self.maybe("obligations", [self._obligation(j) for j in range(self._random.randint(1, 2))], 0.3),
            **self.maybe("class", {name: {"only": self.some(ids, 0)} for name in self.some(CLASSES, 0)}, 0.4),
        }

    def maybe(self, name: str, value: object, chance: float = 0.5) -> Written:
        return {name: value} if self._random.random() < chance else {}

    def some(self, options: Sequence[str], least: int = 1) -> list[str]:
        return self._random.sample(options, self._random.randint(min(least, len(options)), len(options)))

    def members(self) -> list[object]:
        """Make the members of a zone."""
        return [
            code
            if self._random.random() < 0.3
            else {"subdivision" if "-" in code else "country": code, **self._dates(), **self.maybe("cite", "Art. 3")}
            for code in self.some(PLACES)[:4]
        ]

    def territory(self) -> str | list[str]:
        if self._random.random() < 0.5:
            return "anywhere"
        names = self._random.sample([*_ZONES, *PLACES], self._random.randint(1, 3))
        return names[0] if len(names) == 1 else names

    def _dates(self) -> Written:
        begins, ends = sorted(self._random.choices(DAYS, k=2))
        return {**self.maybe("valid_from", begins, 0.3), **self.maybe("valid_until", ends, 0.3)}

    def _condition(self, depth: int = 0) -> Written:
        makers: dict[str, Make] = {
            "subject_in": self.territory,
            "exporter_in": self.territory,
            "class_in": lambda: self.some(CLASSES),
            "class_not": lambda: self.some(CLASSES)[:2],
            "tenant_has": lambda: self.some(_ATTRIBUTES),
            "tenant_has_not": lambda: self.some(_ATTRIBUTES),
            "any": lambda: [self._condition(depth + 1) for _ in range(self._random.randint(1, 2))],
            "all": lambda: [self._condition(depth + 1) for _ in range(self._random.randint(1, 2))],
        }
        words = list(makers)[: None if depth < 2 else 6]
        return {word: makers[word]() for word in self._random.sample(words, self._random.choice([1, 1, 2]))}

    def _destination(self) -> object:
        if self._random.random() < 0.5:
            return self.territory()
        place = {
            **self.maybe("zone", self._random.choice([*_ZONES, "anywhere"])),
            **self.maybe("country", self._random.choice([code for code in PLACES if "-" not in code]), 0.2),
            **self.maybe("subdivision", "CA-QC", 0.1),
            **self.maybe("in", self.territory(), 0.3),
        }
        return {
            **(place or {"in": "anywhere"}),
            **self.maybe("cert", self._random.choice(["dpf", ["dpf", "c5"]]), 0.2),
            **self.maybe(
                "not_in", self._random.choice(["CA-QC", ["CA-QC", "AE"], "outer", self.some(PLACES)[:2]]), 0.35
            ),
            **self.maybe("operator_in", self.territory(), 0.3),
            **self.maybe("operator_not_in", self.some(PLACES)[:3], 0.3),
        }

    def _permit(self, i: int) -> Written:
        return {
            "id": f"p{i}",
            "to": self._destination(),
            "basis": self._random.choice(_BASES),
            "cite": "Art. 1",
            **self._dates(),
            **self.maybe("as_of", "2025-12-01", 0.2),
            **self.maybe("review_by", "2026-12-01", 0.2),
            **self.maybe("confidence", self._random.choice(["high", "medium", "low"])),
            **self.maybe("risk", "appeal pending", 0.2),
            **self.maybe("enabled_by", f"tenant.mechanisms.{self._random.choice(MECHANISMS)}", 0.3),
        }

    def _obligation(self, i: int) -> Written:
        duty = {"id": f"o{i}", "duty": "keep a copy at home", "cite": "Art. 2"}
        return {**duty, **self.maybe("classes", self.some(CLASSES))}
