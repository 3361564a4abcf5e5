"""The whole policy, put together from its compiled parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from typing import assert_never

from extproc.core.facts import Source
from extproc.core.ids import Jurisdiction, ModelId, RegionId, RegionMask, TenantId
from extproc.core.overrides import Suspension
from extproc.core.reading import Reading
from extproc.core.tables import Approval, Epoch, Model, PolicyTables, Recovery, Region, Tenant
from extproc.policy.canonical import format_canonical, revision_of_form
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.compile.epochs import jurisdictions_of, midnight_s, starts_of
from extproc.policy.compile.profiles import Profile, profiles_of
from extproc.policy.compile.reading import reading_of
from extproc.policy.compile.rulings import mask_of, rulings_of
from extproc.policy.compile.sharing import deployment_of, reach_of, redirects_of
from extproc.policy.document import Effect, OverrideEntry, PolicyDocument, ServedModel, TenantEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """A policy ready for use: what was written, and what each part of the sidecar reads of it."""

    document: PolicyDocument
    canonical: bytes
    """The canonical form of the document, which its revision names and the log keeps."""
    tables: PolicyTables
    reading: Reading
    suspensions: tuple[Suspension, ...]


def compile_policy(document: PolicyDocument) -> CompiledPolicy:
    """Compile a parsed document. Equal documents give equal results, whatever the order of their keys was."""
    regions = sorted(document.regions)
    places = jurisdictions_of(document)
    days = [RulesOfDay(document, day) for day in starts_of(document)]
    profiles, profile_of = profiles_of(document, days)
    catalogue = tuple(_region(document, id_) for id_ in regions)
    signals = document.signals
    canonical = format_canonical(document)
    tables = PolicyTables(
        id=document.identity.id,
        version=document.identity.version,
        revision=revision_of_form(canonical),
        ingress_region=document.ingress.region,
        regions=catalogue,
        classes=frozenset(document.classes),
        tenants=_tenants(document, regions, profile_of),
        models=_models(document, catalogue),
        epochs=_epochs(days, profiles, regions, places),
        may_replace=_may_replace(document),
        profile=document.identity.profile,
        conflict=document.conflict,
        assume=() if signals.geoip is None else signals.geoip.assume,
        unregulated=frozenset(document.unregulated),
        on_mismatch=document.ingress.on_mismatch,
        deployment=deployment_of(document, regions),
        plan_length=document.plan_length,
    )
    return CompiledPolicy(
        document=document,
        canonical=canonical,
        tables=tables,
        reading=reading_of(document, tables, places),
        suspensions=tuple(suspension_of(entry) for entry in document.overrides),
    )


def suspension_of(entry: OverrideEntry) -> Suspension:
    """Compile one override."""
    match entry.effect:
        case Effect.SUSPEND:
            return Suspension(
                id=entry.id,
                kind=entry.target,
                name=entry.name,
                reason=entry.reason,
                from_s=entry.from_at.timestamp(),
                until_s=None if entry.until_at is None else entry.until_at.timestamp(),
                approved_by=entry.approved_by,
            )
    assert_never(entry.effect)


def _region(document: PolicyDocument, id_: RegionId) -> Region:
    entry = document.regions[id_]
    target = entry.recovery
    return Region(
        id=id_,
        country=entry.country,
        cluster=entry.cluster,
        models={model: _approval(served) for model, served in sorted(entry.models.items())},
        subdivision=entry.subdivision,
        certs=frozenset(entry.certs),
        rtt_s=_seconds(entry.rtt_ms),
        capacity=entry.capacity,
        quota=entry.quota,
        slo_s=_seconds(entry.slo_ms),
        needs={name: need.max_age_s for name, need in sorted(entry.needs.items())},
        recovery=None if target is None else Recovery(rto_s=target.rto_s, rpo_records=target.rpo_records),
    )


def _approval(served: ServedModel) -> Approval:
    return Approval(version=served.version, digest=served.digest, slo_s=_seconds(served.slo_ms))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _tenants(
    document: PolicyDocument, regions: list[RegionId], profile_of: Mapping[TenantId, int]
) -> Mapping[TenantId, Tenant]:
    masks: dict[tuple[str, ...] | None, RegionMask] = {}

    def allowed(entry: TenantEntry) -> RegionMask:
        if entry.allow not in masks:
            masks[entry.allow] = mask_of([_is_allowed(entry, region) for region in regions])
        return masks[entry.allow]

    return {
        id_: Tenant(
            id=id_,
            data_class=entry.data_class,
            exporter=entry.exporter,
            allowed=allowed(entry),
            profile=profile_of[id_],
            references={name: declared.reference for name, declared in entry.mechanisms.items() if declared.reference},
        )
        for id_, entry in sorted(document.tenants.items())
    }


def _is_allowed(entry: TenantEntry, region: RegionId) -> bool:
    return entry.allow is None or any(fnmatchcase(region, pattern) for pattern in entry.allow)


def _models(document: PolicyDocument, regions: tuple[Region, ...]) -> Mapping[ModelId, Model]:
    names = sorted({model for region in regions for model in region.models})
    entries = document.models
    return {
        model: Model(
            serving=mask_of([model in region.models for region in regions]),
            data_class=entries[model].data_class if model in entries else None,
        )
        for model in names
    }


def _epochs(
    days: list[RulesOfDay], profiles: list[Profile], regions: list[RegionId], places: list[Jurisdiction]
) -> tuple[Epoch, ...]:
    ends_s = [*(midnight_s(rules.day) for rules in days[1:]), inf]
    rulings = rulings_of(days, profiles, regions, places)
    return tuple(
        Epoch(
            starts_s=midnight_s(rules.day),
            ends_s=end_s,
            profiles=of_day,
            residency={
                model: mask_of(rules.allowed(entry.resident_in, regions))
                for model, entry in sorted(rules.document.models.items())
                if entry.resident_in is not None
            },
            reach=reach_of(rules, regions, places),
            redirects=redirects_of(rules, places),
        )
        for rules, of_day, end_s in zip(days, rulings, ends_s, strict=True)
    )


def _may_replace(document: PolicyDocument) -> Mapping[Source, frozenset[Source]]:
    signals = document.signals
    said = {Source.TENANT: signals.tenant, Source.JWT: signals.jwt}
    return {
        source: frozenset(signal.may_replace)
        for source, signal in said.items()
        if signal is not None and signal.may_replace
    }
