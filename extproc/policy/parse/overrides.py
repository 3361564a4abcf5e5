"""Parsing `overrides:`: the legal orders that a policy carries; and `resumed:`, which only the override file has."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, assert_never

from extproc.core.ids import OverrideId
from extproc.core.overrides import Resumption, TargetKind
from extproc.policy.document import Effect, OverrideEntry
from extproc.policy.parse.regimes import unique
from extproc.policy.parse.scalars import bounded, parse_end, parse_id, parse_start
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import Field, Reader, Table, UnfitError, Value, choice, list_of, parsed, table_of

# Each order becomes one entry of the log, which holds 65,535 bytes.
LONGEST_REASON: Final = 1000
LONGEST_NAME: Final = 200
LONGEST_TARGET: Final = 260
MOST_APPROVERS: Final = 16


def overrides(vocabulary: Vocabulary) -> Reader[tuple[OverrideEntry, ...]]:
    """Make the reader of `overrides:`."""
    seen: set[str] = set()

    def read(table: Table) -> OverrideEntry:
        id_ = table.required("id", parsed(unique(seen, "override")))
        effect = table.required("effect", choice(Effect))
        named = [
            (kind, table.optional(kind.value, parsed(_named(kind, vocabulary)), default=None)) for kind in TargetKind
        ]
        reason = table.required("reason", parsed(bounded("a reason", LONGEST_REASON)))
        from_at = table.required("from", parsed(parse_start))
        until_at = table.optional("until", parsed(_after(from_at)), default=None)
        approved_by = table.required("approved_by", _approvers)
        targets = [(kind, field.value) for kind, field in named if field.value is not None]
        if len(targets) != 1:
            message = f"an override is about one thing, and {len(targets)} are named"
            table.value.refuse(message, "write one of 'region:', 'permit:' and 'model:'")
        ((kind, name),) = targets
        return OverrideEntry(
            id=OverrideId(id_.value),
            effect=effect.value,
            target=kind,
            name=name,
            reason=reason.value,
            from_at=from_at.value,
            until_at=until_at.value,
            approved_by=approved_by.value,
        )

    return list_of(table_of(read))


def resumptions() -> Reader[tuple[Resumption, ...]]:
    """Make the reader of `resumed:`, oldest first. An id may be there twice: of an order that somebody gave again."""

    def read(table: Table) -> Resumption:
        order = table.required("id", parsed(parse_id))
        reason = table.required("reason", parsed(bounded("a reason", LONGEST_REASON)))
        at = table.required("at", parsed(parse_start))
        approved_by = table.required("approved_by", _approvers)
        return Resumption(
            order=OverrideId(order.value),
            reason=reason.value,
            approved_by=approved_by.value,
            at_s=at.value.timestamp(),
        )

    return list_of(table_of(read))


def _named(kind: TargetKind, vocabulary: Vocabulary) -> Callable[[str], str]:
    known, fits = _name(kind, vocabulary), bounded("a name", LONGEST_TARGET)
    return lambda written: known(fits(written))


def _name(kind: TargetKind, vocabulary: Vocabulary) -> Callable[[str], str]:
    match kind:
        case TargetKind.REGION:
            return vocabulary.region
        case TargetKind.PERMIT:
            return vocabulary.permit
        case TargetKind.MODEL:
            return vocabulary.model
    assert_never(kind)


def _approvers(value: Value) -> tuple[str, ...]:
    names = list_of(parsed(bounded("a name", LONGEST_NAME)), minimum=1)(value)
    if len(names) > MOST_APPROVERS:
        value.refuse(f"{len(names)} approvers are listed", f"name at most {MOST_APPROVERS}")
    if len(set(names)) != len(names):
        value.refuse("an approver is listed twice", "name each approver once")
    return tuple(sorted(names))


def _after(start: Field[datetime]) -> Callable[[str], datetime]:
    def parse(written: str) -> datetime:
        end = parse_end(written)
        if start.is_sound and end <= start.value:
            raise UnfitError(f"the override ends at {written}, before it starts", "exchange the two times, or mend one")
        return end

    return parse
