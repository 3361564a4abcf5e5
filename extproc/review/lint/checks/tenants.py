# ruff: noqa: D401 - the docstring of a check says why it matters
"""Tenants: whether a request can be bound to each, and whether what it says of itself is heard."""

from collections.abc import Iterator
from typing import Final, assert_never

from extproc.core.ids import Jurisdiction
from extproc.policy.document import (
    AllOf,
    AnonymousMatch,
    AnyOf,
    ClaimMatch,
    Condition,
    ExporterIn,
    HostMatch,
    SpiffeMatch,
    TenantEntry,
    Territory,
)
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed

_LONGEST_HOST: Final = 253
"""SPEC: RFC 1035 section 2.3.4 leaves a written name this many characters."""


@check("tenant-unmatchable", Level.WARNING, "no request can be bound to a tenant")
def tenant_unmatchable(matter: Matter) -> Iterator[Found]:
    """Requests that were meant for it are bound to another tenant, or to none and refused.

    A host name longer than 253 characters is no host's. A SPIFFE id without a path is a trust domain's own, and no
    workload's certificate bears it (X509-SVID section 3.1); none has `.` or `..` as a segment (SPIFFE-ID section 2.2).
    """
    for id_, tenant in matter.document.tenants.items():
        why = _unmatchable(tenant)
        if why:
            yield Found(
                matter.places("tenants", id_, "match"),
                f"no request can be bound to {id_}: {why}",
                "match it by an id that its clients really bear, such as spiffe://example.org/ns/ml/*",
            )


@check("tenant-without-place", Level.WARNING, "nothing can say whose law claims a tenant's requests")
def tenant_without_place(matter: Matter) -> Iterator[Found]:
    """Where addresses are not looked at, only a token can say it, and who presents one is never this tenant.

    So each of its requests is refused as of unknown jurisdiction.
    """
    signals = matter.document.signals
    tenants = matter.document.tenants
    claimed = any(isinstance(tenant.match, ClaimMatch) for tenant in tenants.values())
    for id_, tenant in tenants.items():
        tokenless = claimed and isinstance(tenant.match, HostMatch | AnonymousMatch)
        silent = signals.jwt is None or tokenless
        if signals.geoip is None and silent and tenant.subjects is None:
            yield Found(
                matter.places("tenants", id_, "match"),
                f"every request of {id_} is refused: no signal of this policy can say where it comes from",
                "add 'geoip:' to the signals, or say where its subjects are if it is matched by a claim or a SPIFFE id",
            )


@check("tenant-without-model", Level.WARNING, "no region that a tenant allows serves any model")
def tenant_without_model(matter: Matter) -> Iterator[Found]:
    """Each of its requests is refused, whatever the law says, while its list looks as if it served somebody."""
    for id_ in matter.document.tenants:
        if not matter.models_of(id_):
            allowed = listed(matter.names(matter.compiled.tables.tenants[id_].allowed))
            yield Found(
                matter.places("tenants", id_, "allow"),
                f"the regions that {id_} allows ({allowed}) serve no model",
                "allow a region that serves one, or approve one of these for a model",
            )


@check("bindings-compete", Level.NOTE, "credentials that name two tenants bind a request to none")
def bindings_compete(matter: Matter) -> Iterator[Found]:
    """Tenants are matched by several claims, or by certificates and by claims: a request may bear both, of two tenants.

    It is then bound to none and refused, so that nobody can choose. A SPIFFE wildcard over a whole trust domain does
    that to every token that comes over a connection from inside it.
    """
    tenants = matter.document.tenants
    claims = {match.claim for tenant in tenants.values() if isinstance(match := tenant.match, ClaimMatch)}
    spiffe = [id_ for id_, tenant in tenants.items() if isinstance(tenant.match, SpiffeMatch)]
    kinds = [*(f"jwt.{claim}" for claim in claims), *(["spiffe"] if spiffe else [])]
    if len(kinds) > 1:
        last = (spiffe or [id_ for id_, tenant in tenants.items() if isinstance(tenant.match, ClaimMatch)])[-1]
        yield Found(
            matter.places("tenants", last, "match"),
            f"tenants are matched by {listed(kinds)}: a request that bears two of them, of two tenants, is refused",
            "nothing, if no client bears both; else match all tenants by one of them",
        )


@check("exporter-ungoverned", Level.WARNING, "no regime asks for the law of a tenant's exporter")
def exporter_ungoverned(matter: Matter) -> Iterator[Found]:
    """An exporter's own law governs its data wherever the people are (GDPR Art. 3(1) and its likes).

    The tenant says where its exporter is, and no regime has an `exporter_in` that holds the place: the policy treats
    its data as if nobody exported it.
    """
    asked = [territory for regime in matter.document.regimes for territory in _exporters(regime.when)]
    for id_, tenant in matter.document.tenants.items():
        place = tenant.exporter
        if place is not None and not _held(matter, asked, place):
            yield Found(
                matter.places("tenants", id_, "exporter"),
                f"the exporter of {id_} is in {place}, and no regime asks for exporters there",
                f"add 'exporter_in: {place}' to the regime of that law, or remove 'exporter'",
            )


def _unmatchable(tenant: TenantEntry) -> str:
    match tenant.match:
        case HostMatch(host=host):
            return f"a host name has at most {_LONGEST_HOST} characters" if len(host) > _LONGEST_HOST else ""
        case SpiffeMatch(id=id_):
            _, *segments = id_.removeprefix("spiffe://").split("/")
            if not segments:
                return f"{id_} is a trust domain's own id, which no workload bears"
            return f"{id_} has a segment of dots" if {".", ".."} & set(segments) else ""
        case ClaimMatch() | AnonymousMatch():
            return ""
    assert_never(tenant.match)


def _held(matter: Matter, asked: list[Territory], place: Jurisdiction) -> bool:
    return any(day.contains(territory, place) for day in matter.days for territory in asked)


def _exporters(condition: Condition) -> Iterator[Territory]:
    match condition:
        case ExporterIn(exporter_in=territory):
            yield territory
        case AnyOf(any=parts) | AllOf(all=parts):
            for part in parts:
                yield from _exporters(part)
        case _:
            pass
