"""Whose law claims the data: which signals count, as a table."""

from collections.abc import Mapping

import pytest
from support.tables import TIERS

from extproc.core.facts import Binding, RequestFacts, Signal, Source
from extproc.core.ids import Jurisdiction, PolicyRevision, RegionId
from extproc.core.jurisdiction import Jurisdictions, Undecided, jurisdictions_of
from extproc.core.reasons import Refusal
from extproc.core.tables import ConflictMode, PolicyTables

_NAMES = {
    "tenant": Source.TENANT,
    "jwt": Source.JWT,
    "geo": Source.GEOIP,
    "registered": Source.GEOIP_REGISTERED,
    "represented": Source.GEOIP_REPRESENTED,
    "header": Source.HEADER,
}
_TENANT_REPLACES_GEO = {Source.TENANT: frozenset({Source.GEOIP})}
_JWT_REPLACES_GEO = {Source.JWT: frozenset({Source.GEOIP})}
_CHAIN = {Source.TENANT: frozenset({Source.JWT}), Source.JWT: frozenset({Source.GEOIP})}
_PREFER, _DENY = ConflictMode.PREFER_VERIFIED, ConflictMode.DENY
_UNKNOWN, _CONFLICT = Refusal.UNKNOWN_JURISDICTION, Refusal.CONFLICTING_SIGNALS


def _of(
    said: str, may_replace: Mapping[Source, frozenset[Source]], conflict: ConflictMode, assume: str
) -> Jurisdictions:
    """Ask for signals such as `jwt=DE geo=?`."""
    pairs = [pair.split("=") for pair in said.split()]
    signals = tuple(
        Signal(
            source=_NAMES[name],
            tier=TIERS[_NAMES[name]],
            jurisdiction=None if place == "?" else Jurisdiction(place),
        )
        for name, place in pairs
    )
    policy = PolicyTables(
        id="p",
        version=1,
        revision=PolicyRevision("sha256:0"),
        ingress_region=RegionId("r0"),
        regions=(),
        classes=frozenset(),
        tenants={},
        models={},
        epochs=(),
        may_replace=may_replace,
        conflict=conflict,
        assume=tuple(map(Jurisdiction, assume.split())),
    )
    facts = RequestFacts(tenant=None, binding=Binding.NONE, model=None, classes=(), signals=signals)
    return jurisdictions_of(facts, policy)


