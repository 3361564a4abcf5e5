"""Days and moments, always in UTC, as everything in a policy is."""

from datetime import UTC, date, datetime, time


def day_of(at: date | datetime | float) -> date:
    """Give the day in UTC of a day, an aware datetime or Unix seconds."""
    if isinstance(at, datetime):
        return at.astimezone(UTC).date()
    return at if isinstance(at, date) else datetime.fromtimestamp(at, UTC).date()


def format_moment(at_s: float) -> str:
    """Write Unix seconds as a day where they are a midnight, else as a moment: `2026-11-21 09:30 UTC`."""
    at = datetime.fromtimestamp(at_s, UTC)
    if at.time() == time():
        return at.date().isoformat()
    return at.strftime("%Y-%m-%d %H:%M:%S UTC" if at.second else "%Y-%m-%d %H:%M UTC")
