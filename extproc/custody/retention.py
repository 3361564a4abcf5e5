"""What is over its time, and what stands against pruning it.

Only logs that ended are pruned: a living log is still appended to, republished and recovered from its write-ahead log,
and none of that knows of missing entries. A process that lives for months is ended and started anew, which any
deployment does.

By default a log goes whole or stays whole, because its first entries (which log it continues, by which configuration
it decides) explain all that come after. With `partial` the beginning of a closed log goes too, in bundles of 256
entries: what stays is still proved and read, but decisions whose ConfigSnapshot went cannot be replayed. The last log
of a worker keeps its last bundle in any case: the next process of that worker reads its Close there.

The keeper's own logs are never pruned: they say what was, and why it is gone.

SPEC: EU AI Act (Reg. (EU) 2024/1689) Art. 19(1) and 26(6): logs of high-risk systems are kept for at least six months.
GDPR Art. 5(1)(e): and not longer than their purpose needs.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Final

from extproc.custody.acts import Act
from extproc.custody.errors import CustodyError, TooYoungError
from extproc.custody.holds import Standing, against, covers, standing
from extproc.custody.keeper import KEEPER
from extproc.custody.published import PublishedLog, incarnations, is_quarantined, open_published, parse
from extproc.ledger.housekeeping import Hold, Prune
from extproc.ledger.tiles import TILE_WIDTH

DAY_S: Final = 86_400.0
LEAST_DAYS: Final = 184
"""Six months, whichever they are: none is longer."""
_AGE: Final = re.compile(r"([1-9][0-9]{0,4})d")
_AT: Final = struct.Struct("<cd")
_AT_TAG: Final = b"\x09"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to prune: entries of closed logs at or below `origin` that were made before `before_s` (Unix seconds).

    `shipped` is how many entries of each log, by its origin, are in every store that they go to; None where that is not
    asked.
    """

    before_s: float
    origin: str = ""
    partial: bool = False
    shipped: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Entries of one log that are over their time: those before `end` that are still there, made in these bounds."""

    log: PublishedLog
    end: int
    entries: int
    oldest_s: float
    newest_s: float
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """A log that is over its time, at least in part, and is not pruned, with the reason for a person."""

    origin: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an order comes to. `unfinished` was recorded as pruned by an act that did not come to its end."""

    parts: tuple[Part, ...]
    spared: tuple[Spared, ...]
    unfinished: tuple[Part, ...]

    @property
    def held(self) -> tuple[Part, ...]:
        """Those that a hold stands against."""
        return tuple(part for part in self.parts if part.holds)


def parse_age(text: str) -> float:
    """Read an age in whole days, `400d`, in seconds. Raises CustodyError."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise CustodyError(f"'{text}' is no age. Mend: write days, such as 400d")
    return int(match[1]) * DAY_S


def check_age(before_s: float, *, now_s: float) -> None:
    """Raise TooYoungError where records younger than six months would go."""
    if before_s > now_s - LEAST_DAYS * DAY_S:
        raise TooYoungError(
            f"that would prune records younger than {LEAST_DAYS} days, and logs of high-risk AI systems are kept for "
            "at least six months (EU AI Act Art. 19 and 26(6)). Mend: prune what is older, or say --even-younger where "
            "that law does not bind you"
        )


def plan(root: Path, order: Order, acts: Iterable[Act]) -> Plan:
    """Find what an order is about, below `root`. Raises UnsoundLogError for a log that contradicts itself."""
    acts = tuple(acts)
    ends = {act.what.origin: act.what.end for act in acts if isinstance(act.what, Prune)}
    parts: list[Part] = []
    spared: list[Spared] = []
    unfinished: list[Part] = []
    for directory, is_last in _logs(root):
        log = None if is_quarantined(directory) else open_published(directory)
        if log is None or not covers(order.origin, log.origin):
            continue
        recorded = ends.get(log.origin, 0)
        if log.first() < recorded:
            unfinished.append(_part(log, recorded, list(_times(log, log.first(), recorded))))
        match _due(log, order, max(recorded, log.first()), is_last=is_last):
            case Part() as part:
                parts.append(part)
            case Spared() as kept:
                spared.append(kept)
            case None:
                pass
    holds = standing(acts)
    return Plan(parts=_held(parts, holds), spared=tuple(spared), unfinished=_held(unfinished, holds))


def _logs(root: Path) -> Iterator[tuple[Path, bool]]:
    """List the logs below a place but the keepers', and tell which is the last of its worker."""
    found = [path for path in incarnations(root) if path.parent.name != KEEPER]
    last = {path.parent: path for path in found}
    yield from ((path, last[path.parent] == path) for path in found)


def _due(log: PublishedLog, order: Order, start: int, *, is_last: bool) -> Part | Spared | None:
    """Give the part of a log from `start` that is over its time; None where nothing is."""
    if start >= log.size:
        return None
    closed = log.is_closed()
    times = list(takewhile(lambda at_s: at_s < order.before_s, _times(log, start, log.size)))
    old = start + len(times)
    if not times:
        return None
    if not closed:
        return Spared(origin=log.origin, why="it has not ended. Mend: start its worker anew")
    whole = old == log.size and not is_last
    end = log.size if whole else min(old, log.size - 1) // TILE_WIDTH * TILE_WIDTH
    if not whole and not order.partial:
        part = "all but its end is" if old == log.size else f"its first {old - start:,} entries are"
        return Spared(origin=log.origin, why=f"only {part} over their time. Mend: wait, or give --partial")
    if end <= start:
        return Spared(origin=log.origin, why="less than a bundle of 256 entries is over its time. Mend: wait")
    if order.shipped is not None and order.shipped.get(log.origin, 0) < log.size:
        return Spared(origin=log.origin, why="it is not shipped to every store yet. Mend: run `situs audit ship`")
    log.check_tree()
    return _part(log, end, times[: end - start])


def _part(log: PublishedLog, end: int, times: list[float]) -> Part:
    return Part(log=log, end=end, entries=len(times), oldest_s=min(times), newest_s=max(times))


def _held(parts: Iterable[Part], holds: tuple[Standing, ...]) -> tuple[Part, ...]:
    """Put to each part the holds that stand against pruning it."""
    return tuple(
        replace(part, holds=against(holds, origin=part.log.origin, oldest_s=part.oldest_s, newest_s=part.newest_s))
        for part in parts
    )


def _times(log: PublishedLog, start: int, end: int) -> Iterator[float]:
    """Give when each entry of a span was made."""
    for _, entry in islice(log.entries(start), end - start):
        yield _made_at(entry, log.directory)


def _made_at(entry: bytes, where: Path) -> float:
    """Give when an entry was made. Its time is its first field; only one that was not written so is parsed."""
    if entry[:1] == _AT_TAG and len(entry) >= _AT.size:
        at_s: float = _AT.unpack_from(entry)[1]
        return at_s
    return parse(entry, where).at_s
