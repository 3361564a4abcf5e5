"""What the law says of a request: which regimes govern and why, and what each says of every region."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from extproc.core.ids import DataClass, Jurisdiction, RegionId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion
from extproc.core.tables import Profile
from extproc.policy.compile.day import RulesOfDay, Situation
from extproc.policy.document import (
    Destination,
    PermitEntry,
    PolicyDocument,
    Regime,
    RegionEntry,
    TenantEntry,
    ZoneId,
)
from extproc.review.explain.conditions import reasons_of
from extproc.review.explain.model import DutyNote, GoverningNote, Ground, NearMiss, PermitNote
from extproc.review.words import exclusion_in_words, joined, place_in_words, territory_in_words

_Said: TypeAlias = tuple[PermitEntry | None, Exclusion | None, str | None]


class Law:
    """The law of one day, for one tenant whose request is of these classes and claimed by these places."""

    def __init__(
        self,
        *,
        rules: RulesOfDay,
        tenant: TenantEntry,
        classes: tuple[DataClass, ...],
        places: tuple[Jurisdiction, ...],
        orders: Iterable[Suspension],
    ) -> None:
        self.rules = rules
        self._document: PolicyDocument = rules.document
        self._tenant = tenant
        self.situations = [
            Situation(
                subject=place,
                exporter=tenant.exporter or "",
                attributes=frozenset(tenant.attributes),
                data_class=data_class,
            )
            for data_class in classes
            if data_class not in self._document.unregulated
            for place in places
        ]
        found = ((order.name, order.id) for order in reversed(tuple(orders)) if order.kind is TargetKind.PERMIT)
        self._suspended = dict(found)
        self.governing = [
            regime
            for regime in self._document.regimes
            if any(rules.holds(regime.when, situation) for situation in self.situations)
        ]

    def governing_notes(self) -> tuple[GoverningNote, ...]:
        """Say which regimes govern, each with the conditions by which it does."""
        return tuple(
            GoverningNote(
                regime=regime.id,
                because=tuple(dict.fromkeys(self._because(regime))),
                verified=regime.verified,
                note=regime.note,
            )
            for regime in self.governing
        )

    def duties(self) -> tuple[DutyNote, ...]:
        """List the obligations that follow."""
        return tuple(
            DutyNote(name=f"{regime.id}.{duty.id}", duty=duty.duty, cite=duty.cite)
            for regime in self.governing
            for duty in regime.obligations
            if duty.classes is None or not set(duty.classes).isdisjoint(self._classes_of(regime))
        )

    def grounds(self, region: RegionId) -> tuple[Ground, ...]:
        """Give what each governing regime says of a region, once for all classes for which it says the same."""
        entry = self._document.regions[region]
        found: list[Ground] = []
        for regime in self.governing:
            said: dict[_Said, list[DataClass]] = {}
            for data_class in self._classes_of(regime):
                said.setdefault(self._said(regime, data_class, entry), []).append(data_class)
            found.extend(self._ground(regime, entry, each, tuple(classes)) for each, classes in said.items())
        return tuple(found)

    def _classes_of(self, regime: Regime) -> list[DataClass]:
        """List the classes for which a regime governs the request."""
        held = (each.data_class for each in self.situations if self.rules.holds(regime.when, each))
        return list(dict.fromkeys(held))

    def _because(self, regime: Regime) -> Iterator[str]:
        for situation in self.situations:
            if self.rules.holds(regime.when, situation):
                yield joined(dict.fromkeys(reasons_of(regime.when, situation, self.rules)))

    def _said(self, regime: Regime, data_class: DataClass, region: RegionEntry) -> _Said:
        """Give the first permit that stands, or why none does, as the compiler and tier 1 find it."""
        covering = [each for each in regime.permits if self._is_on(each) and self.rules.covers(each.to, region)]
        rule = regime.class_rules.get(data_class)
        counted = [each for each in covering if rule is None or each.id in rule.only]
        fitting = [each for each in counted if not (self._legal_first and each.basis.is_transfer)]
        standing = [each for each in fitting if f"{regime.id}.{each.id}" not in self._suspended]
        if standing:
            return standing[0], None, None
        if fitting:
            return None, Exclusion.PERMIT_SUSPENDED, self._suspended[f"{regime.id}.{fitting[0].id}"]
        why = Exclusion.PROFILE if counted else Exclusion.CLASS_RULE if covering else Exclusion.NO_PERMIT
        return None, why, None

    def _ground(self, regime: Regime, region: RegionEntry, said: _Said, classes: tuple[DataClass, ...]) -> Ground:
        permit, lacking, order = said
        near: tuple[NearMiss, ...] = ()
        words = ""
        if lacking is not None:
            words = exclusion_in_words(lacking)
            near = tuple(self._near(regime, region, classes))
            if not near:
                words = self._nowhere_near(regime)
        note = None if permit is None else self._permit(regime, permit)
        return Ground(
            regime=regime.id,
            classes=classes,
            permit=note,
            lacking=lacking,
            order=order,
            words=words,
            belongs=() if permit is None else tuple(self._belongs(permit, region)),
            near=near,
        )

    def _belongs(self, permit: PermitEntry, region: RegionEntry) -> Iterator[str]:
        """Say by what the region's place is in each zone that the permit names, where the zone says it."""
        place = region.subdivision or region.country
        for name in dict.fromkeys(name for territory in permit.to.within for name in territory):
            zone = self._document.zones.get(ZoneId(name))
            for member in zone.members if zone is not None else ():
                counts = self.rules.in_force(member.valid_from, member.valid_until)
                if counts and member.cite and member.code in (place, place[:2]):
                    since = f", from {member.valid_from}" if member.valid_from else ""
                    until = f", until {member.valid_until}" if member.valid_until else ""
                    yield f"{name} holds it by {member.cite}{since}{until}"

    def _nowhere_near(self, regime: Regime) -> str:
        if not regime.permits:
            return "the regime permits nothing at all"
        reached = [each.to.within for each in regime.permits]
        if all(len(within) == 1 for within in reached):
            names = tuple(sorted({name for (territory,) in reached for name in territory}))
            words = territory_in_words(names, self._document, last="and")
        else:
            each_in_words = (
                joined((territory_in_words(territory, self._document) for territory in within), last="and at once")
                for within in reached
            )
            words = "; ".join(dict.fromkeys(each_in_words))
        return f"none of its permits reaches where the region stands: they reach {words}"

    def _near(self, regime: Regime, region: RegionEntry, classes: tuple[DataClass, ...]) -> Iterator[NearMiss]:
        """List the permits that reach the place where the region stands, and what is wrong with each."""
        place = region.subdivision or Jurisdiction(region.country)
        for permit in regime.permits:
            if all(self.rules.contains(territory, place) for territory in permit.to.within):
                wrong = list(self._wrong(regime, permit, region, classes))
                yield NearMiss(permit=self._permit(regime, permit), words=joined(wrong))

    def _wrong(
        self, regime: Regime, permit: PermitEntry, region: RegionEntry, classes: tuple[DataClass, ...]
    ) -> Iterator[str]:
        if permit.enabled_by is not None and permit.enabled_by not in self._tenant.mechanisms:
            yield f"the tenant has not declared the mechanism {permit.enabled_by}"
        if permit.valid_from is not None and permit.valid_from > self.rules.day:
            yield f"it counts only from {permit.valid_from}"
        if permit.valid_until is not None and permit.valid_until < self.rules.day:
            yield f"{permit.valid_until} was its last day"
        yield from self._uncovered(permit.to, region)
        left = [
            name for name in classes if name in regime.class_rules and permit.id not in regime.class_rules[name].only
        ]
        if left:
            cites = dict.fromkeys(cite for name in left if (cite := regime.class_rules[name].cite))
            cited = f" ({'; '.join(cites)})" if cites else ""
            yield f"the regime's rule for the class {joined(left)} leaves it out{cited}"
        if self._legal_first and permit.basis.is_transfer:
            yield "it is a transfer, and the profile of the policy is legal-first"
        order = self._suspended.get(f"{regime.id}.{permit.id}")
        if order is not None:
            yield f"the legal order {order} suspends it"

    def _uncovered(self, to: Destination, region: RegionEntry) -> Iterator[str]:
        missing = sorted(set(to.certs) - set(region.certs))
        if missing:
            yield f"the region has not the certification {joined(missing)}"
        if to.operator_in is None and not to.operator_not_in and not to.not_in:
            return
        if not self.rules.covers(Destination(within=to.within, not_in=to.not_in), region):
            yield f"it excepts {territory_in_words(to.not_in, self._document)}"
        by_operator = Destination(within=to.within, operator_in=to.operator_in, operator_not_in=to.operator_not_in)
        if not self.rules.covers(by_operator, region):
            yield _operator_in_words(region)

    def _permit(self, regime: Regime, permit: PermitEntry) -> PermitNote:
        identity = self._document.identity
        declared = None if permit.enabled_by is None else self._tenant.mechanisms.get(permit.enabled_by)
        return PermitNote(
            name=f"{regime.id}.{permit.id}",
            cite=permit.cite,
            basis=permit.basis,
            mechanism=permit.enabled_by,
            declared=permit.enabled_by is None or declared is not None,
            reference="" if declared is None else declared.reference,
            as_of=permit.as_of or identity.as_of,
            valid_from=permit.valid_from,
            valid_until=permit.valid_until,
            review_by=permit.review_by or identity.review_by,
            confidence=permit.confidence,
            risk=permit.risk,
        )

    def _is_on(self, permit: PermitEntry) -> bool:
        enabled = permit.enabled_by is None or permit.enabled_by in self._tenant.mechanisms
        return enabled and self.rules.in_force(permit.valid_from, permit.valid_until)

    @property
    def _legal_first(self) -> bool:
        return self._document.identity.profile is Profile.LEGAL_FIRST


def _operator_in_words(region: RegionEntry) -> str:
    """Say of a region's operator that it is not what a permit asks for."""
    operator = region.operator
    if operator is None:
        return "the policy does not state who operates the region"
    admin = joined(place_in_words(country) for country in operator.admin_from)
    return f"its operator does not fit ({operator.name}: seat in {place_in_words(operator.hq)}, run from {admin})"
