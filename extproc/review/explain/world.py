"""A question with everything that it is asked under, so that one thing can be changed and it be asked again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from extproc.core.decide import Permitted, Refused
from extproc.core.ids import DataClass, RegionId, TenantId
from extproc.core.overrides import Suspension
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.compile.day import RulesOfDay, Situation
from extproc.policy.document import (
    AllOf,
    AnyOf,
    CaseInput,
    Condition,
    ExporterIn,
    PolicyDocument,
    Regime,
    SubjectIn,
    TenantEntry,
    Territory,
    Zone,
)
from extproc.review.question import ask
from extproc.review.words import day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A written policy on one day, the orders in force beside it, and a request at `now_s` (Unix seconds)."""

    document: PolicyDocument
    orders: tuple[Suspension, ...]
    given: CaseInput
    now_s: float
    beside: tuple[DataClass, ...] = ()
    """Classes that the request declares beside the case's own."""
    compiled: dict[int, tuple[PolicyDocument, CompiledPolicy]] = field(default_factory=dict, repr=False, compare=False)
    """What was compiled already, by the identity of the document: most changes leave the document as it is."""

    def ask(self) -> frozenset[RegionId]:
        """Give the regions that tier 1 permits, wherever the request arrives; none where it is refused before that."""
        key = id(self.document)
        if key not in self.compiled:
            self.compiled[key] = (self.document, compile_policy(self.document))
        _, compiled = self.compiled[key]
        return permitted_of(ask(replace(compiled, suspensions=self.orders), self.given, self.now_s, self.beside))

    @property
    def tenant(self) -> TenantEntry:
        """The tenant of the request."""
        return self.document.tenants[self.given.tenant]

    def with_tenant(self, tenant: TenantEntry) -> "World":
        """Put another entry in the tenant's place."""
        return replace(self, document=replace(self.document, tenants={self.given.tenant: tenant}))


def permitted_of(ruled: Permitted | Refused) -> frozenset[RegionId]:
    """Give the regions that a verdict permits; one that was refused for its ingress has them too."""
    if ruled.verdict is None:
        return frozenset()
    return frozenset(each.region for each in ruled.verdict.regions if each.exclusion is None)


def world_of(
    compiled: CompiledPolicy,
    given: CaseInput,
    now_s: float,
    regimes: tuple[Regime, ...],
    classes: tuple[DataClass, ...] | None = None,
) -> World:
    """Cut a policy down to what one question can depend on, so that asking again takes milliseconds.

    `regimes` are those that can govern the request under any change that is to be tried, and `classes` those that it
    can bear then, by default all. The answer is that of the
    whole policy: dates are settled, and what only other tenants or other days see is left out.
    """
    document = compiled.document
    day = day_of(now_s)
    cut = replace(
        document,
        identity=replace(document.identity, as_of=day),
        classes=document.classes if classes is None else tuple(sorted(classes)),
        regimes=tuple(_regime_on(day, regime) for regime in regimes),
        tenants=_only(document.tenants, given.tenant),
        overrides=(),
        tests=(),
    )
    named = _zones_named(cut)
    zones = {name: _on(day, zone) for name, zone in document.zones.items() if name in named}
    cut = replace(cut, zones=zones)
    return World(document=cut, orders=compiled.suspensions, given=given, now_s=now_s)


def _zones_named(document: PolicyDocument) -> frozenset[str]:
    """List the names in every territory that is left; codes are among them and do no harm."""
    territories: list[Territory] = [tuple(document.ingress.redirect_hosts)]
    territories += [shard.subjects for shard in document.deployment.shards]
    territories += [entry.resident_in for entry in document.models.values() if entry.resident_in is not None]
    for regime in document.regimes:
        territories += _territories_of(regime.when)
        for permit in regime.permits:
            to = permit.to
            territories += [*to.within, to.not_in, to.operator_in or (), to.operator_not_in]
    return frozenset(name for territory in territories for name in territory)


def _territories_of(condition: Condition) -> Iterator[Territory]:
    match condition:
        case SubjectIn(subject_in=territory) | ExporterIn(exporter_in=territory):
            yield territory
        case AnyOf(any=parts) | AllOf(all=parts):
            for part in parts:
                yield from _territories_of(part)
        case _:
            pass


def _only(tenants: Mapping[TenantId, TenantEntry], id_: TenantId) -> Mapping[TenantId, TenantEntry]:
    return {id_: tenants[id_]}


def _on(day: date, zone: Zone) -> Zone:
    members = (each for each in zone.members if _in_force(day, each.valid_from, each.valid_until))
    return replace(zone, members=tuple(replace(each, valid_from=None, valid_until=None) for each in members))


def _regime_on(day: date, regime: Regime) -> Regime:
    permits = (each for each in regime.permits if _in_force(day, each.valid_from, each.valid_until))
    return replace(regime, permits=tuple(replace(each, valid_from=None, valid_until=None) for each in permits))


def _in_force(day: date, valid_from: date | None, valid_until: date | None) -> bool:
    return (valid_from is None or valid_from <= day) and (valid_until is None or day <= valid_until)


def regimes_in_question(compiled: CompiledPolicy, given: CaseInput, now_s: float) -> tuple[Regime, ...]:
    """List the regimes that can govern the request under any change that is tried."""
    document = compiled.document
    tenant = document.tenants[given.tenant]
    rules = RulesOfDay(document, day_of(now_s))
    said = {given.geoip, given.jwt, given.header, tenant.subjects, *compiled.tables.assume}
    places = sorted(place for place in said if place is not None)
    attributes = frozenset(tenant.attributes)
    situations = [
        Situation(subject=place, exporter=tenant.exporter or "", attributes=attributes, data_class=data_class)
        for place in places
        for data_class in document.classes
    ]
    return tuple(
        regime for regime in document.regimes if any(rules.holds(regime.when, situation) for situation in situations)
    )
