"""Asks what regions depend on how fresh it is: a vector store that follows another one, say.

A region that the policy lets depend on something is permitted only while that is fresh enough, so what is not heard of
counts as too old: a probe that fails says nothing, and the last word ages.

SPEC: RFC 9110 section 8.8.2 (Last-Modified), in the one form that may be sent (section 5.6.7, IMF-fixdate).
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from extproc.core.fitness import Freshness
from extproc.core.ids import DependencyId, RegionId
from extproc.core.tables import Region
from extproc.signals.asking import Answer, Asker, asking

LONGEST_PERIOD_S: Final = 5.0
SHORTEST_PERIOD_S: Final = 0.2
_OK: Final = 200
_LAST_MODIFIED: Final = "last-modified"

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE: Final = re.compile(
    rf"(?P<day_name>{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) (?P<month>{'|'.join(_MONTHS)}) (?P<year>[0-9]{{4}}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) GMT"
)

Depended = Callable[[RegionId, DependencyId, Freshness], None]
Urls = Mapping[RegionId, Mapping[DependencyId, str]]


async def ask_forever(
    urls: Urls,
    regions: Callable[[], Sequence[Region]],
    depended: Depended,
    *,
    clock: Callable[[], float] = time.time,
) -> None:
    """Ask for each dependency as often as its age matters, each on its own, until cancelled.

    `regions` gives the regions and their needs as the policy in force has them.
    """
    async with asking(sum(map(len, urls.values()))) as asker, asyncio.TaskGroup() as group:
        for region, named in urls.items():
            for name, url in named.items():
                group.create_task(_ask(asker, region, name, url, regions=regions, depended=depended, clock=clock))


async def _ask(  # noqa: PLR0913 - what to ask, for whom, and whom to tell
    asker: Asker,
    region: RegionId,
    name: DependencyId,
    url: str,
    *,
    regions: Callable[[], Sequence[Region]],
    depended: Depended,
    clock: Callable[[], float],
) -> None:
    ahead = Ahead()
    while True:
        began_s = time.monotonic()
        max_age_s = next((each.needs.get(name) for each in regions() if each.id == region), None)
        if max_age_s is not None:
            asked_at_s = clock()
            freshness = freshness_of(await asker.ask(url), asked_at_s, ahead)
            if freshness is not None:
                depended(region, name, freshness)
        await asyncio.sleep(max(0.0, period_of(max_age_s) - (time.monotonic() - began_s)))


def period_of(max_age_s: float | None) -> float:
    """Give how often something is asked that may be so old, in seconds; None stands for what is not needed now."""
    if max_age_s is None:
        return LONGEST_PERIOD_S
    return max(SHORTEST_PERIOD_S, min(max_age_s / 3, LONGEST_PERIOD_S))


class Ahead:
    """When a date that lies ahead was told first: the data is as old as that at least, however long the date is told.

    Without it, data that nobody renews would stay fresh until our clock has caught up with that of the server.
    """

    def __init__(self) -> None:
        self._modified_at_s = -math.inf
        self._first_s = 0.0

    def first_told_s(self, modified_at_s: float, asked_at_s: float) -> float:
        """Give when this date, or a later one, was told first; asked at `asked_at_s`."""
        if modified_at_s > self._modified_at_s:
            self._modified_at_s, self._first_s = modified_at_s, asked_at_s
        # A moment that has not come is none: our own clock was set back.
        self._first_s = min(self._first_s, asked_at_s)
        return self._first_s

    def forget(self) -> None:
        """Take note that dates do not lie ahead, or not any more."""
        self._modified_at_s = -math.inf


def freshness_of(answer: Answer | object, asked_at_s: float, ahead: Ahead | None = None) -> Freshness | None:
    """Give of when the data is that a probe spoke of; None where it says nothing.

    Without a date it is of the moment when it was asked. A date that cannot be read says nothing, and none is later
    than the moment when it was told first, which `ahead` remembers: a clock that is ahead must not keep old data fresh.
    """
    if not isinstance(answer, Answer) or answer.status != _OK:
        return None
    written = answer.headers.get(_LAST_MODIFIED)
    if written is None:
        return Freshness(as_of_s=asked_at_s)
    modified_at_s = parse_http_date(written)
    if modified_at_s is None:
        return None
    ahead = ahead or Ahead()
    if modified_at_s > asked_at_s:
        return Freshness(as_of_s=ahead.first_told_s(modified_at_s, asked_at_s))
    ahead.forget()
    return Freshness(as_of_s=modified_at_s)


def parse_http_date(written: str) -> float | None:
    """Parse `Sun, 06 Nov 1994 08:49:37 GMT`, giving Unix seconds; None for any other text."""
    found = _DATE.fullmatch(written)
    if found is None:
        return None
    try:
        at = datetime(
            int(found["year"]),
            _MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return at.timestamp() if _DAYS[at.weekday()] == found["day_name"] else None
