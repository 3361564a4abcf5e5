"""Everything in a policy that has a date, as days on which something happens."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from extproc.policy.compile.epochs import midnight_s
from extproc.policy.document import OverrideEntry, PermitEntry, PolicyDocument, Regime, ZoneMember
from extproc.review.words import day_of, name_of

_DAY = timedelta(days=1)


class Event(StrEnum):
    """What happens on the day."""

    BEGINS = "begins"
    ENDS = "ends"
    REVIEW = "review"
    """Somebody must have looked at it again by this day. No answer changes."""
    ASKED = "asked"
    """A test of the policy asks about this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """One thing that happens: `at_s` is when, in Unix seconds, and `day` its day in UTC.

    What is valid until a day still counts on it, so it ends at the beginning of the next one: that is its day here, and
    the words name the last one. `subject` is what the policy calls it (`permit eu-gdpr.dpf`).
    """

    day: date
    at_s: float
    event: Event
    subject: str
    words: str

    @property
    def is_duty(self) -> bool:
        """Tell whether somebody has to do something about it: a review is due, or what counted ceases to."""
        return self.event in (Event.REVIEW, Event.ENDS)


def dated_in(document: PolicyDocument) -> tuple[Dated, ...]:
    """List everything dated, in order of time, then by its subject."""
    identity = document.identity
    found = [
        _on(identity.as_of, Event.BEGINS, "the policy", "the policy is in force from this day"),
        _on(identity.review_by, Event.REVIEW, "the policy", "the policy must have been reviewed by this day"),
        *(each for regime in document.regimes for permit in regime.permits for each in _permit(regime, permit)),
        *(each for name, zone in document.zones.items() for member in zone.members for each in _member(name, member)),
        *(each for order in document.overrides for each in _order(order)),
    ]
    for case in document.tests:
        if case.now is not None:
            words = f"the test '{case.name}' asks about this time"
            day = day_of(case.now)
            subject = f"test {case.name}"
            found.append(Dated(day=day, at_s=case.now.timestamp(), event=Event.ASKED, subject=subject, words=words))
    return tuple(sorted(found, key=lambda each: (each.at_s, each.subject, each.event)))


def _permit(regime: Regime, permit: PermitEntry) -> Iterator[Dated]:
    subject = f"permit {regime.id}.{permit.id}"
    name = f"{regime.id}.{permit.id} ({permit.cite})"
    yield from _validity(permit.valid_from, permit.valid_until, subject, name)
    if permit.review_by is not None:
        yield _on(permit.review_by, Event.REVIEW, subject, f"{name} must have been reviewed by this day")


def _member(zone: str, member: ZoneMember) -> Iterator[Dated]:
    cite = f" ({member.cite})" if member.cite else ""
    name = f"{name_of(member.code)} in the zone {zone}{cite}"
    yield from _validity(member.valid_from, member.valid_until, f"zone {zone}: {member.code}", name)


def _validity(valid_from: date | None, valid_until: date | None, subject: str, name: str) -> Iterator[Dated]:
    if valid_from is not None:
        yield _on(valid_from, Event.BEGINS, subject, f"{name} counts from this day")
    if valid_until is not None:
        words = f"{name} counts no longer; {valid_until} is its last day"
        yield _on(valid_until + _DAY, Event.ENDS, subject, words)


def _order(order: OverrideEntry) -> Iterator[Dated]:
    subject = f"order {order.id}"
    name = f"{order.id} ({order.reason})"
    target = f"the {order.target} {order.name}"
    begins_s = order.from_at.timestamp()
    words = f"{name} suspends {target}"
    yield Dated(day=day_of(begins_s), at_s=begins_s, event=Event.BEGINS, subject=subject, words=words)
    if order.until_at is not None:
        ends_s = order.until_at.timestamp()
        words = f"{name} ends, and {target} is no longer suspended by it"
        yield Dated(day=day_of(ends_s), at_s=ends_s, event=Event.ENDS, subject=subject, words=words)


def _on(day: date, event: Event, subject: str, words: str) -> Dated:
    return Dated(day=day, at_s=midnight_s(day), event=event, subject=subject, words=words)
