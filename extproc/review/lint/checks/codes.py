# ruff: noqa: D401 - the docstring of a check says why it matters
"""Codes of places. Countries are checked by the parser; whether a subdivision exists takes a list of all of them."""

from collections.abc import Iterator
from typing import TypeAlias

from extproc.policy.document import PolicyDocument
from extproc.policy.zones import BUILTIN_ZONES
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.territories import named_by, named_in
from extproc.review.words.subdivisions import mend_of_subdivision

_Path: TypeAlias = tuple[str | int, ...]


@check("unknown-subdivision", Level.ERROR, "a subdivision's code is in no list of ISO 3166-2")
def unknown_subdivision(matter: Matter) -> Iterator[Found]:
    """A rule for a place that does not exist governs nobody, and a region in one is covered by no permit.

    The parser checks the form of such a code only (`CA-QU` looks as good as `CA-QC`), because the list changes more
    often than this program is released. If a code is right and this says otherwise, update `pycountry`.
    """
    for path, code in dict.fromkeys(_codes(matter.document)):
        mend = mend_of_subdivision(code)
        if mend is not None:
            yield Found(matter.places(*path, word=code), f"there is no subdivision {code}", mend)


def _codes(document: PolicyDocument) -> Iterator[tuple[_Path, str]]:
    """List the codes and names of places that a policy writes, each with where."""
    for zone, entry in document.zones.items():
        if entry is not BUILTIN_ZONES.get(zone):
            yield from ((("zones", zone), member.code) for member in entry.members)
    for region, place in document.regions.items():
        yield ("regions", region, "subdivision"), place.subdivision or ""
    for model, about in document.models.items():
        yield from ((("models", model, "resident_in"), name) for name in about.resident_in or ())
    for regime in document.regimes:
        at: _Path = ("regimes", regime.id)
        yield from (((*at, "when"), name) for name in named_by(regime.when))
        for permit in regime.permits:
            yield from (((*at, "permits", permit.id, "to"), name) for name in named_in(permit.to))
    for tenant, party in document.tenants.items():
        for field, names in (
            ("exporter", (party.exporter or "",)),
            ("subjects", (party.subjects or "",)),
            ("expects", party.expects or ()),
        ):
            yield from ((("tenants", tenant, field), name) for name in names)
    yield from _elsewhere(document)


def _elsewhere(document: PolicyDocument) -> Iterator[tuple[_Path, str]]:
    if document.signals.geoip is not None:
        yield from ((("signals", "geoip", "unknown"), name) for name in document.signals.geoip.assume)
    for i, shard in enumerate(document.deployment.shards):
        yield from ((("deployment", "shards", i), name) for name in shard.subjects)
    yield from ((("ingress", "redirect_hosts"), name) for name in document.ingress.redirect_hosts)
    for case in document.tests:
        given = case.given
        yield from ((("tests", case.name, "in"), str(name)) for name in (given.geoip, given.jwt, given.header) if name)
