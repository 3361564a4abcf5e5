"""The way in: one policy, all checks."""

from datetime import date

from extproc.policy.compile import CompiledPolicy
from extproc.review.lint.finding import Finding
from extproc.review.lint.matter import GeoIdentityLike, Matter, OrderFile
from extproc.review.lint.places import PlaceOf
from extproc.review.lint.registry import CHECKS

DUE_WITHIN_DAYS = 30
"""How many days ahead `due` looks unless told otherwise: time enough for a review by people with other work."""


def lint(  # noqa: PLR0913 - what is looked at, each part by name
    compiled: CompiledPolicy,
    places: PlaceOf,
    *,
    today: date,
    geo: GeoIdentityLike | None = None,
    due_within_days: int = DUE_WITHIN_DAYS,
    overrides: OrderFile | None = None,
) -> tuple[Finding, ...]:
    """Look for everything that a careful lawyer or operator would mend, as of `today` in UTC.

    `geo` is the database that the sidecar uses and `overrides` its override file, where they are at hand. Findings come
    in the order of the file; at one place the gravest first.
    """
    matter = Matter(compiled, places, today=today, geo=geo, due_within_days=due_within_days, overrides=overrides)
    found = [
        Finding(id=check.id, level=check.level, place=one.place, message=one.message, mend=one.mend)
        for check in CHECKS
        for one in check.look(matter)
    ]
    return tuple(sorted(found, key=lambda each: (each.place, each.level.rank, each.id, each.message)))