@pytest.mark.parametrize(
    ("said", "may_replace", "conflict", "assume", "expected"),
    [
        # All that is said counts.
        ("geo=DE", {}, ConflictMode.INTERSECT, "", "DE"),
        ("geo=DE header=US", {}, ConflictMode.INTERSECT, "", "DE US"),
        ("jwt=FR geo=DE header=US", {}, ConflictMode.INTERSECT, "", "DE FR US"),
        ("geo=DE registered=US represented=AE", {}, ConflictMode.INTERSECT, "", "AE DE US"),
        ("tenant=FR geo=DE", {}, ConflictMode.INTERSECT, "", "DE FR"),
        # Something verified replaces what the policy lets it replace; further countries of an address go with it.
        ("jwt=FR geo=DE", _JWT_REPLACES_GEO, ConflictMode.INTERSECT, "", "FR"),
        ("jwt=FR geo=?", _JWT_REPLACES_GEO, ConflictMode.INTERSECT, "", "FR"),
        ("jwt=FR geo=DE registered=US represented=AE", _JWT_REPLACES_GEO, ConflictMode.INTERSECT, "", "FR"),
        ("jwt=FR geo=DE header=US", _JWT_REPLACES_GEO, ConflictMode.INTERSECT, "", "FR US"),
        ("tenant=FR geo=DE", _TENANT_REPLACES_GEO, ConflictMode.INTERSECT, "", "FR"),
        ("tenant=FR jwt=DE geo=US", _CHAIN, ConflictMode.INTERSECT, "", "FR US"),
        ("jwt=DE geo=US", _CHAIN, ConflictMode.INTERSECT, "", "DE"),
        # Where it is assumed where an unknown address is, that is said of it.
        ("geo=?", {}, ConflictMode.INTERSECT, "DE FR", "DE FR assumed"),
        ("geo=? header=US", {}, ConflictMode.INTERSECT, "DE", "DE US assumed"),
        ("jwt=FR geo=?", _JWT_REPLACES_GEO, ConflictMode.INTERSECT, "DE", "FR"),
        ("geo=FR", {}, ConflictMode.INTERSECT, "DE", "FR"),
        # Against something verified a known address that differs does not stand; everything else does.
        ("jwt=FR geo=DE", {}, _PREFER, "", "FR"),
        ("jwt=FR geo=FR", {}, _PREFER, "", "FR"),
        ("jwt=FR geo=DE registered=US", {}, _PREFER, "", "FR"),
        ("jwt=FR geo=DE header=US", {}, _PREFER, "", "FR US"),
        ("tenant=US jwt=FR geo=FR", {}, _PREFER, "", "FR US"),
        ("tenant=DE jwt=US geo=US", {Source.TENANT: frozenset({Source.JWT})}, _PREFER, "", "DE"),
        ("geo=DE registered=US", {}, _PREFER, "", "DE US"),
        ("jwt=FR geo=?", {}, _PREFER, "DE", "DE FR assumed"),
        # A part of what was said does not contradict it, and its law counts.
        ("jwt=CA geo=CA-QC", {}, _PREFER, "", "CA CA-QC"),
        ("jwt=CA-QC geo=CA", {}, _PREFER, "", "CA-QC"),
        ("geo=CA header=CA-QC", {}, _DENY, "", "CA CA-QC"),
        # Only what is stated can be in conflict.
        ("jwt=FR geo=FR header=FR", {}, _DENY, "", "FR"),
        ("jwt=FR geo=DE", _JWT_REPLACES_GEO, _DENY, "", "FR"),
        ("geo=DE registered=US represented=AE", {}, _DENY, "", "AE DE US"),
        ("jwt=FR geo=?", {}, _DENY, "DE", "DE FR assumed"),
    ],
)
def test_what_counts(
    said: str, may_replace: Mapping[Source, frozenset[Source]], conflict: ConflictMode, assume: str, expected: str
) -> None:
    found = _of(said, may_replace, conflict, assume)
    assert " ".join([*found.names, *(["assumed"] if found.assumed else [])]) == expected


@pytest.mark.parametrize(
    ("said", "may_replace", "conflict", "assume", "refusal"),
    [
        ("", {}, ConflictMode.INTERSECT, "DE", _UNKNOWN),
        ("geo=?", {}, ConflictMode.INTERSECT, "", _UNKNOWN),
        ("header=DE", {}, ConflictMode.INTERSECT, "DE", _UNKNOWN),
        ("registered=DE represented=DE", {}, ConflictMode.INTERSECT, "DE", _UNKNOWN),
        ("geo=? header=DE", {}, ConflictMode.INTERSECT, "", _UNKNOWN),
        ("geo=? registered=DE", {}, ConflictMode.INTERSECT, "", _UNKNOWN),
        ("jwt=? geo=DE", {}, ConflictMode.INTERSECT, "DE", _UNKNOWN),
        ("jwt=? geo=DE", _JWT_REPLACES_GEO, ConflictMode.INTERSECT, "", _UNKNOWN),
        ("jwt=FR geo=?", {}, ConflictMode.INTERSECT, "", _UNKNOWN),
        ("jwt=FR geo=?", {}, _PREFER, "", _UNKNOWN),
        # What is replaced does not count, so it replaces nothing.
        ("tenant=FR jwt=FR geo=?", _CHAIN, ConflictMode.INTERSECT, "", _UNKNOWN),
        ("jwt=FR geo=DE", {}, _DENY, "", _CONFLICT),
        ("geo=CA-QC header=CA-ON", {}, _DENY, "", _CONFLICT),
        ("jwt=FR geo=? header=US", {}, _DENY, "DE", _CONFLICT),
    ],
)
def test_what_cannot_be_told(
    said: str, may_replace: Mapping[Source, frozenset[Source]], conflict: ConflictMode, assume: str, refusal: Refusal
) -> None:
    with pytest.raises(Undecided) as caught:
        _of(said, may_replace, conflict, assume)
    assert caught.value.refusal is refusal


def test_the_sources_of_each_kind() -> None:
    assert {source for source in Source if source.is_geolocation} == {
        Source.GEOIP,
        Source.GEOIP_REGISTERED,
        Source.GEOIP_REPRESENTED,
    }
    assert {source for source in Source if source.stands_alone} == {Source.TENANT, Source.JWT, Source.GEOIP}
