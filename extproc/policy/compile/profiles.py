"""Profiles: tenants that the law cannot tell apart, so that a hundred thousand of them share a few tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from extproc.core.ids import Jurisdiction, MechanismId, TenantId
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.document import (
    AllOf,
    AnyOf,
    Condition,
    ExporterIn,
    PolicyDocument,
    TenantEntry,
    TenantHas,
    TenantHasNot,
    Territory,
)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Profile:
    """The legal facts of a tenant on which rulings depend, and no others.

    `exporter` stands for all exporters that every condition sees alike; empty for none, so that profiles have an order.
    """

    exporter: str
    mechanisms: tuple[MechanismId, ...]
    attributes: tuple[str, ...]


def profiles_of(document: PolicyDocument, days: list[RulesOfDay]) -> tuple[list[Profile], Mapping[TenantId, int]]:
    """Give the distinct profiles, sorted, and the index of each tenant's."""
    asked = sorted({territory for regime in document.regimes for territory in _exporters_named(regime.when)})
    attributes = {name for regime in document.regimes for name in _attributes_named(regime.when)}
    enabling = {
        permit.enabled_by for regime in document.regimes for permit in regime.permits if permit.enabled_by is not None
    }
    alike: dict[tuple[bool, ...], str] = {}
    standing: dict[Jurisdiction, str] = {}
    exporters = {tenant.exporter for tenant in document.tenants.values() if tenant.exporter is not None}
    for exporter in sorted(exporters):
        seen = tuple(day.contains(territory, exporter) for day in days for territory in asked)
        standing[exporter] = alike.setdefault(seen, exporter)

    def profile(tenant: TenantEntry) -> Profile:
        return Profile(
            exporter="" if tenant.exporter is None else standing[tenant.exporter],
            mechanisms=tuple(sorted(enabling.intersection(tenant.mechanisms))),
            attributes=tuple(sorted(attributes.intersection(tenant.attributes))),
        )

    by_tenant = {id_: profile(tenant) for id_, tenant in document.tenants.items()}
    profiles = sorted(set(by_tenant.values()))
    index = {found: i for i, found in enumerate(profiles)}
    return profiles, {id_: index[found] for id_, found in by_tenant.items()}


def _exporters_named(condition: Condition) -> Iterator[Territory]:
    match condition:
        case ExporterIn():
            yield condition.exporter_in
        case AnyOf(any=parts) | AllOf(all=parts):
            for part in parts:
                yield from _exporters_named(part)
        case _:
            pass


def _attributes_named(condition: Condition) -> Iterator[str]:
    match condition:
        case TenantHas(tenant_has=names) | TenantHasNot(tenant_has_not=names):
            yield from names
        case AnyOf(any=parts) | AllOf(all=parts):
            for part in parts:
                yield from _attributes_named(part)
        case _:
            pass
