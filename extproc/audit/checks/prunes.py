"""Entries that are not there: pruned, as a keeper's log says, or lost; and holds that should have kept them.

A Prune counts where it stands in another log of the same node, verified like every log, and names size and root of the
log that it prunes as they are. What it names may be gone: bundles, and whole segments of the write-ahead log. Hash
tiles may not, so that all else still proves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from extproc.audit.checks.endings import check_beginning
from extproc.audit.checks.logs import LogCheck
from extproc.audit.checks.rotations import root_at
from extproc.audit.checks.times import LATEST_S
from extproc.audit.findings import Category
from extproc.ledger.housekeeping import Hold, HoldAction, Prune
from extproc.ledger.tiles import TILE_WIDTH, Tile
from extproc.trust.delegation import covers

_NODE_WORDS = 4
"""Words of an origin that name the node: organisation, environment, region, node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A Prune, or a hold, and where it stands."""

    by: LogCheck
    entry: int
    prune: Prune


def check_prunes(logs: Sequence[LogCheck]) -> dict[str, int]:
    """Hold what is missing of each log against what was pruned; give how many entries of each were, by its folder."""
    prunes = [
        Pruned(by=log, entry=entry, prune=prune)
        for log in logs
        for entry, prune in log.prunes
        if isinstance(prune, Prune)
    ]
    _check_holds(logs)
    counts: dict[str, int] = {}
    for log in logs:
        named = [each for each in prunes if each.prune.origin == log.origin and _same_node(each.by.origin, log.origin)]
        end = max((each.prune.end for each in named if _holds(log, each)), default=0)
        counts[log.files.name] = _check_missing(log, named, end)
        check_beginning(log.files, log.findings, pruned=end)
    return counts


def _same_node(keeper: str, origin: str) -> bool:
    words = origin.split("/")[:_NODE_WORDS]
    return keeper != origin and keeper.split("/")[:_NODE_WORDS] == words


def _holds(log: LogCheck, pruned: Pruned) -> bool:
    """Check that a Prune is of this very log; where it is not, it excuses nothing."""
    prune = pruned.prune
    stated = f"{prune.size} {prune.root.hex()}"
    root = root_at(log, prune.size) if prune.size <= log.size else None
    if root == prune.root and prune.end <= prune.size:
        return True
    pruned.by.findings.add(
        Category.INTEGRITY,
        f"prunes a log that is another than {log.files.shown}",
        entry=pruned.entry,
        expected=f"{log.size} {log.root.hex()}" if root is None else f"{prune.size} {root.hex()}",
        found=stated,
    )
    return False


def _check_missing(log: LogCheck, named: Sequence[Pruned], end: int) -> int:
    """Tell bundles that were pruned from those that are lost, and give the number of entries that were pruned."""
    pruned = 0
    for run in log.missing:
        for index in run:
            first = index * TILE_WIDTH
            stop = min(first + TILE_WIDTH, log.published)
            if stop <= end:
                pruned += stop - first
                continue
            tile = Tile(level=None, index=index, width=stop - first)
            message = f"entries {first} to {stop - 1}: is missing"
            log.findings.add(Category.INTEGRITY, message, file=log.files.tile_path(tile), entry=first)
    if pruned:
        latest = max(named, key=lambda each: each.prune.end)
        newest_at_s = latest.prune.newest_at_s
        until = (
            f"{datetime.fromtimestamp(newest_at_s, UTC):%Y-%m-%d}" if 0 <= newest_at_s < LATEST_S else "no known day"
        )
        log.findings.add(
            Category.NOTE,
            f"{pruned:,} entries were pruned, the latest of {until}, as {latest.by.files.shown} says in entry "
            f"{latest.entry}: {latest.prune.reason}; their hashes are here and were checked",
        )
    return pruned


def _check_holds(logs: Sequence[LogCheck]) -> None:
    """Say where a Prune went against a hold that was in force: evidence that should be there is gone."""
    for keeper, acts in _keepers(logs):
        placed: dict[str, list[Hold]] = {}
        for log, entry, act in acts:
            if isinstance(act, Hold):
                if act.action is HoldAction.PLACED:
                    # One that is placed again under the same name takes nothing from the first.
                    placed.setdefault(act.id, []).append(act)
                else:
                    placed.pop(act.id, None)
                continue
            if not isinstance(act, Prune):
                continue
            for hold in chain.from_iterable(placed.values()):
                after = hold.from_s is None or act.newest_at_s >= hold.from_s
                if covers(hold.origin, act.origin) and after and _began_before(logs, act, hold):
                    log.findings.add(
                        Category.INCOMPLETE,
                        f"prunes entries of {act.origin} that hold {hold.id} of {keeper} was to keep: {hold.reason}",
                        entry=entry,
                    )


def _began_before(logs: Sequence[LogCheck], prune: Prune, hold: Hold) -> bool:
    """Tell whether a pruned log may have had entries before a hold's end; a Genesis that is left may show otherwise."""
    if hold.until_s is None:
        return True
    for log in logs:
        if log.origin == prune.origin and log.genesis is not None and log.spans:
            return log.spans[0].earliest_s < hold.until_s
    return True


def _keepers(logs: Sequence[LogCheck]) -> Iterator[tuple[str, list[tuple[LogCheck, int, object]]]]:
    """Give the acts of each node in the order in which they were recorded: its keeper's incarnations are numbered.

    By the names that were signed: whoever hands over the folders may name them as they like.
    """
    nodes: dict[str, list[tuple[LogCheck, int, object]]] = {}
    for log in sorted(logs, key=lambda each: each.origin):
        acts = sorted([*log.prunes, *log.holds], key=lambda each: each[0])
        if acts:
            node = "/".join(log.origin.split("/")[:_NODE_WORDS])
            nodes.setdefault(node, []).extend((log, entry, act) for entry, act in acts)
    yield from nodes.items()
