"""Recorded facts as another policy reads them, and the facts that it reads and the record does not have."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from extproc.core.facts import ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.georules import GeoRules
from extproc.core.reading import Reading
from extproc.policy.canonical import format_canonical
from extproc.policy.compile import CompiledPolicy
from extproc.review.words import joined

Written: TypeAlias = Mapping[str, Any]
"""A policy in its canonical form, as plain data: what a log keeps of the policy that decided."""


def facts_for(facts: RequestFacts, reading: Reading) -> RequestFacts:
    """Leave out what the policy does not read, and let it say itself where the tenant's data subjects are.

    What the edge found wrong with the request stays wrong with it.
    """
    signals = [signal for signal in facts.signals if _reads(reading, signal.source)]
    subjects = None if facts.tenant is None else reading.bindings.subjects.get(facts.tenant)
    if subjects is not None:
        signals.insert(0, Signal(source=Source.TENANT, tier=Tier.TENANT_BINDING, jurisdiction=subjects))
    read = {ClassSource.HEADER: reading.class_header, ClassSource.PAYLOAD: reading.payload}
    classes = tuple(signal for signal in facts.classes if read[signal.source] is not None)
    return replace(facts, signals=tuple(signals), classes=classes)


def _reads(reading: Reading, source: Source) -> bool:
    geo = reading.geo
    return {
        Source.TENANT: False,  # its own word for it comes in the place of the recorded one
        Source.JWT: reading.residency_claim is not None,
        Source.GEOIP: geo is not None,
        Source.GEOIP_REGISTERED: geo is not None and geo.registered,
        Source.GEOIP_REPRESENTED: geo is not None and geo.represented,
        Source.HEADER: reading.jurisdiction_header is not None,
    }[source]


def missing_facts(live: Written | None, other: CompiledPolicy) -> tuple[str, ...]:
    """Say which facts the other policy reads that were not recorded under the live one.

    `live` is None where the log does not keep the policy that decided.
    """
    if live is None:
        return ("nobody can tell: the log does not keep the policy that decided",)
    return (*_of_signals(live, other), *_of_edge(live, other), *_of_names(live, other))


def _of_signals(live: Written, other: CompiledPolicy) -> Iterator[str]:
    reading = other.reading
    signals = live.get("signals", {})
    for what, wanted, had in (
        ("the claim", reading.residency_claim, signals.get("jwt", {}).get("claim")),
        ("the header", reading.jurisdiction_header, signals.get("header", {}).get("name")),
        ("the class header", reading.class_header, signals.get("class_header")),
    ):
        if wanted is not None and wanted != had:
            read = f"{had} was read instead" if had else "none was read"
            yield f"{what} {wanted}: {read}"
    geo = signals.get("geoip")
    if reading.geo is not None:
        yield from ["where addresses are: no address was looked up"] if geo is None else _of_geo(geo, reading.geo)
    if reading.payload is not None:
        had = signals.get("payload")
        if had is None:
            yield "what is in payloads: none was looked at"
        elif had != canonical_form(other)["signals"]["payload"]:
            yield "what is in payloads: they were looked at by other rules"


def _of_geo(live: Written, wanted: GeoRules) -> Iterator[str]:
    if wanted.registered and not live.get("registered"):
        yield "where networks are registered: it was not looked up"
    if wanted.represented and not live.get("represented"):
        yield "whom networks represent: it was not looked up"
    if wanted.locate_anonymous != bool(live.get("locate_anonymous")):
        yield "where anonymising networks are: they were taken in the other way"
    limit = None if wanted.max_age_s is None else round(wanted.max_age_s / 86_400)
    if limit != live.get("max_age_days"):
        yield "how old the database was: another limit held"


def _of_edge(live: Written, other: CompiledPolicy) -> Iterator[str]:
    hops, trusted = live.get("ingress", {}).get("trusted_hops"), other.reading.trusted_hops
    if hops != trusted:
        yield f"which address is the client's: {hops} proxies were trusted, and this policy trusts {trusted}"


def _of_names(live: Written, other: CompiledPolicy) -> Iterator[str]:
    """Name what the live policy did not know, which is never recorded, and what it bound in another way."""
    mine = canonical_form(other)
    known: dict[str, Any] = live.get("tenants", {})
    moved = sorted(
        name for name, entry in mine["tenants"].items() if name in known and entry["match"] != known[name]["match"]
    )
    if moved:
        yield f"how requests are matched to {joined(moved)}: they were matched in another way"
    models = {model for region in live.get("regions", {}).values() for model in region.get("models", {})}
    for what, names in (
        ("tenant", set(mine["tenants"]) - set(known)),
        ("model", set(other.tables.models) - models),
        ("class", set(map(str, other.tables.classes)) - set(live.get("classes", []))),
    ):
        if names:
            plural = "classes" if what == "class" else f"{what}s"
            yield f"{what if len(names) == 1 else plural} {joined(sorted(names))}: not known then, so not recorded"


def canonical_form(compiled: CompiledPolicy) -> Written:
    """Give the policy in the form that logs keep."""
    whole: dict[str, Any] = json.loads(format_canonical(compiled.document))
    document: dict[str, Any] = whole["document"]
    return document
