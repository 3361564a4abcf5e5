"""The moments that questions to a policy are about."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extproc.policy.compile import CompiledPolicy


def parse_at(written: str | None, compiled: "CompiledPolicy") -> float:
    """Give Unix seconds; by default now, or the beginning of a policy that is not in force yet. Raises UnfitError."""
    from extproc.policy.parse.scalars import parse_start

    if written is not None:
        return parse_start(written).timestamp()
    return max(datetime.now(UTC).timestamp(), compiled.tables.epochs[0].starts_s)


def parse_today(written: str | None) -> date:
    """Give a day; by default today in UTC. Raises UnfitError."""
    from extproc.policy.parse.scalars import parse_day

    return datetime.now(UTC).date() if written is None else parse_day(written)
