"""Places by the names that people use, and sets of places in as few words as the policy's zones allow."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Final

import pycountry

from extproc.core.ids import Jurisdiction
from extproc.core.iso3166 import COUNTRIES
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.compile.epochs import is_subdivision, jurisdictions_of
from extproc.policy.document import ANYWHERE, PolicyDocument, Territory
from extproc.review.words.lists import joined
from extproc.review.words.times import day_of

# ISO 3166's own names are made for sorting. Its list has short ones for some ("South Korea"), these are the others.
_SHORT: Final = {
    "BN": "Brunei",
    "CD": "Congo (Kinshasa)",
    "CG": "Congo (Brazzaville)",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "MF": "Saint Martin",
    "PS": "Palestine",
    "RU": "Russia",
    "SX": "Sint Maarten",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "US Virgin Islands",
}

# Names that stand with "the" in a sentence.
_WITH_ARTICLE: Final = frozenset(
    """
    AE AX BS CC CD CF CG CK DO FK FO GB GM IM IO KM KY MH MP MV NL PH SB SC TC TF UM US VG VI
    """.split()
)

_ZONES: Final = {
    "EEA": "the EEA",
    "EU": "the EU",
}
"""Built-in zones whose names are words; the others are called by what the policy calls them."""


@cache
def name_of(place: str) -> str:
    """Give the usual short name of a country or subdivision: `South Korea`, `Quebec (Canada)`.

    A code that the list of names does not have is its own name.
    """
    if is_subdivision(place):
        found = pycountry.subdivisions.get(code=place)
        return place if found is None else f"{found.name} ({name_of(place[:2])})"
    if place in _SHORT:
        return _SHORT[place]
    found = pycountry.countries.get(alpha_2=place)
    if found is None:
        return place
    return str(getattr(found, "common_name", found.name))


def place_in_words(place: str) -> str:
    """Give the name as it stands in a sentence: `the United States`."""
    return f"the {name_of(place)}" if place in _WITH_ARTICLE else name_of(place)


def territory_in_words(territory: Territory, document: PolicyDocument, *, last: str = "or") -> str:
    """Give a territory as the policy writes it, zones by name: `the EEA or the United Kingdom`."""
    return joined((_zone_in_words(name, document) for name in territory), last=last)


def describe_places(
    places: Iterable[str], document: PolicyDocument, at: date | datetime, *, at_most: int | None = None
) -> str:
    """Describe a set of places by few zones, names and exceptions: `the EEA (without France) and Brazil`.

    `places` are of those that the policy can tell apart (:func:`extproc.review.domain.places_of`): a country without
    the subdivisions that the policy singles out is `Canada except Quebec (Canada)`. Zones are as they stand on the day
    of `at`. The words are exact unless `at_most` names are to be listed, after which the rest is counted.
    """
    everything = frozenset(jurisdictions_of(document))
    wanted = frozenset(places) & everything | frozenset(place for place in places if place not in everything)
    groups = list(_zones(document, day_of(at), everything))
    inside = _cover(wanted, groups, everything)
    if len(wanted) * 2 > len(everything):
        outside = _cover(everything - wanted, groups, everything)
        if not outside:
            return "everywhere"
        if 1 + _length(outside) < _length(inside):
            return f"everywhere except {_in_words(outside, at_most, nested=True)}"
    return _in_words(inside, at_most) if inside else "nowhere"


@dataclass(frozen=True, slots=True)
class _Group:
    """Places that have one name together, and names for those of them that are excepted."""

    words: str
    members: frozenset[str]
    besides: "tuple[_Group, ...]" = ()


def _zones(document: PolicyDocument, day: date, everything: AbstractSet[str]) -> Iterator[_Group]:
    rules = RulesOfDay(document, day)
    codes = sorted(Jurisdiction(code) for code in everything)
    for zone in sorted(document.zones):
        members = frozenset(code for code in codes if rules.contains((zone,), code))
        if members:
            yield _Group(_zone_in_words(zone, document), members)


def _cover(wanted: frozenset[str], zones: list[_Group], everything: AbstractSet[str]) -> list[_Group]:
    """Find few zones and names that are together what is wanted: each time the zone that saves most names."""
    found: list[_Group] = []
    left = set(wanted)
    while True:
        best = max(zones, key=lambda zone: (_saved(zone, left, wanted), zone.words), default=None)
        if best is None or _saved(best, left, wanted) <= 0:
            return [*found, *_named(left, everything)]
        found.append(_Group(best.words, best.members, _named(best.members - wanted, everything)))
        left -= best.members


def _named(codes: AbstractSet[str], everything: AbstractSet[str]) -> tuple[_Group, ...]:
    """Name places one by one; a country holds its subdivisions, so those that are not meant are excepted."""
    found = []
    for code in codes:
        if is_subdivision(code) and code[:2] in codes:
            continue
        parts = frozenset(each for each in everything if each.startswith(f"{code}-"))
        besides = tuple(_Group(place_in_words(each), frozenset((each,))) for each in sorted(parts - codes))
        found.append(_Group(place_in_words(code), parts | {code}, besides))
    return tuple(sorted(found, key=lambda group: group.words.removeprefix("the ")))


def _saved(zone: _Group, left: AbstractSet[str], wanted: AbstractSet[str]) -> int:
    excepted = len(zone.members - wanted)
    # What mostly consists of exceptions says less than a list, even where it is shorter.
    return len(zone.members & left) - 1 - excepted if excepted * 2 < len(zone.members) else 0


def _length(groups: Sequence[_Group]) -> int:
    return sum(1 + len(group.besides) for group in groups)


def _in_words(groups: Sequence[_Group], at_most: int | None, *, nested: bool = False) -> str:
    shown = groups if at_most is None or len(groups) <= at_most + 1 else groups[:at_most]
    alone = len(groups) == 1 and not nested
    words = [_one_in_words(group, alone=alone) for group in shown]
    if len(shown) < len(groups):
        words.append(f"{len(groups) - len(shown)} others")
    return joined(words)


def _one_in_words(group: _Group, *, alone: bool) -> str:
    """Say one group with its exceptions, in brackets where it would not be clear to what they belong."""
    if not group.besides:
        return group.words
    names = joined(_one_in_words(each, alone=False) for each in group.besides)
    return f"{group.words} except {names}" if alone else f"{group.words} (without {names})"


def _zone_in_words(name: str, document: PolicyDocument) -> str:
    if name == ANYWHERE:
        return "anywhere"
    zones = {str(id_): zone for id_, zone in document.zones.items()}
    if name in zones:
        return _ZONES.get(name, name) if zones[name].builtin else name
    return place_in_words(name) if name in COUNTRIES or is_subdivision(name) else name
