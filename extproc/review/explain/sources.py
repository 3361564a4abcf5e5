"""Where the place and the class of a request come from, and which signals count."""

from typing import Final, assert_never

from extproc.core.facts import RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction
from extproc.core.tables import ConflictMode, PolicyTables
from extproc.policy.compile import CompiledPolicy
from extproc.policy.document import AnonymousMatch, CaseInput, ClaimMatch, HostMatch, Match, SpiffeMatch
from extproc.review.explain.model import ClassNote, SignalNote
from extproc.review.words import joined, place_in_words

_SOURCES: Final = {
    Source.TENANT: "the tenant's own statement of where its data subjects are",
    Source.JWT: "the verified token's claim",
    Source.GEOIP: "the client's address",
    Source.GEOIP_REGISTERED: "the country in which the address's network is registered",
    Source.GEOIP_REPRESENTED: "the country that the network's users represent",
    Source.HEADER: "the header that the client sent, which nobody has verified",
}

_UNREAD: Final = {
    Source.JWT: "the policy reads no claim of residency, so the claim counts for nothing",
    Source.HEADER: "the policy reads no declared jurisdiction, so the header counts for nothing",
    Source.GEOIP: "the policy looks at no addresses, so the address counts for nothing",
}


def bound_by(match: Match) -> str:
    """Say by what a request is bound to its tenant."""
    match match:
        case ClaimMatch():
            return f"the verified token's claim {match.claim} = {match.equals}"
        case SpiffeMatch():
            return f"the client's certificate, SPIFFE id {match.id}"
        case HostMatch():
            return f"the host {match.host}, which whoever connects may choose"
        case AnonymousMatch():
            return "presenting no credentials at all"
    assert_never(match)


def signals_of(compiled: CompiledPolicy, facts: RequestFacts, given: CaseInput) -> tuple[SignalNote, ...]:
    """List the signals, strongest first, with what became of each; then what was given and is not read."""
    ordered = sorted(facts.signals, key=lambda signal: signal.tier)
    notes = [_signal(signal, facts, compiled.tables) for signal in ordered]
    read = {signal.source for signal in facts.signals}
    for source, tier, place in (
        (Source.JWT, Tier.VERIFIED_CLAIM, given.jwt),
        (Source.GEOIP, Tier.TRUSTED_EDGE, given.geoip),
        (Source.HEADER, Tier.UNAUTHENTICATED, given.header),
    ):
        if place is not None and source not in read:
            notes.append(SignalNote(source=source, tier=tier, jurisdiction=place, counts=False, words=_UNREAD[source]))
    return tuple(notes)


def classes_of(compiled: CompiledPolicy, classes: tuple[DataClass, ...], facts: RequestFacts) -> tuple[ClassNote, ...]:
    """List the classes under which the request is judged, with all that each comes from."""
    tables = compiled.tables
    tenant = None if facts.tenant is None else tables.tenants.get(facts.tenant)
    model = None if facts.model is None else tables.models.get(facts.model)
    notes = []
    for name in classes:
        sources = []
        if tenant is not None and tenant.data_class == name:
            sources.append("the tenant's own")
        if model is not None and model.data_class == name:
            sources.append(f"borne by every request to the model {facts.model}")
        if any(signal.data_class == name for signal in facts.classes):
            sources.append("declared by the request")
        unregulated = name in tables.unregulated
        words = joined(sources) + ("; the policy marks it unregulated, so no regime governs it" if unregulated else "")
        notes.append(ClassNote(data_class=name, words=words, unregulated=unregulated))
    return tuple(notes)


def _signal(signal: Signal, facts: RequestFacts, tables: PolicyTables) -> SignalNote:
    source = _SOURCES[signal.source]
    against = _replaced_by(signal, facts, tables)
    if against is not None:
        counts, words = False, f"{source}; {against}"
    elif signal.jurisdiction is None and tables.assume:
        places = joined(place_in_words(place) for place in tables.assume)
        counts, words = True, f"{source}, which is not known; the policy assumes {places} then, and records that it did"
    elif signal.jurisdiction is None:
        counts, words = True, f"{source}, which is not known; the policy does not guess, so nothing is decided"
    else:
        beside = "" if signal.source.stands_alone else "; it counts beside the others and can only narrow"
        counts, words = True, source + beside
    return SignalNote(
        source=signal.source, tier=signal.tier, jurisdiction=signal.jurisdiction, counts=counts, words=words
    )


def _replaced_by(signal: Signal, facts: RequestFacts, tables: PolicyTables) -> str | None:
    """Say which verified signal stands in for this one, if one does; the rules are those of tier 1."""
    known = [each for each in facts.signals if each.jurisdiction is not None and each.tier <= Tier.VERIFIED_CLAIM]
    # The strongest first: what is replaced replaces nothing, and stands against nothing.
    by: dict[Source, Source] = {}
    for each in sorted(known, key=lambda each: each.tier):
        if each.source not in by:
            by |= {source: each.source for source in tables.may_replace.get(each.source, ()) if source not in by}
    replacing = by.get(signal.source, by.get(Source.GEOIP) if signal.source.is_geolocation else None)
    if replacing is not None:
        return f"does not count, because {_SOURCES[replacing]} may replace it and does ({replacing}.may_replace)"
    verified = [each for each in known if each.source not in by]
    if tables.conflict is not ConflictMode.PREFER_VERIFIED or not signal.source.is_geolocation or not verified:
        return None
    said_places = {each.jurisdiction for each in verified}
    place = signal.jurisdiction
    # A part of a country does not contradict the country.
    if place is None or place in said_places or Jurisdiction(place[:2]) in said_places:
        return None
    said = _SOURCES[verified[0].source]
    return f"does not count, because {said} says otherwise and is verified (conflict.mode prefer_verified)"
