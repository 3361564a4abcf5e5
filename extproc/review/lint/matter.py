"""What is looked at: a compiled policy on a day, with what several checks need worked out once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, reduce
from operator import or_
from typing import Protocol

from extproc.core.ids import DataClass, Jurisdiction, MechanismId, ModelId, RegimeId, RegionId, RegionMask, TenantId
from extproc.core.overrides import Suspension
from extproc.core.tables import Epoch, Ruling
from extproc.policy.compile import CompiledPolicy
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.compile.epochs import midnight_s, starts_of
from extproc.policy.compile.rulings import mask_of
from extproc.policy.document import PermitEntry, PolicyDocument, Regime, TenantEntry
from extproc.review.domain import moments_of, places_of
from extproc.review.lint.places import PlaceOf
from extproc.review.lint.survey import Survey


class GeoIdentityLike(Protocol):
    """Which geolocation database there is; :class:`extproc.geo.GeoIdentity` is one."""

    @property
    def build_epoch(self) -> int:
        """When the vendor built it, in seconds since 1970."""
        ...

    @property
    def database_type(self) -> str:
        """What the vendor calls this kind of database."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFile:
    """The orders of an override file, and where they stand in it."""

    orders: tuple[Suspension, ...]
    places: PlaceOf


class Matter:
    """A policy as it stands on a day, and as it will stand from then on: what ended before is not looked at."""

    def __init__(  # noqa: PLR0913 - what is looked at, each part by name
        self,
        compiled: CompiledPolicy,
        places: PlaceOf,
        *,
        today: date,
        geo: GeoIdentityLike | None,
        due_within_days: int,
        overrides: OrderFile | None = None,
    ) -> None:
        own = [(order, places) for order in compiled.suspensions]
        others = [] if overrides is None else [(order, overrides.places) for order in overrides.orders]
        self.orders: tuple[tuple[Suspension, PlaceOf], ...] = (*own, *others)
        """All orders, each with where it stands."""
        compiled = replace(compiled, suspensions=tuple(order for order, _ in self.orders))
        self.compiled = compiled
        self.places = places
        self.today = today
        self.geo = geo
        self.due = today + timedelta(days=due_within_days)
        self.survey = Survey(compiled)
        self.without_orders = Survey(compiled, orders=False) if compiled.suspensions else self.survey
        self._covered: dict[tuple[RegimeId, str], tuple[RegionMask, ...]] = {}

    @property
    def document(self) -> PolicyDocument:
        """The policy as written."""
        return self.compiled.document

    @cached_property
    def now_s(self) -> float:
        """Unix seconds: the beginning of the day, or of the policy where that comes later."""
        return max(midnight_s(self.today), self.compiled.tables.epochs[0].starts_s)

    @cached_property
    def epochs(self) -> tuple[Epoch, ...]:
        """The epochs that have not ended, the present one first."""
        return tuple(epoch for epoch in self.compiled.tables.epochs if epoch.ends_s > self.now_s)

    @cached_property
    def days(self) -> tuple[RulesOfDay, ...]:
        """The rules of each of these epochs."""
        starts = {midnight_s(day): day for day in starts_of(self.document)}
        return tuple(RulesOfDay(self.document, starts[epoch.starts_s]) for epoch in self.epochs)

    @cached_property
    def moments(self) -> tuple[float, ...]:
        """Unix seconds at which answers may change: now, and each later begin of an epoch, begin or end of an order."""
        return (self.now_s, *(at_s for at_s in moments_of(self.compiled) if at_s > self.now_s))

    @cached_property
    def all_places(self) -> tuple[Jurisdiction, ...]:
        """Every country, and every subdivision that the policy singles out."""
        return places_of(self.compiled)

    @property
    def permits(self) -> Iterator[tuple[Regime, PermitEntry]]:
        """All permits, with their regimes."""
        return ((regime, permit) for regime in self.document.regimes for permit in regime.permits)

    def names(self, mask: int) -> list[RegionId]:
        """Name the regions of a mask."""
        return [region.id for i, region in enumerate(self.compiled.tables.regions) if mask >> i & 1]

    def expected(self, tenant: TenantEntry) -> frozenset[Jurisdiction]:
        """List the places from which a tenant expects requests, as its `expects` is understood now."""
        if tenant.expects is None:
            return frozenset()
        return frozenset(place for place in self.all_places if self.days[0].contains(tenant.expects, place))

    def models_of(self, tenant: TenantId) -> list[ModelId]:
        """List the models that some region serves which the tenant's own list leaves."""
        tables = self.compiled.tables
        allowed = tables.tenants[tenant].allowed
        return [name for name, model in tables.models.items() if model.serving & allowed]

    @cached_property
    def told(self) -> frozenset[DataClass]:
        """The classes that a request can bear beside its tenant's own: declared, found in a payload, or its model's."""
        if self.document.signals.class_header is not None:
            return frozenset(self.document.classes)
        return self.detected

    @cached_property
    def detected(self) -> frozenset[DataClass]:
        """Those of them that nobody has to declare: found in a payload, or brought by the model."""
        found = {model.data_class for model in self.document.models.values() if model.data_class is not None}
        payload = self.document.signals.payload
        if payload is not None:
            found.update([payload.unreadable, *payload.detectors.values()])
            found.update(rule.data_class for rule in payload.fields)
            found.update(rule.data_class for rule in payload.patterns)
        return frozenset(found)

    def classes_of(self, tenant: TenantId) -> frozenset[DataClass]:
        """Give the classes that requests of a tenant can bear."""
        return self.told | {self.document.tenants[tenant].data_class}

    @cached_property
    def governed(self) -> dict[int, frozenset[tuple[RegimeId, DataClass]]]:
        """For each profile of tenants, which regimes govern some place for which class, now or later."""
        return {
            profile: frozenset(
                (regime, name)
                for epoch in self.epochs
                for name in self.compiled.tables.classes
                for ruling in _distinct(self.survey.rulings(epoch, profile, name))
                for regime in ruling.regimes
            )
            for profile in range(len(self.epochs[0].profiles))
        }

    @cached_property
    def mechanisms(self) -> Mapping[int, frozenset[MechanismId]]:
        """For each profile of tenants, the mechanisms that they declare."""
        tenants = self.document.tenants
        return {one.profile: frozenset(tenants[id_].mechanisms) for id_, one in self.compiled.tables.tenants.items()}

    @cached_property
    def reached_by_model(self) -> Mapping[ModelId, RegionMask]:
        """For each model, the regions that some request of some tenant may use, now or later, whatever the orders."""
        found = dict.fromkeys(self.compiled.tables.models, RegionMask(0))
        for kind in self.without_orders.kinds:
            for model in found:
                for epoch in self.epochs:
                    at_s = max(epoch.starts_s, self.now_s)
                    for _, answer in self.without_orders.answers(kind, model, kind.tenant.data_class, at_s):
                        found[model] = RegionMask(found[model] | answer.permitted)
        return found

    @property
    def reached(self) -> RegionMask:
        """The regions that some request may use at all."""
        return RegionMask(reduce(or_, self.reached_by_model.values(), 0))

    def covered(self, regime: Regime, permit: PermitEntry) -> tuple[RegionMask, ...]:
        """For each of the days, give the regions that a permit covers; none where it is not in force then."""
        key = (regime.id, permit.id)
        if key not in self._covered:
            regions = [self.document.regions[region.id] for region in self.compiled.tables.regions]
            self._covered[key] = tuple(
                mask_of([day.covers(permit.to, region) for region in regions])
                if day.in_force(permit.valid_from, permit.valid_until)
                else RegionMask(0)
                for day in self.days
            )
        return self._covered[key]


def _distinct(rulings: tuple[Ruling | None, ...]) -> list[Ruling]:
    """Keep each object once: equal rulings are one object, and comparing them costs more than it saves."""
    return list({id(ruling): ruling for ruling in rulings if ruling is not None}.values())
