# ruff: noqa: D401 - the docstring of a check says why it matters
"""Regions: whether rules can see each, and whether any request can go there."""

from collections.abc import Iterator
from dataclasses import replace

from extproc.core.ids import Jurisdiction
from extproc.policy.compile.epochs import is_subdivision
from extproc.policy.document import ANYWHERE, PermitEntry, Regime, RegionEntry
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed


@check("region-in-no-zone", Level.WARNING, "no zone holds a region's country, and no permit names it")
def region_in_no_zone(matter: Matter) -> Iterator[Found]:
    """Nobody has decided about the country: only a permit to `anywhere` reaches the region, or none at all.

    A region that was added to the catalogue and not to the zones looks served, and is not, or is by accident.
    """
    rules = matter.days[0]
    named = {
        name
        for _, permit in matter.permits
        for territory in permit.to.within
        for name in territory
        if name not in matter.document.zones and name != ANYWHERE
    }
    for id_, region in matter.document.regions.items():
        place = region.subdivision or Jurisdiction(region.country)
        zoned = any(rules.contains((name,), place) for name in matter.document.zones)
        if not zoned and place not in named and region.country not in named:
            yield Found(
                matter.places("regions", id_, "country"),
                f"no zone of the policy holds {place}, where {id_} stands, and no permit names it",
                f"add {region.country} to the zones that it belongs to",
            )


@check("region-without-subdivision", Level.WARNING, "a region does not say in which part of its country it stands")
def region_without_subdivision(matter: Matter) -> Iterator[Found]:
    """A permit names a part of the country. A region that only says the country is in no part of it.

    So no such permit covers it, and a permit that excepts a part (`not_in`) does not either.
    """
    named = {f"{regime.id}.{permit.id}": _codes_in(matter, permit) for regime, permit in matter.permits}
    parted = {name: codes for name, codes in named.items() if any(map(is_subdivision, codes))}
    for id_, region in matter.document.regions.items():
        if region.subdivision is None:
            asking = [name for name, codes in parted.items() if _tells_apart(codes, region.country)]
            if asking:
                yield Found(
                    matter.places("regions", id_, "country"),
                    f"{listed(asking)} tells parts of {region.country} apart, and {id_} does not say where it stands",
                    f"add 'subdivision:' with the ISO 3166-2 code, such as {region.country}-…",
                )


@check("region-without-operator", Level.WARNING, "a permit asks who operates a region, and it does not say")
def region_without_operator(matter: Matter) -> Iterator[Found]:
    """What is not stated is not covered: the permit would reach the region, and does not for want of one line."""
    for id_, region in matter.document.regions.items():
        if region.operator is None:
            asking = [
                f"{regime.id}.{permit.id}"
                for regime, permit in matter.permits
                if _asks_operator(permit) and _covers_but_for_operator(matter, regime, permit, region)
            ]
            if asking:
                yield Found(
                    matter.places("regions", id_),
                    f"{listed(asking)} asks who operates {id_}, and nothing says so: it does not cover it",
                    "add 'operator: {name: …, hq: …, admin_from: […]}'",
                )


@check("region-never-permitted", Level.WARNING, "no request is ever permitted in a region")
def region_never_permitted(matter: Matter) -> Iterator[Found]:
    """It is in the catalogue, in Envoy's clusters and on the bill, and no law, tenant and model together lead there.

    Looked at are all tenants with their own class, all places and models, now and later, without any order.
    """
    reached = matter.reached
    for id_, region in matter.document.regions.items():
        index = matter.compiled.tables.index[id_]
        if region.models and not reached >> index & 1:
            yield Found(
                matter.places("regions", id_),
                f"no request of any tenant is ever permitted in {id_}",
                "see with 'situs policy explain' what excludes it, or remove the region",
            )


@check("region-serves-nothing", Level.NOTE, "a region is approved for no model")
def region_serves_nothing(matter: Matter) -> Iterator[Found]:
    """Nothing can be routed there. A region that only receives requests, as some sidecar's ingress, is meant so."""
    for id_, region in matter.document.regions.items():
        if not region.models and id_ != matter.document.ingress.region:
            yield Found(
                matter.places("regions", id_, "models"),
                f"{id_} is approved for no model",
                "nothing, if it only receives requests",
            )


@check("quota-below-capacity", Level.WARNING, "a region may be used less than it is believed to serve well")
def quota_below_capacity(matter: Matter) -> Iterator[Found]:
    """What one sidecar may have there at most is less than what it begins with, so the capacity says nothing.

    One of the two numbers is likely that of all sidecars together.
    """
    for id_, region in matter.document.regions.items():
        if region.quota is not None and region.capacity is not None and region.quota < region.capacity:
            yield Found(
                matter.places("regions", id_, "quota"),
                f"{id_} has a quota of {region.quota} requests in flight and a capacity of {region.capacity}",
                "write both for one sidecar, or leave the capacity out",
            )


@check("slo-below-rtt", Level.WARNING, "a latency is promised that the way there alone takes")
def slo_below_rtt(matter: Matter) -> Iterator[Found]:
    """Every request misses such a promise: the region is counted as failing, and may be left last for it."""
    for id_, region in matter.document.regions.items():
        promised: list[tuple[tuple[str, ...], float | None]] = [(("slo_ms",), region.slo_ms)]
        promised += [(("models", name, "slo_ms"), served.slo_ms) for name, served in region.models.items()]
        for path, slo_ms in promised:
            if slo_ms is not None and region.rtt_ms is not None and slo_ms <= region.rtt_ms:
                yield Found(
                    matter.places("regions", id_, *path),
                    f"{id_} promises an answer in {slo_ms:g} ms, and the way there and back takes {region.rtt_ms:g} ms",
                    "promise more than the round trip, or mend 'rtt_ms'",
                )


def _codes_in(matter: Matter, permit: PermitEntry) -> set[str]:
    """Give the codes that a permit's destination names, by themselves or in a zone."""
    names = {name for territory in (*permit.to.within, permit.to.not_in) for name in territory}
    zones = (zone for id_, zone in matter.document.zones.items() if id_ in names)
    return names | {str(member.code) for zone in zones for member in zone.members}


def _tells_apart(codes: set[str], country: str) -> bool:
    """Tell whether parts of a country are named, and not all of it."""
    return country not in codes and any(code.startswith(f"{country}-") for code in codes)


def _asks_operator(permit: PermitEntry) -> bool:
    return permit.to.operator_in is not None or bool(permit.to.operator_not_in)


def _covers_but_for_operator(matter: Matter, regime: Regime, permit: PermitEntry, region: RegionEntry) -> bool:
    """Tell whether the permit covers the region but for what it asks of the operator, and no other one does."""
    to = permit.to
    without = replace(to, operator_in=None, operator_not_in=())
    others = [other for other in regime.permits if other is not permit and not _asks_operator(other)]
    return any(
        day.covers(without, region) and not any(day.covers(other.to, region) for other in others) for day in matter.days
    )
