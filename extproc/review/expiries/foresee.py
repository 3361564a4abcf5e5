"""Each day on which something happens, with what it does to the answers."""

from dataclasses import dataclass
from datetime import date
from itertools import groupby

from extproc.policy.compile import CompiledPolicy
from extproc.review.expiries.dated import Dated, Event, dated_in
from extproc.review.what_if import Difference, State, difference_of, expected_places, sweep
from extproc.review.words import day_of

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What happens at one moment, in Unix seconds. `in_days` counts from today, negative for what has passed.

    `effect` is what changes in the answers then; None where answers cannot change (a review), where it has passed, and
    where the policy itself begins: everything changes then.
    """

    at_s: float
    day: date
    in_days: int
    events: tuple[Dated, ...]
    effect: Difference | None

    @property
    def overdue(self) -> bool:
        """Tell whether a review has not been made in time."""
        return self.in_days < 0 and any(each.event is Event.REVIEW for each in self.events)

    def due_within(self, days: int) -> bool:
        """Tell whether somebody has to do something about it within so many days, or had to already.

        What has ended has ended: only a review stays due after its day.
        """
        return self.overdue or (0 <= self.in_days <= days and any(each.is_duty for each in self.events))


def foresee(
    compiled: CompiledPolicy, today: date, *, within: int | None = None, everywhere: bool = False
) -> tuple[Due, ...]:
    """List everything dated in order of time, from overdue reviews on, up to `within` days from today if given.

    What was in force before today and what began before it is left out; a test that asks about the past is not.
    """
    found: list[Due] = []
    for at_s, same in groupby(dated_in(compiled.document), key=lambda each: each.at_s):
        day = day_of(at_s)
        in_days = (day - today).days
        events = tuple(each for each in same if in_days >= 0 or each.event in (Event.REVIEW, Event.ASKED))
        if events and (within is None or in_days <= within):
            acts = in_days >= 0 and at_s > compiled.tables.epochs[0].starts_s and _acts(events)
            effect = _effect(compiled, at_s, everywhere=everywhere) if acts else None
            found.append(Due(at_s=at_s, day=day, in_days=in_days, events=events, effect=effect))
    return tuple(found)


def _acts(events: tuple[Dated, ...]) -> bool:
    return any(each.event in (Event.BEGINS, Event.ENDS) for each in events)


def _effect(compiled: CompiledPolicy, at_s: float, *, everywhere: bool) -> Difference:
    """Compare what holds from the moment on with the day before, or the last moment before where that is later."""
    before_s = _last_before(compiled, at_s)
    places = expected_places(compiled, day_of(at_s), everywhere=everywhere)
    states = (State(compiled=compiled, now_s=before_s), State(compiled=compiled, now_s=at_s))
    return difference_of(sweep(*states, places))


def _last_before(compiled: CompiledPolicy, at_s: float) -> float:
    earlier = [each.at_s for each in dated_in(compiled.document) if each.at_s < at_s]
    return max([at_s - _DAY_S, *earlier])
