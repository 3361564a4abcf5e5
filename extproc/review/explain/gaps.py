"""What the policy does not look at: places for which no regime speaks, and parts of a country that are not known."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pycountry

from extproc.core.ids import DataClass, Jurisdiction
from extproc.policy.compile.day import RulesOfDay, Situation
from extproc.policy.compile.epochs import is_subdivision, jurisdictions_of
from extproc.policy.document import ANYWHERE, AllOf, AnyOf, Condition, Regime, SubjectIn, Territory
from extproc.review.explain.model import Change, ChangeKind
from extproc.review.words import joined, place_in_words


def unconsidered(rules: RulesOfDay, situations: Sequence[Situation]) -> Iterator[str]:
    """Say whose law is not considered, one sentence for each place or regime."""
    for place in dict.fromkeys(each.subject for each in situations):
        mine = [each for each in situations if each.subject == place]
        if not is_subdivision(place):
            yield from _of_parts(rules, mine, place)
        if any(_speaks(regime.when, each, rules) for regime in rules.document.regimes for each in mine):
            continue
        naming = [regime.id for regime in rules.document.regimes if _names(regime.when, place, rules)]
        where = place_in_words(place)
        if naming:
            asks = "asks" if len(naming) == 1 else "ask"
            yield (
                f"No regime that speaks for {where} governs this request ({joined(naming)} {asks} for other data or "
                "another tenant); its law is not considered."
            )
        else:
            yield f"No regime of this policy speaks for {where}; its law is not considered."


def missing(rules: RulesOfDay, situations: Sequence[Situation]) -> Iterator[Change]:
    """Name each regime that a request would need which is refused because nothing governs it."""
    lacking: dict[Jurisdiction, list[DataClass]] = {}
    for each in situations:
        if not any(rules.holds(regime.when, each) for regime in rules.document.regimes):
            lacking.setdefault(each.subject, []).append(each.data_class)
    for place, classes in lacking.items():
        whole = len(classes) == len([each for each in situations if each.subject == place])
        of = "" if whole else f" that governs the class {joined(classes)}"
        words = f"a regime for {place_in_words(place)}{of} is missing from the policy"
        yield Change(kinds=(ChangeKind.REGIME,), words=words)


def _of_parts(rules: RulesOfDay, situations: Sequence[Situation], country: Jurisdiction) -> Iterator[str]:
    """Say which regimes would govern in a part of the country and do not, because no part is known."""
    parts = [place for place in jurisdictions_of(rules.document) if place.startswith(f"{country}-")]
    for regime in rules.document.regimes:
        if any(rules.holds(regime.when, each) for each in situations):
            continue
        governed = [place for place in parts if _would_govern(regime, place, situations, rules)]
        if governed:
            found = [pycountry.subdivisions.get(code=place) for place in governed]
            kinds = sorted({"part of the country" if each is None else each.type.lower() for each in found})
            names = (place if each is None else each.name for place, each in zip(governed, found, strict=True))
            yield (
                f"The {joined(kinds, last='or')} is not known: {regime.id} governs {joined(names)} alone and was not "
                "considered."
            )


def _would_govern(regime: Regime, place: Jurisdiction, situations: Sequence[Situation], rules: RulesOfDay) -> bool:
    return any(rules.holds(regime.when, replace(each, subject=place)) for each in situations)


def _speaks(condition: Condition, situation: Situation, rules: RulesOfDay) -> bool:
    """Tell whether a condition holds, and by the place of the request among others."""
    if not rules.holds(condition, situation):
        return False
    match condition:
        case SubjectIn():
            return True
        case AnyOf(any=parts) | AllOf(all=parts):
            return any(_speaks(part, situation, rules) for part in parts)
        case _:
            return False


def _names(condition: Condition, place: Jurisdiction, rules: RulesOfDay) -> bool:
    """Tell whether a condition asks for a place by more than `anywhere`."""
    match condition:
        case SubjectIn(subject_in=territory):
            named: Territory = tuple(name for name in territory if name != ANYWHERE)
            return rules.contains(named, place)
        case AnyOf(any=parts) | AllOf(all=parts):
            return any(_names(part, place, rules) for part in parts)
        case _:
            return False
