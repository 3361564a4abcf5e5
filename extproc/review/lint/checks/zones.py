# ruff: noqa: D401 - the docstring of a check says why it matters
"""Zones: lists of places that the law changes while nobody looks."""

from collections.abc import Iterator
from datetime import date

from extproc.core.ids import Jurisdiction
from extproc.policy.document import PolicyDocument, Zone, ZoneId, ZoneMember
from extproc.policy.zones import BUILTIN_ZONES
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.territories import named_by, named_in
from extproc.review.lint.words import days_until, listed
from extproc.strict_yaml import Place


@check("zone-differs-from-builtin", Level.WARNING, "a zone listed by hand differs from the built-in of its name")
def zone_differs_from_builtin(matter: Matter) -> Iterator[Found]:
    """Whoever reads `EEA` takes it for the EEA: a list under that name which lacks Norway is read wrongly by everybody.

    Dates count too: a member whose decision ends must stop counting on that day.
    """
    for name, zone in matter.document.zones.items():
        builtin = BUILTIN_ZONES.get(name)
        if builtin is None or zone.builtin:
            continue
        ours, theirs = _dated(zone), _dated(builtin)
        said = [
            f"{what} {listed(codes)}"
            for what, codes in (
                ("lacks", theirs.keys() - ours.keys()),
                ("adds", ours.keys() - theirs.keys()),
                ("has other dates for", {code for code in ours.keys() & theirs.keys() if ours[code] != theirs[code]}),
            )
            if codes
        ]
        if said:
            mend = f"write '{name}: builtin', or give the zone another name"
            yield Found(
                matter.places("zones", name), f"the zone {name} is built in, and this list {'; '.join(said)}", mend
            )


@check("zone-copied", Level.NOTE, "a zone is a copy of the built-in of its name")
def zone_copied(matter: Matter) -> Iterator[Found]:
    """A copy does not follow when the program's list does, and then it differs with nobody having changed it."""
    for name, zone in matter.document.zones.items():
        builtin = BUILTIN_ZONES.get(name)
        if builtin is not None and not zone.builtin and _dated(zone) == _dated(builtin):
            yield Found(
                matter.places("zones", name),
                f"the zone {name} lists what is built in under that name",
                f"write '{name}: builtin'",
            )


@check("zone-member-expired", Level.WARNING, "the last day of a zone's member has passed")
def zone_member_expired(matter: Matter) -> Iterator[Found]:
    """It is in the zone no more, and whoever reads the list without its dates believes that it is."""
    for zone, member, place in _members(matter):
        if member.valid_until is not None and member.valid_until < matter.today:
            when = f"{member.valid_until}, {days_until(member.valid_until, matter.today)}"
            yield Found(
                place,
                f"{member.code} left the zone {zone} after {when}",
                "remove it, or write the day to which it was prolonged and by what",
            )


@check("zone-member-due", Level.WARNING, "the last day of a zone's member is near")
def zone_member_due(matter: Matter) -> Iterator[Found]:
    """On the day after, every rule that names the zone means something else: regions fall out at midnight."""
    for zone, member, place in _members(matter):
        if member.valid_until is not None and matter.today <= member.valid_until <= matter.due:
            when = f"{member.valid_until}, {days_until(member.valid_until, matter.today)}"
            yield Found(
                place,
                f"the last day of {member.code} in the zone {zone} is {when}",
                "find out whether it is prolonged, and see with 'situs policy matrix' what follows if it is not",
            )


@check("zone-member-not-yet", Level.NOTE, "a zone's member is not in it yet")
def zone_member_not_yet(matter: Matter) -> Iterator[Found]:
    """Rules that name the zone will let data go there from that day, without anybody doing anything."""
    for zone, member, place in _members(matter):
        if member.valid_from is not None and member.valid_from > matter.today:
            message = f"{member.code} is in the zone {zone} from {member.valid_from} on"
            yield Found(place, message, "nothing, if that is meant")


@check("zone-unused", Level.NOTE, "a zone is named by nothing")
def zone_unused(matter: Matter) -> Iterator[Found]:
    """A list that nothing reads looks as if it did something, and is not kept up to date by anybody."""
    used = _names(matter.document)
    for name in matter.document.zones:
        if name not in used:
            yield Found(matter.places("zones", name), f"nothing names the zone {name}", "remove it, or use it")


def _dated(zone: Zone) -> dict[Jurisdiction, tuple[date | None, date | None]]:
    return {member.code: (member.valid_from, member.valid_until) for member in zone.members}


def _members(matter: Matter) -> Iterator[tuple[ZoneId, ZoneMember, Place]]:
    for name, zone in matter.document.zones.items():
        yield from ((name, member, matter.places("zones", name, member.code)) for member in zone.members)


def _names(document: PolicyDocument) -> set[str]:
    """Give all names of places that the policy uses; codes among them do no harm."""
    found: set[str] = set(document.ingress.redirect_hosts)
    for regime in document.regimes:
        found.update(named_by(regime.when))
        for permit in regime.permits:
            found.update(named_in(permit.to))
    for tenant in document.tenants.values():
        found.update(tenant.expects or ())
    for model in document.models.values():
        found.update(model.resident_in or ())
    for shard in document.deployment.shards:
        found.update(shard.subjects)
    return found
