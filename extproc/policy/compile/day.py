"""All rules as they stand on one day, and the questions that can be put to them one at a time."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from extproc.core.ids import DataClass, Jurisdiction, RegionId
from extproc.policy.document import (
    ANYWHERE,
    AllOf,
    AnyOf,
    ClassIn,
    ClassNot,
    Condition,
    Destination,
    ExporterIn,
    Operator,
    PolicyDocument,
    RegionEntry,
    SubjectIn,
    TenantHas,
    TenantHasNot,
    Territory,
    Zone,
    ZoneId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What conditions ask about: whose law it is, who exports, and what data it is. `exporter` is empty for none."""

    subject: Jurisdiction
    exporter: str
    attributes: AbstractSet[str]
    data_class: DataClass


class RulesOfDay:
    """The rules of a document on one day."""

    def __init__(self, document: PolicyDocument, day: date) -> None:
        self.document = document
        self.day = day
        self.zones = {id_: self._members(zone) for id_, zone in document.zones.items()}
        """The members of each zone on this day."""
        self._territories: dict[Territory, tuple[bool, frozenset[str]]] = {}

    def contains(self, territory: Territory, place: Jurisdiction) -> bool:
        """Tell whether a place is in a territory; a country holds its subdivisions, and never the other way round."""
        known = self._territories.get(territory)
        if known is None:
            codes: set[str] = set()
            for name in territory:
                codes |= self.zones.get(ZoneId(name), frozenset((Jurisdiction(name),)))
            known = self._territories[territory] = (ANYWHERE in territory, frozenset(codes))
        anywhere, codes_of_it = known
        return anywhere or place in codes_of_it or place[:2] in codes_of_it

    def holds(self, condition: Condition, situation: Situation) -> bool:
        """Tell whether a condition holds."""
        match condition:
            case SubjectIn():
                return self.contains(condition.subject_in, situation.subject)
            case ExporterIn():
                exporter = situation.exporter
                return bool(exporter) and self.contains(condition.exporter_in, Jurisdiction(exporter))
            case ClassIn():
                return situation.data_class in condition.class_in
            case ClassNot():
                return situation.data_class not in condition.class_not
            case TenantHas():
                return not situation.attributes.isdisjoint(condition.tenant_has)
            case TenantHasNot():
                return situation.attributes.isdisjoint(condition.tenant_has_not)
            case AnyOf():
                return any(self.holds(part, situation) for part in condition.any)
            case AllOf():
                return all(self.holds(part, situation) for part in condition.all)
        assert_never(condition)

    def covers(self, to: Destination, region: RegionEntry) -> bool:
        """Tell whether a permit's destination takes in a region."""
        place = region.subdivision or Jurisdiction(region.country)
        return (
            all(self.contains(territory, place) for territory in to.within)
            and not self._may_be_in(to.not_in, place)
            and frozenset(region.certs).issuperset(to.certs)
            and self._operator_fits(to, region.operator)
        )

    def in_force(self, valid_from: date | None, valid_until: date | None) -> bool:
        """Tell whether something that is valid between these days, both of which count, is so on this one."""
        return (valid_from is None or valid_from <= self.day) and (valid_until is None or self.day <= valid_until)

    def allowed(self, territory: Territory, regions: list[RegionId]) -> list[bool]:
        """Tell for each region whether it stands in a territory."""
        entries = [self.document.regions[id_] for id_ in regions]
        return [self.contains(territory, each.subdivision or Jurisdiction(each.country)) for each in entries]

    def _may_be_in(self, territory: Territory, place: Jurisdiction) -> bool:
        """Tell whether a place may be in a territory: what is only known by its country may be in any part of it."""
        if not territory or self.contains(territory, place):
            return bool(territory)
        codes = {code for name in territory for code in self.zones.get(ZoneId(name), {name})}
        return any(code.startswith(f"{place}-") for code in codes)

    def _operator_fits(self, to: Destination, operator: Operator | None) -> bool:
        if to.operator_in is None and not to.operator_not_in:
            return True
        if operator is None:
            return False
        countries = [Jurisdiction(code) for code in (operator.hq, *operator.admin_from)]
        inside = to.operator_in is None or all(self.contains(to.operator_in, code) for code in countries)
        return inside and not any(self._may_be_in(to.operator_not_in, code) for code in countries)

    def _members(self, zone: Zone) -> frozenset[Jurisdiction]:
        return frozenset(member.code for member in zone.members if self.in_force(member.valid_from, member.valid_until))
