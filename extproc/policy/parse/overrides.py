"""Parsing `overrides:`: the legal orders that a policy carries."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from extproc.core.ids import OverrideId
from extproc.policy.document import Effect, OverrideEntry
from extproc.policy.parse.regimes import unique
from extproc.policy.parse.scalars import parse_end, parse_start
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import Field, Reader, Table, UnfitError, Value, choice, list_of, parsed, table_of

# Each order becomes one entry of the log, which holds 65,535 bytes.
LONGEST_REASON: Final = 1000
LONGEST_NAME: Final = 200
MOST_APPROVERS: Final = 16


def overrides(vocabulary: Vocabulary) -> Reader[tuple[OverrideEntry, ...]]:
    """Make the reader of `overrides:`."""
    seen: set[str] = set()

    def read(table: Table) -> OverrideEntry:
        id_ = table.required("id", parsed(unique(seen, "override")))
        effect = table.required("effect", choice(Effect))
        region = table.required("region", parsed(vocabulary.region))
        reason = table.required("reason", parsed(_bounded("a reason", LONGEST_REASON)))
        from_at = table.required("from", parsed(parse_start))
        until_at = table.optional("until", parsed(_after(from_at)), default=None)
        approved_by = table.required("approved_by", _approvers)
        return OverrideEntry(
            id=OverrideId(id_.value),
            effect=effect.value,
            region=region.value,
            reason=reason.value,
            from_at=from_at.value,
            until_at=until_at.value,
            approved_by=approved_by.value,
        )

    return list_of(table_of(read))


def _approvers(value: Value) -> tuple[str, ...]:
    names = list_of(parsed(_bounded("a name", LONGEST_NAME)), minimum=1)(value)
    if len(names) > MOST_APPROVERS:
        value.refuse(f"{len(names)} approvers are listed", f"name at most {MOST_APPROVERS}")
    if len(set(names)) != len(names):
        value.refuse("an approver is listed twice", "name each approver once")
    return tuple(sorted(names))


def _bounded(what: str, longest: int) -> Callable[[str], str]:
    """Make a parser of texts that fit into a record."""

    def parse(written: str) -> str:
        if len(written) > longest:
            raise UnfitError(f"{what} of {len(written)} characters does not fit", f"write at most {longest}")
        return written

    return parse


def _after(start: Field[datetime]) -> Callable[[str], datetime]:
    def parse(written: str) -> datetime:
        end = parse_end(written)
        if start.is_sound and end <= start.value:
            raise UnfitError(f"the override ends at {written}, before it starts", "exchange the two times, or mend one")
        return end

    return parse
