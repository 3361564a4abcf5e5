"""The compiler: a written policy to the tables that tier 1 reads. Pure, and total on documents that were parsed.

Evaluates every condition, zone, date and mechanism over the whole finite domain (epochs x profiles x classes x
jurisdictions x regions), so that a decision is left with dictionary reads. It parses nothing and checks nothing: the
parser has done both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from math import inf
from typing import assert_never

from extproc.core.facts import Source
from extproc.core.ids import DataClass, Jurisdiction, MechanismId, ModelId, RegionId, RegionMask, TenantId
from extproc.core.iso3166 import COUNTRIES
from extproc.core.overrides import Suspension
from extproc.core.reading import Reading
from extproc.core.tables import Epoch, Grant, Permit, PolicyTables, Region, Ruling, Rulings, Tenant
from extproc.policy.canonical import revision_of
from extproc.policy.document import (
    ANYWHERE,
    AllOf,
    AnonymousMatch,
    AnyOf,
    ClaimMatch,
    ClassIn,
    ClassNot,
    Condition,
    Effect,
    ExporterIn,
    OverrideEntry,
    PermitEntry,
    PolicyDocument,
    Regime,
    SubjectIn,
    TenantEntry,
    Territory,
    Zone,
    ZoneId,
    ZoneMember,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """A policy ready for use: what was written, and what each part of the sidecar reads of it."""

    document: PolicyDocument
    tables: PolicyTables
    reading: Reading
    suspensions: tuple[Suspension, ...]


def compile_policy(document: PolicyDocument) -> CompiledPolicy:
    """Compile a parsed document. Equal documents give equal results, whatever the order of their keys was."""
    regions = _regions(document)
    profiles = sorted({_Profile.of(tenant) for tenant in document.tenants.values()})
    tables = PolicyTables(
        id=document.identity.id,
        version=document.identity.version,
        revision=revision_of(document),
        ingress_region=document.ingress.region,
        regions=regions,
        classes=frozenset(document.classes),
        tenants=_tenants(document, regions, profiles),
        models=_models(regions),
        epochs=_epochs(document, regions, profiles),
        may_replace=_may_replace(document),
        conflict=document.conflict,
        plan_length=document.plan_length,
    )
    return CompiledPolicy(
        document=document,
        tables=tables,
        reading=_reading(document, tables),
        suspensions=tuple(suspension_of(entry) for entry in document.overrides),
    )


@dataclass(frozen=True, slots=True, order=True)
class _Profile:
    """The legal facts of a tenant that rulings depend on. Tenants that share them share the rulings."""

    exporter: str
    """Empty for none, so that profiles have an order."""
    mechanisms: tuple[tuple[MechanismId, str], ...]
    """With their references, because those stand in permits."""

    @classmethod
    def of(cls, tenant: TenantEntry) -> "_Profile":
        declared = sorted((id_, mechanism.reference) for id_, mechanism in tenant.mechanisms.items())
        return cls(tenant.exporter or "", tuple(declared))


# Regions, tenants and models -------------------------------------------------------------------------------------


def _regions(document: PolicyDocument) -> tuple[Region, ...]:
    """Sort by id: a mask then means the same wherever the revision is the same."""
    return tuple(
        Region(
            id=id_,
            country=entry.country,
            cluster=entry.cluster,
            models={model: served.version for model, served in sorted(entry.models.items())},
            subdivision=entry.subdivision,
            certs=frozenset(entry.certs),
            rtt_s=None if entry.rtt_ms is None else entry.rtt_ms / 1000,
        )
        for id_, entry in sorted(document.regions.items())
    )


def _tenants(
    document: PolicyDocument,
    regions: tuple[Region, ...],
    profiles: list[_Profile],
) -> Mapping[TenantId, Tenant]:
    return {
        id_: Tenant(
            id=id_,
            data_class=entry.data_class,
            exporter=entry.exporter,
            allowed=_mask([_is_allowed(entry, region.id) for region in regions]),
            profile=profiles.index(_Profile.of(entry)),
        )
        for id_, entry in sorted(document.tenants.items())
    }


def _is_allowed(entry: TenantEntry, region: RegionId) -> bool:
    return entry.allow is None or any(fnmatchcase(region, pattern) for pattern in entry.allow)


def _models(regions: tuple[Region, ...]) -> Mapping[ModelId, RegionMask]:
    names = sorted({model for region in regions for model in region.models})
    return {model: _mask([model in region.models for region in regions]) for model in names}


def _versions(regions: tuple[Region, ...], model: ModelId) -> frozenset[str] | None:
    """Give the versions that a request may name: those that every region which is bound to one is approved for."""
    bound = {version for region in regions if (version := region.models.get(model)) is not None}
    if not bound:
        return None
    return frozenset(bound) if len(bound) == 1 else frozenset()


def _mask(bits: list[bool]) -> RegionMask:
    return RegionMask(sum(1 << i for i, bit in enumerate(bits) if bit))


# Epochs and rulings ----------------------------------------------------------------------------------------------


def _epochs(document: PolicyDocument, regions: tuple[Region, ...], profiles: list[_Profile]) -> tuple[Epoch, ...]:
    """Cut time where a permit or a zone member begins or ends.

    The first epoch starts with the policy: before `as_of` there is none, so those requests are refused. The last has
    no end: a policy past its `review_by` stays in force.
    """
    starts = [document.identity.as_of, *_boundaries(document)]
    ends_s = [*(_midnight_s(day) for day in starts[1:]), inf]
    jurisdictions = _jurisdictions(document)
    epochs: list[Epoch] = []
    for day, end_s in zip(starts, ends_s, strict=True):
        rules = _RulesOfDay(document, regions, jurisdictions, day)
        compiled = tuple(rules.rulings(profile) for profile in profiles)
        epochs.append(Epoch(starts_s=_midnight_s(day), ends_s=end_s, profiles=compiled))
    return tuple(epochs)


def _boundaries(document: PolicyDocument) -> list[date]:
    """List the days after `as_of` on which something begins, or no longer is, in force."""
    dated: list[PermitEntry | ZoneMember] = [
        *(permit for regime in document.regimes for permit in regime.permits),
        *(member for zone in document.zones.values() for member in zone.members),
    ]
    begins = {entry.valid_from for entry in dated if entry.valid_from is not None}
    ended = {entry.valid_until + timedelta(days=1) for entry in dated if entry.valid_until is not None}
    return sorted(day for day in begins | ended if day > document.identity.as_of)


def _jurisdictions(document: PolicyDocument) -> list[Jurisdiction]:
    """List every country, and every subdivision that a condition could single out."""
    named = {member.code for zone in document.zones.values() for member in zone.members}
    for regime in document.regimes:
        named.update(Jurisdiction(name) for name in _subjects_named(regime.when))
    return sorted(Jurisdiction(code) for code in COUNTRIES | {code for code in named if _is_subdivision(code)})


def _subjects_named(condition: Condition) -> set[str]:
    match condition:
        case SubjectIn():
            return set(condition.subject_in)
        case AnyOf():
            return {name for part in condition.any for name in _subjects_named(part)}
        case AllOf():
            return {name for part in condition.all for name in _subjects_named(part)}
        case ExporterIn() | ClassIn() | ClassNot():
            return set()
    assert_never(condition)


def _is_subdivision(name: str) -> bool:
    """Tell a subdivision's code from a country's and from a zone's name, which holds no hyphen."""
    return "-" in name


