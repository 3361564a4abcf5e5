# ruff: noqa: D401 - the docstring of a check says why it matters
"""Geolocation: how old the database is, and whether it can tell what the policy asks of it."""

from collections.abc import Iterator
from typing import Final

from extproc.policy.compile.epochs import is_subdivision, midnight_s, subjects_named
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed, plural

_DAY_S: Final = 86_400
_OLD_DAYS: Final = 30
"""Vendors release each week or month: a database of more than a month missed at least one release."""


@check("geo-database-old", Level.WARNING, "the geolocation database is more than 30 days old")
def geo_database_old(matter: Matter) -> Iterator[Found]:
    """Networks change hands: an address that moved last month is judged by the law of where it was.

    Vendors' licences ask for the current release too.
    """
    days, limit = _age_days(matter), _limit_days(matter)
    if days is not None and days > _OLD_DAYS and (limit is None or days <= limit):
        message = f"the database was built {plural(days, 'day')} ago"
        yield Found(matter.places("signals", "geoip"), message, "fetch the current release")


@check("geo-database-useless", Level.ERROR, "the geolocation database is older than the policy lets it be")
def geo_database_useless(matter: Matter) -> Iterator[Found]:
    """Past `max_age_days` a database places nobody: every request whose place it should tell is refused."""
    days, limit = _age_days(matter), _limit_days(matter)
    if days is not None and limit is not None and days > limit:
        yield Found(
            matter.places("signals", "geoip", "max_age_days"),
            f"the database was built {plural(days, 'day')} ago, and {limit} are allowed",
            "fetch the current release",
        )


@check(
    "geo-without-subdivisions", Level.WARNING, "a regime is for a subdivision, and the database knows countries only"
)
def geo_without_subdivisions(matter: Matter) -> Iterator[Found]:
    """A request that is located no better than Canada is not governed by a regime for Québec: the stricter law is lost.

    Only a token or a header could name the subdivision, and a header only narrows.
    """
    if matter.geo is None or "country" not in matter.geo.database_type.lower():
        return
    for regime in matter.document.regimes:
        named = {name for territory in subjects_named(regime.when) for name in territory}
        codes = {
            str(member.code) for name, zone in matter.document.zones.items() if name in named for member in zone.members
        }
        parts = [code for code in named | codes if is_subdivision(code) and code[:2] not in named | codes]
        if parts:
            yield Found(
                matter.places("regimes", regime.id, "when"),
                f"{regime.id} governs {listed(parts)}, and a {matter.geo.database_type} database locates countries",
                f"use a database of cities, or write the regime for {listed(code[:2] for code in parts)}",
            )


@check("geo-without-max-age", Level.NOTE, "the policy sets no limit to the age of its geolocation database")
def geo_without_max_age(matter: Matter) -> Iterator[Found]:
    """An update job that fails silently leaves an old database in use for ever. With a limit it fails loudly."""
    geoip = matter.document.signals.geoip
    if geoip is not None and geoip.max_age_days is None:
        yield Found(
            matter.places("signals", "geoip"),
            "a geolocation database of any age is believed",
            "add 'max_age_days: 45', or watch its age",
        )


def _age_days(matter: Matter) -> int | None:
    """Give the whole days since the database was built; None without one, or where the policy does not look at it."""
    if matter.geo is None or matter.document.signals.geoip is None:
        return None
    return int((midnight_s(matter.today) - matter.geo.build_epoch) // _DAY_S)


def _limit_days(matter: Matter) -> int | None:
    geoip = matter.document.signals.geoip
    return None if geoip is None else geoip.max_age_days
