"""What depends on where places lie, and not on the day: days with the same members of zones stand on the same ground.

Sets are whole numbers here: bit n of a set of groups is the n-th group of places, bit n of a set of permits the n-th
permit of a regime. One operation then answers for all places at once.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from extproc.core.ids import DataClass, Jurisdiction, RegionId
from extproc.policy.compile.day import RulesOfDay, Situation
from extproc.policy.compile.epochs import subjects_named
from extproc.policy.compile.profiles import Profile
from extproc.policy.document import AllOf, AnyOf, Condition, SubjectIn, Territory

Bits: TypeAlias = int
Governed: TypeAlias = Mapping[Jurisdiction, tuple[int, ...]]
"""The indices of the regimes that govern each place, in their order; a place that none governs is not in it."""


class Ground:
    """Tells which regimes govern each place, and which permits cover each region."""

    def __init__(self, rules: RulesOfDay, regions: list[RegionId], places: list[Jurisdiction]) -> None:
        self.zones = rules.zones
        self._rules = rules
        self._regimes = rules.document.regimes
        asked = sorted({territory for regime in self._regimes for territory in subjects_named(regime.when)})
        self._alike = _alike(rules, asked, places)
        self._everywhere: Bits = (1 << len(self._alike)) - 1
        self._within: dict[Territory, Bits] = {
            territory: bits_of(rules.contains(territory, group[0]) for group in self._alike) for territory in asked
        }
        self._governed: dict[tuple[str, tuple[str, ...], DataClass], Governed] = {}
        entries = [rules.document.regions[id_] for id_ in regions]
        self.covering: list[list[Bits]] = [
            [bits_of(rules.covers(permit.to, region) for permit in regime.permits) for region in entries]
            for regime in self._regimes
        ]
        """For each regime and region, the permits that cover it, whether they are on or not."""

    def governed(self, profile: Profile, data_class: DataClass) -> Governed:
        """Give which regimes govern what, for tenants of this profile."""
        # Mechanisms turn permits on and no regimes, so profiles that differ in nothing else share an answer.
        key = (profile.exporter, profile.attributes, data_class)
        if key not in self._governed:
            self._governed[key] = self._govern(profile, data_class)
        return self._governed[key]

    def _govern(self, profile: Profile, data_class: DataClass) -> Governed:
        # No condition but SubjectIn looks at the subject, and those are answered for all groups at once.
        about = Situation(
            subject=Jurisdiction(""),
            exporter=profile.exporter,
            attributes=frozenset(profile.attributes),
            data_class=data_class,
        )
        where = [self._where(regime.when, about) for regime in self._regimes]
        found: dict[Jurisdiction, tuple[int, ...]] = {}
        for n, group in enumerate(self._alike):
            governing = tuple(i for i, groups in enumerate(where) if groups >> n & 1)
            if governing:
                found.update(dict.fromkeys(group, governing))
        return found

    def _where(self, condition: Condition, about: Situation) -> Bits:
        """Give the groups of places for which a condition holds."""
        match condition:
            case SubjectIn():
                return self._within[condition.subject_in]
            case AnyOf(any=parts):
                groups = 0
                for part in parts:
                    groups |= self._where(part, about)
                return groups
            case AllOf(all=parts):
                groups = self._everywhere
                for part in parts:
                    groups &= self._where(part, about)
                return groups
            case _:
                return self._everywhere if self._rules.holds(condition, about) else 0


def grounds_of(days: list[RulesOfDay], regions: list[RegionId], places: list[Jurisdiction]) -> list[Ground]:
    """Give the ground of each day."""
    made: list[Ground] = []
    for rules in days:
        same = made and rules.zones == made[-1].zones
        made.append(made[-1] if same else Ground(rules, regions, places))
    return made


def bits_of(members: Iterable[bool]) -> Bits:
    """Give the set of the positions at which `members` are true."""
    return sum(1 << n for n, member in enumerate(members) if member)


def _alike(rules: RulesOfDay, asked: list[Territory], places: list[Jurisdiction]) -> list[list[Jurisdiction]]:
    """Group the places that no condition can tell apart."""
    groups: dict[tuple[bool, ...], list[Jurisdiction]] = {}
    for place in places:
        groups.setdefault(tuple(rules.contains(territory, place) for territory in asked), []).append(place)
    return list(groups.values())
