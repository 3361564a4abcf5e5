# ruff: noqa: D401 - the docstring of a check says why it matters
"""Days: what has to be looked at again, and what begins or ends.

A permit without `as_of` or `review_by` has the policy's, which are required, so their absence alone is no fault: what
is held against the calendar is the day that holds. That nobody wrote one of its own is a note, where it matters.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from extproc.policy.document import PermitEntry, Regime
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import days_until, listed, plural
from extproc.strict_yaml import Place

_STALE: Final = timedelta(days=365)
"""How long a citation may go unchecked: law that nobody looked at for a year may have been amended twice."""

_REVIEW: Final = "review it, and write the next day"


@check("policy-review-overdue", Level.WARNING, "the policy's review_by has passed")
def policy_review_overdue(matter: Matter) -> Iterator[Found]:
    """The policy stays in force after it, because an outage on a date is no review: so only this says so."""
    day = matter.document.identity.review_by
    if day < matter.today:
        place = matter.places("policy", "review_by")
        yield Found(place, f"the policy was to be reviewed by {_when(day, matter)}", _REVIEW)


@check("policy-review-due", Level.WARNING, "the policy's review_by is near")
def policy_review_due(matter: Matter) -> Iterator[Found]:
    """A review takes people and time: this is when to ask for both."""
    day = matter.document.identity.review_by
    if matter.today <= day <= matter.due:
        place = matter.places("policy", "review_by")
        yield Found(place, f"the policy is to be reviewed by {_when(day, matter)}", _REVIEW)


@check("policy-not-yet", Level.NOTE, "the policy is not in force yet")
def policy_not_yet(matter: Matter) -> Iterator[Found]:
    """Until `as_of`, every request is refused: nobody has said what is lawful before."""
    day = matter.document.identity.as_of
    if day > matter.today:
        place = matter.places("policy", "as_of")
        yield Found(
            place,
            f"the policy is in force from {_when(day, matter)}; until then it refuses every request",
            "put it in force on that day and not before",
        )


@check("permit-review-overdue", Level.WARNING, "a permit's own review_by has passed")
def permit_review_overdue(matter: Matter) -> Iterator[Found]:
    """Somebody knew that this permit may fall, and wrote when to look. Nobody has."""
    for regime, permit in matter.permits:
        if permit.review_by is not None and permit.review_by < matter.today:
            yield Found(
                _at(matter, regime, permit, "review_by"),
                f"{_name(regime, permit)} was to be reviewed by {_when(permit.review_by, matter)}{_risk(permit)}",
                _REVIEW,
            )


@check("permit-review-due", Level.WARNING, "a permit's own review_by is near")
def permit_review_due(matter: Matter) -> Iterator[Found]:
    """Somebody knew that this permit may fall, and wrote when to look: it is time."""
    for regime, permit in matter.permits:
        if permit.review_by is not None and matter.today <= permit.review_by <= matter.due:
            yield Found(
                _at(matter, regime, permit, "review_by"),
                f"{_name(regime, permit)} is to be reviewed by {_when(permit.review_by, matter)}{_risk(permit)}",
                _REVIEW,
            )


@check("permit-expired", Level.WARNING, "a permit's last day has passed")
def permit_expired(matter: Matter) -> Iterator[Found]:
    """It lets nothing through any more, and what rested on it is refused or rests on something else."""
    for regime, permit in matter.permits:
        if permit.valid_until is not None and permit.valid_until < matter.today:
            yield Found(
                _at(matter, regime, permit, "valid_until"),
                f"the last day of {_name(regime, permit)} was {_when(permit.valid_until, matter)}",
                "remove the permit, or write the day to which its basis was prolonged",
            )


@check("permit-due", Level.WARNING, "a permit's last day is near")
def permit_due(matter: Matter) -> Iterator[Found]:
    """At the midnight after it, what rests on the permit is refused, in the middle of the traffic."""
    for regime, permit in matter.permits:
        if permit.valid_until is not None and matter.today <= permit.valid_until <= matter.due:
            yield Found(
                _at(matter, regime, permit, "valid_until"),
                f"the last day of {_name(regime, permit)} is {_when(permit.valid_until, matter)}",
                "find out whether its basis is prolonged; if not, see that what rests on it has another",
            )


@check("permit-not-yet", Level.NOTE, "a permit is not in force yet")
def permit_not_yet(matter: Matter) -> Iterator[Found]:
    """It will let data go from that day without anybody doing anything."""
    for regime, permit in matter.permits:
        if permit.valid_from is not None and permit.valid_from > matter.today:
            yield Found(
                _at(matter, regime, permit, "valid_from"),
                f"{_name(regime, permit)} is in force from {_when(permit.valid_from, matter)}",
                "nothing, if that is meant",
            )


@check("permit-unchecked", Level.WARNING, "nobody has checked a permit's citation for more than a year")
def permit_unchecked(matter: Matter) -> Iterator[Found]:
    """A citation says what the law was on the day on which somebody read it. A year later that is hearsay.

    A permit without an `as_of` of its own is as old as the policy's.
    """
    for regime in matter.document.regimes:
        by_day: dict[date, list[PermitEntry]] = {}
        for permit in regime.permits:
            day = permit.as_of or matter.document.identity.as_of
            if day < matter.today - _STALE:
                by_day.setdefault(day, []).append(permit)
        for day, permits in by_day.items():
            own = "as_of" if permits[0].as_of is not None else ""
            yield Found(
                _at(matter, regime, permits[0], own),
                f"the citations of {regime.id} ({_ids(permits)}) were last checked on {_when(day, matter)}",
                "hold them against their source, and write the day as their 'as_of'",
            )


@check("permit-without-as-of", Level.NOTE, "permits do not say when their citation was last checked")
def permit_without_as_of(matter: Matter) -> Iterator[Found]:
    """The policy's `as_of` stands for them, and that day moves with each release, whether anybody read the law or not.

    So it hides how old a citation is.
    """
    for regime, permits in _lacking(matter, lambda permit: permit.as_of is None):
        yield Found(
            _at(matter, regime, permits[0]),
            f"{regime.id} has {plural(len(permits), 'permit')} without an as_of ({_ids(permits)}); the policy's, "
            f"{matter.document.identity.as_of}, stands for it",
            "add 'as_of:' with the day on which it was last held against its source",
        )


@check("permit-without-review-by", Level.NOTE, "permits for transfers have no review_by of their own")
def permit_without_review_by(matter: Matter) -> Iterator[Found]:
    """A transfer rests on a decision or an assessment that can fall on any day, faster than a policy is reviewed.

    The policy's `review_by` stands for such permits. Other permits need no day of their own.
    """
    for regime, permits in _lacking(matter, lambda permit: permit.review_by is None and permit.basis.is_transfer):
        yield Found(
            _at(matter, regime, permits[0]),
            f"{regime.id} has {plural(len(permits), 'transfer permit')} without a review_by ({_ids(permits)}); the "
            f"policy's, {matter.document.identity.review_by}, stands for it",
            "add 'review_by:' where the basis may fall earlier",
        )


@check("permit-without-confidence", Level.NOTE, "permits do not say how sure their author is")
def permit_without_confidence(matter: Matter) -> Iterator[Found]:
    """Whoever reviews the policy has to know where to begin: with what its author was least sure of."""
    for regime, permits in _lacking(matter, lambda permit: permit.confidence is None):
        yield Found(
            _at(matter, regime, permits[0]),
            f"{regime.id} has {plural(len(permits), 'permit')} without a confidence ({_ids(permits)})",
            "add 'confidence: high', 'medium' or 'low'",
        )


def _lacking(matter: Matter, lacks: Callable[[PermitEntry], bool]) -> Iterator[tuple[Regime, list[PermitEntry]]]:
    for regime in matter.document.regimes:
        permits = [permit for permit in regime.permits if lacks(permit)]
        if permits:
            yield regime, permits


def _at(matter: Matter, regime: Regime, permit: PermitEntry, *field: str) -> Place:
    return matter.places("regimes", regime.id, "permits", permit.id, *(name for name in field if name))


def _name(regime: Regime, permit: PermitEntry) -> str:
    return f"the permit {regime.id}.{permit.id}"


def _ids(permits: list[PermitEntry]) -> str:
    return listed(permit.id for permit in permits)


def _risk(permit: PermitEntry) -> str:
    return f" ({permit.risk})" if permit.risk else ""


def _when(day: date, matter: Matter) -> str:
    return f"{day}, {days_until(day, matter.today)}"
