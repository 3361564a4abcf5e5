"""What all keepers below a place have recorded: erasures, prunes, holds and acknowledgements, in order of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from extproc.custody.errors import CustodyError, UnsoundLogError
from extproc.custody.keeper import KEEPER
from extproc.custody.published import incarnations, is_quarantined, open_published, parse
from extproc.ledger.entries import kind_of
from extproc.ledger.housekeeping import (
    Acknowledgement,
    Erasure,
    Hold,
    Prune,
    acknowledgement_from_entry,
    erasure_from_entry,
    hold_from_entry,
    prune_from_entry,
)

What: TypeAlias = Erasure | Hold | Prune | Acknowledgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act: what, when (Unix seconds), and where it stands."""

    what: What
    at_s: float
    origin: str
    index: int


def read_acts(root: Path) -> tuple[Act, ...]:
    """List the acts of all keepers below `root`, in the order of their time.

    Raises CustodyError where there is no log at all, which is another folder than was meant, and UnsoundLogError for a
    keeper's log that contradicts itself or was quarantined: then nobody can tell which holds there are.
    """
    if not incarnations(root):
        raise CustodyError(f"{root}: no log below. Mend: name the folder that was given to `situs serve --log`")
    found = [act for directory in incarnations(root, KEEPER) for act in _acts_of(directory)]
    return tuple(sorted(found, key=lambda act: act.at_s))


def _acts_of(directory: Path) -> Iterator[Act]:
    if is_quarantined(directory):
        raise UnsoundLogError(
            f"{directory}: is quarantined, so it cannot be told which holds it has. Mend: settle that with "
            "`situs audit verify`, place its holds again, and move the folder away as evidence"
        )
    log = open_published(directory)
    if log is None:
        return
    log.check_tree()
    for index, data in log.entries(0):
        entry = parse(data, directory)
        match kind_of(entry):
            case "erasure":
                yield Act(what=erasure_from_entry(entry), at_s=entry.at_s, origin=log.origin, index=index)
            case "prune":
                yield Act(what=prune_from_entry(entry), at_s=entry.at_s, origin=log.origin, index=index)
            case "hold":
                yield Act(what=hold_from_entry(entry), at_s=entry.at_s, origin=log.origin, index=index)
            case "acknowledgement":
                yield Act(what=acknowledgement_from_entry(entry), at_s=entry.at_s, origin=log.origin, index=index)
            case _:
                pass
