"""Pruning: the end of what is over its time, recorded before it begins.

In this order, and whatever the moment at which the process is killed:

1. The keeper's log gets a Prune entry, durable and signed, with the size and root of the log that it is about.
2. The log's write-ahead log goes, which holds nothing that its tiles do not: it ended.
3. The bundles of entries before the entry's `end` go, from the first on.

Killed after 1, the next prune does what is left, unless a hold was placed meanwhile: then what is left stays. Every
hash tile and the checkpoint stay, so each proof about what is left still works, and the log after it can still name its
end.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from extproc.custody.acts import read_acts
from extproc.custody.errors import HeldError
from extproc.custody.keeper import Keeper, open_keeper
from extproc.custody.published import PublishedLog
from extproc.custody.retention import Order, Part, Plan, plan
from extproc.ledger.disk import sync_file_system
from extproc.ledger.housekeeping import Prune, prune_to_entry
from extproc.ledger.log import LOG, WAL
from extproc.ledger.tiles import TILE_WIDTH
from extproc.sealed.destroy import Grounds


def _unheard(_step: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a prune did: the acts that it recorded and carried out, and those of before that it finished."""

    recorded: tuple[Prune, ...]
    finished: tuple[str, ...]
    plan: Plan


def prune(
    keeper: Keeper, order: Order, grounds: Grounds, *, except_held: bool = False, step: Callable[[str], None] = _unheard
) -> Pruned:
    """Prune what is over its time below the keeper's root, and finish what acts before began.

    With `except_held`, logs that a hold stands against are left, and the others go; otherwise nothing goes then, and
    HeldError is raised. `step` is told each step before it is done. Raises CustodyError and OSError: then run it again.
    """
    found = plan(keeper.root, order, read_acts(keeper.root))
    finished = _finish(found)
    _refuse_held(found, except_held=except_held)
    recorded: list[tuple[Prune, Part]] = []
    if found.parts:
        with open_keeper(keeper) as log:
            # Asked again under the keeper's lock: a hold or another prune may have come in between.
            found = plan(keeper.root, order, read_acts(keeper.root))
            _refuse_held(found, except_held=except_held)
            for part in found.parts:
                if not part.holds:
                    entry = _prune_of(part, grounds)
                    step(f"record {part.log.origin}")
                    log.record(prune_to_entry(entry, at_s=log.now_s()))
                    recorded.append((entry, part))
    for _, part in recorded:
        remove(part.log, part.end, step)
    return Pruned(recorded=tuple(entry for entry, _ in recorded), finished=finished, plan=found)


def remove(log: PublishedLog, end: int, step: Callable[[str], None] = _unheard) -> None:
    """Remove the entries before `end`, and the whole write-ahead log, durably. Doing it again does what is left."""
    for segment in sorted((log.directory / WAL).glob("*")):
        step(f"remove {segment.name}")
        segment.unlink()
    for index in range(-(-end // TILE_WIDTH)):
        bundle = log.bundle(index)
        step(f"remove {bundle.name}")
        bundle.unlink(missing_ok=True)
        _remove_if_empty(bundle.parent)
    sync_file_system(log.directory / LOG)


def _finish(found: Plan) -> tuple[str, ...]:
    """Do what is left of acts that were recorded before, and give the logs' names."""
    free = [part for part in found.unfinished if not part.holds]
    for part in free:
        remove(part.log, part.end)
    return tuple(part.log.origin for part in free)


def _refuse_held(found: Plan, *, except_held: bool) -> None:
    if found.held and not except_held:
        ids = tuple(dict.fromkeys(hold.id for part in found.held for hold in part.holds))
        logs = ", ".join(part.log.origin for part in found.held)
        raise HeldError(
            f"the hold{'' if len(ids) == 1 else 's'} {', '.join(ids)} stand{'s' if len(ids) == 1 else ''} against "
            f"pruning {logs}; nothing was pruned. Mend: give --except-held to prune the others, or release it",
            ids,
        )


def _prune_of(part: Part, grounds: Grounds) -> Prune:
    checkpoint = part.log.checkpoint
    return Prune(
        origin=checkpoint.origin,
        end=part.end,
        size=checkpoint.size,
        root=checkpoint.root,
        newest_at_s=part.newest_s,
        reason=grounds.reason,
        approved_by=grounds.approved_by,
    )


def _remove_if_empty(folder: Path) -> None:
    """Remove the folders of bundles, up to that of all of them, as far as nothing is left in them."""
    while folder.name != "entries":
        with contextlib.suppress(OSError):
            folder.rmdir()
        folder = folder.parent
