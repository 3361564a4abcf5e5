"""Time cut into spans in which no rule begins or ends, and the places that rules can tell apart."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from extproc.core.ids import Jurisdiction
from extproc.core.iso3166 import COUNTRIES
from extproc.policy.document import (
    AllOf,
    AnyOf,
    Condition,
    PermitEntry,
    PolicyDocument,
    SubjectIn,
    Territory,
    ZoneId,
    ZoneMember,
)


def starts_of(document: PolicyDocument) -> list[date]:
    """List the first day of each epoch.

    The first epoch starts with the policy: before `as_of` there is none, so those requests are refused. The last has
    no end: a policy past its `review_by` stays in force.
    """
    dated: list[PermitEntry | ZoneMember] = [
        *(permit for regime in document.regimes for permit in regime.permits),
        *(member for zone in document.zones.values() for member in zone.members),
    ]
    begins = {entry.valid_from for entry in dated if entry.valid_from is not None}
    ended = {entry.valid_until + timedelta(days=1) for entry in dated if entry.valid_until is not None}
    first = document.identity.as_of
    return [first, *sorted(day for day in begins | ended if day > first)]


def jurisdictions_of(document: PolicyDocument) -> list[Jurisdiction]:
    """List every country, and every subdivision that the policy could single out."""
    named: set[str] = set()
    for territory in _territories(document):
        for name in territory:
            zone = document.zones.get(ZoneId(name))
            named.update({name} if zone is None else (member.code for member in zone.members))
    return sorted(Jurisdiction(code) for code in COUNTRIES | {code for code in named if is_subdivision(code)})


def is_subdivision(name: str) -> bool:
    """Tell a subdivision's code from a country's and from a zone's name, which holds no hyphen."""
    return "-" in name


def midnight_s(day: date) -> float:
    """Give the Unix seconds of the beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC).timestamp()


def _territories(document: PolicyDocument) -> Iterator[Territory]:
    """List the territories that jurisdictions of requests are held against."""
    for regime in document.regimes:
        yield from subjects_named(regime.when)
    yield from (shard.subjects for shard in document.deployment.shards)
    yield from ((place,) for place in document.ingress.redirect_hosts)


def subjects_named(condition: Condition) -> Iterator[Territory]:
    """List the territories that a condition holds the subject against."""
    match condition:
        case SubjectIn():
            yield condition.subject_in
        case AnyOf(any=parts) | AllOf(all=parts):
            for part in parts:
                yield from subjects_named(part)
        case _:
            pass
