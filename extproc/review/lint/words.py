"""How findings name several things."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

_MOST: Final = 8


def listed(names: Iterable[str], *, most: int = _MOST) -> str:
    """List names, sorted, each once; of many, the first ones and how many more there are."""
    found = sorted({str(name) for name in names})
    if len(found) <= most:
        return ", ".join(found)
    return f"{', '.join(found[:most])} and {len(found) - most} more"


def plural(number: int, one: str, many: str = "") -> str:
    """Count things: `1 note`, `2 notes`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def days_until(day: date, today: date) -> str:
    """Say how far a day is off: `in 12 days`, `today`, `3 days ago`."""
    off = (day - today).days
    if off == 0:
        return "today"
    return f"in {plural(off, 'day')}" if off > 0 else f"{plural(-off, 'day')} ago"


def day_of(at_s: float) -> str:
    """Write a moment in Unix seconds: its day, and the time if it is not midnight UTC."""
    moment = datetime.fromtimestamp(at_s, UTC)
    return moment.date().isoformat() if at_s % 86_400 == 0 else moment.isoformat(timespec="minutes")
