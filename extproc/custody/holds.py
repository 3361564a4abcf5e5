"""Legal holds: evidence that must not be pruned, whatever its age, until somebody releases it.

A hold is about the logs whose name is its origin or lies below it, and about the entries of a span of time. It is in
force from its entry "placed" to its entry "released", each in a keeper's log. It stops the pruning and not the erasing
of keys: the duty to keep evidence and the duty to erase a person are weighed by a person, before either command is run.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf

from extproc.custody.acts import Act
from extproc.custody.errors import CustodyError
from extproc.custody.keeper import OpenKeeper
from extproc.ledger.housekeeping import Hold, HoldAction, hold_to_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A hold in force, and when it was placed (Unix seconds)."""

    hold: Hold
    placed_s: float


def standing(acts: Iterable[Act]) -> tuple[Standing, ...]:
    """Give the holds in force, in the order in which they were placed."""
    found: dict[str, Standing] = {}
    for act in acts:
        if isinstance(act.what, Hold):
            if act.what.action is HoldAction.PLACED:
                found[act.what.id] = Standing(hold=act.what, placed_s=act.at_s)
            else:
                found.pop(act.what.id, None)
    return tuple(found.values())


def against(holds: Iterable[Standing], *, origin: str, oldest_s: float, newest_s: float) -> tuple[Hold, ...]:
    """Give the holds that stand against pruning entries of the log `origin`, made from `oldest_s` to `newest_s`."""
    return tuple(
        each.hold
        for each in holds
        if covers(each.hold.origin, origin)
        and (-inf if each.hold.from_s is None else each.hold.from_s) <= newest_s
        and oldest_s < (inf if each.hold.until_s is None else each.hold.until_s)
    )


def covers(scope: str, origin: str) -> bool:
    """Tell whether a log is one of those that `scope` names; an empty scope names all."""
    return not scope or origin == scope or origin.startswith(f"{scope}/")


def place(keeper: OpenKeeper, acts: Iterable[Act], hold: Hold) -> None:
    """Place a hold. Raises CustodyError where one of that id stands, because a release is by id."""
    if any(each.hold.id == hold.id for each in standing(acts)):
        raise CustodyError(f"a hold '{hold.id}' is in force already. Mend: give this one an id of its own")
    keeper.record(hold_to_entry(hold, at_s=keeper.now_s()))


def release(
    keeper: OpenKeeper, acts: Iterable[Act], hold_id: str, *, reason: str, approved_by: tuple[str, ...] = ()
) -> Hold:
    """Release a hold, and give it. Raises CustodyError where none of that id stands."""
    holds = {each.hold.id: each.hold for each in standing(acts)}
    if hold_id not in holds:
        known = f"the holds in force are {', '.join(holds)}" if holds else "no hold is in force"
        raise CustodyError(f"no hold '{hold_id}' is in force. Mend: {known}")
    released = replace(holds[hold_id], action=HoldAction.RELEASED, reason=reason, approved_by=approved_by)
    keeper.record(hold_to_entry(released, at_s=keeper.now_s()))
    return released