class _RulesOfDay:
    """All rules as they stand on one day."""

    def __init__(
        self,
        document: PolicyDocument,
        regions: tuple[Region, ...],
        jurisdictions: list[Jurisdiction],
        day: date,
    ) -> None:
        self._document = document
        self._regions = regions
        self._jurisdictions = jurisdictions
        self._day = day
        self._zones = {id_: self._members(zone) for id_, zone in document.zones.items()}

    def rulings(self, profile: _Profile) -> Rulings:
        """Rule on every class and jurisdiction for tenants of this profile."""
        return {DataClass(name): self._rulings_of_class(profile, name) for name in self._document.classes}

    def _rulings_of_class(self, profile: _Profile, data_class: DataClass) -> Mapping[Jurisdiction, Ruling]:
        """Rule on every jurisdiction that some regime governs. Where the same regimes govern, the ruling is shared."""
        grants = [self._grants(regime, profile, data_class) for regime in self._document.regimes]
        shared: dict[tuple[int, ...], Ruling] = {}
        found: dict[Jurisdiction, Ruling] = {}
        for subject in self._jurisdictions:
            governing = tuple(
                i
                for i, regime in enumerate(self._document.regimes)
                if self._holds(regime.when, subject, profile, data_class)
            )
            if not governing:
                continue
            if governing not in shared:
                shared[governing] = self._ruling(governing, grants)
            found[subject] = shared[governing]
        return found

    def _ruling(self, governing: tuple[int, ...], grants: list[tuple[Grant, ...]]) -> Ruling:
        by_region = tuple(tuple(grants[i][region] for i in governing) for region in range(len(self._regions)))
        return Ruling(
            permitted=_mask([all(grant.permit is not None for grant in row) for row in by_region]),
            regimes=tuple(self._document.regimes[i].id for i in governing),
            grants=by_region,
        )

    def _grants(self, regime: Regime, profile: _Profile, data_class: DataClass) -> tuple[Grant, ...]:
        return tuple(self._grant(regime, region, profile, data_class) for region in self._regions)

    def _grant(self, regime: Regime, region: Region, profile: _Profile, data_class: DataClass) -> Grant:
        """Find the first permit that covers the region, is enabled and in force, and counts for the class."""
        mechanisms = dict(profile.mechanisms)
        rule = regime.class_rules.get(data_class)
        covering = [
            permit
            for permit in regime.permits
            if (permit.enabled_by is None or permit.enabled_by in mechanisms)
            and _in_force(permit.valid_from, permit.valid_until, self._day)
            and self._covers(permit, region)
        ]
        for permit in covering:
            if rule is None or permit.id in rule.only:
                return Grant(regime=regime.id, permit=_permit(regime, permit, mechanisms))
        return Grant(regime=regime.id, permit=None, class_rule=bool(covering))

    def _covers(self, permit: PermitEntry, region: Region) -> bool:
        place = region.subdivision or Jurisdiction(region.country)
        return region.certs.issuperset(permit.to.certs) and all(
            self._contains(territory, place) for territory in permit.to.within
        )

    def _holds(self, condition: Condition, subject: Jurisdiction, profile: _Profile, data_class: DataClass) -> bool:
        match condition:
            case SubjectIn():
                return self._contains(condition.subject_in, subject)
            case ExporterIn():
                return bool(profile.exporter) and self._contains(
                    condition.exporter_in,
                    Jurisdiction(profile.exporter),
                )
            case ClassIn():
                return data_class in condition.class_in
            case ClassNot():
                return data_class not in condition.class_not
            case AnyOf():
                return any(self._holds(part, subject, profile, data_class) for part in condition.any)
            case AllOf():
                return all(self._holds(part, subject, profile, data_class) for part in condition.all)
        assert_never(condition)

    def _contains(self, territory: Territory, place: Jurisdiction) -> bool:
        """Tell whether a place is in a territory; a country holds its subdivisions, and never the other way round."""
        codes = {place, place[:2]}
        return any(
            name == ANYWHERE or name in codes or not codes.isdisjoint(self._zones.get(ZoneId(name), ()))
            for name in territory
        )

    def _members(self, zone: Zone) -> frozenset[Jurisdiction]:
        return frozenset(
            member.code for member in zone.members if _in_force(member.valid_from, member.valid_until, self._day)
        )


