"""Parsing days that belong together."""

from collections.abc import Callable
from datetime import date

from extproc.policy.parse.scalars import parse_day
from extproc.strict_yaml import Field, Table, UnfitError, parsed


def validity(table: Table) -> tuple[Field[date | None], Field[date | None]]:
    """Read `valid_from:` and `valid_until:`, which are both optional and in order."""
    valid_from = table.optional("valid_from", parsed(parse_day), default=None)
    return valid_from, table.optional("valid_until", parsed(not_before("valid_from", valid_from)), default=None)


def not_before(name: str, earliest: Field[date | None]) -> Callable[[str], date]:
    """Make a parser of days that are not before another one."""

    def parse(written: str) -> date:
        day = parse_day(written)
        first = earliest.value if earliest.is_sound else None
        if first is not None and day < first:
            raise UnfitError(f"{day} is before {name}, which is {first}", "exchange the two days, or mend one")
        return day

    return parse