def _permit(regime: Regime, permit: PermitEntry, mechanisms: Mapping[MechanismId, str]) -> Permit:
    return Permit(
        regime=regime.id,
        id=permit.id,
        cite=permit.cite,
        basis=permit.basis,
        mechanism=permit.enabled_by,
        reference="" if permit.enabled_by is None else mechanisms[permit.enabled_by],
    )


def _in_force(valid_from: date | None, valid_until: date | None, day: date) -> bool:
    return (valid_from is None or valid_from <= day) and (valid_until is None or day <= valid_until)


def _midnight_s(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


# What is read, and overrides ---------------------------------------------------------------------------------------


def _may_replace(document: PolicyDocument) -> Mapping[Source, frozenset[Source]]:
    jwt = document.signals.jwt
    return {} if jwt is None or not jwt.may_replace else {Source.JWT: frozenset(jwt.may_replace)}


def _reading(document: PolicyDocument, tables: PolicyTables) -> Reading:
    signals = document.signals
    by_claim: dict[str, dict[str, TenantId]] = {}
    anonymous: TenantId | None = None
    for id_, entry in sorted(document.tenants.items()):
        match entry.match:
            case ClaimMatch(claim=claim, equals=equals):
                by_claim.setdefault(claim, {})[equals] = id_
            case AnonymousMatch():
                anonymous = id_
    return Reading(
        trusted_hops=document.ingress.trusted_hops,
        geoip=signals.geoip is not None,
        residency_claim=signals.jwt.claim if signals.jwt is not None else None,
        jurisdiction_header=signals.header.name if signals.header is not None else None,
        class_header=signals.class_header,
        classes=tables.classes,
        models={model: _versions(tables.regions, model) for model in tables.models},
        subdivisions=frozenset(filter(_is_subdivision, _jurisdictions(document))),
        tenant_by_claim=by_claim,
        anonymous_tenant=anonymous,
    )


def suspension_of(entry: OverrideEntry) -> Suspension:
    """Compile one override."""
    match entry.effect:
        case Effect.SUSPEND:
            return Suspension(
                id=entry.id,
                region=entry.region,
                reason=entry.reason,
                from_s=entry.from_at.timestamp(),
                until_s=None if entry.until_at is None else entry.until_at.timestamp(),
                approved_by=entry.approved_by,
            )
    assert_never(entry.effect)
