"""One region's copy: the entries of every log of the region, in order, to a topic."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from extproc.ledger.tiles import TILE_WIDTH
from extproc.ship.errors import DestinationRefusedError, ShipError, StoreAwayError, TileMissingError
from extproc.ship.lane import LOOK_EVERY_S, Report
from extproc.ship.local_log import LocalLog
from extproc.ship.status import LogStatus
from extproc.ship.tree import CheckedTree

_BUNDLES: Final = 16
"""Most bundles that are copied in one transaction: 4,096 entries."""
_NODE_PARTS: Final = 4


class Copy(Protocol):
    """A topic, as :class:`extproc.ship.kafka.KafkaTopic` is one."""

    @property
    def location(self) -> str:
        """The topic, as a person would write it."""
        ...

    def begin(self) -> None:
        """Learn how far each log was copied. Raises StoreAwayError and DestinationRefusedError."""
        ...

    def position(self, origin: str) -> int:
        """Give the index of the first entry of a log that was not copied."""
        ...

    def copy(self, origin: str, first: int, entries: Sequence[bytes], end: int) -> None:
        """Copy entries from `first` on and note `end` as the position, both or neither. Raises StoreAwayError."""
        ...


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What is remembered of a log while the process lives."""

    size: int = 0
    pruned: int = 0
    whole_at_s: float
    looks: object = None


class CopyLane:
    """Copies the logs of one region. Used by one thread."""

    def __init__(self, region: str, open_copy: Callable[[str], Copy]) -> None:
        self.region = region
        self._open = open_copy
        self._copies: dict[str, Copy] = {}
        self._seen: dict[str, _Seen] = {}
        self.look_every_s = LOOK_EVERY_S
        self.to = open_copy("").location

    def close(self) -> None:
        """Let go of the topics."""
        self._copies.clear()

    def start(self) -> None:
        """Wait for the first log: who copies is known by its node."""

    def ship(self, logs: Mapping[LocalLog, str], *, everything: bool, report: Report) -> None:
        """Copy what there is of these logs; nothing waits for a period. Raises as a store's lane does."""
        del everything
        for log, origin in logs.items():
            seen = self._seen.setdefault(log.name, _Seen(whole_at_s=time.time()))
            node = "/".join(origin.split("/")[:_NODE_PARTS])
            copy = self._copies.get(node) or self._copies.setdefault(node, self._open(node))
            error: ShipError | None = None
            try:
                copy.begin()
                for _ in self._copy_log(log, origin, copy, seen):
                    report(self._status(log, origin, copy, seen, None))
            except (StoreAwayError, DestinationRefusedError):
                report(self._status(log, origin, copy, seen, None))
                raise
            except ShipError as found:
                error = found
            report(self._status(log, origin, copy, seen, error))

    def _copy_log(self, log: LocalLog, origin: str, copy: Copy, seen: _Seen) -> Iterator[int]:
        """Copy what is missing, giving the position after each transaction."""
        looks = log.looks()
        if seen.looks == looks:
            seen.whole_at_s = time.time()
            return
        published = log.published()
        seen.size = published.size
        tree = CheckedTree(log, published.size)
        position = copy.position(origin)
        while position < published.size:
            entries: list[bytes] = []
            first = position
            for _ in range(_BUNDLES):
                if position >= published.size:
                    break
                index = position // TILE_WIDTH
                try:
                    bundle = tree.entries(index)
                except TileMissingError:
                    if not self._is_pruned(log, tree, index):
                        raise
                    if entries:
                        break
                    # Retention was faster than the copy. The position passes over what is gone.
                    seen.pruned += TILE_WIDTH - position % TILE_WIDTH
                    first = position = (index + 1) * TILE_WIDTH
                    continue
                entries += bundle[position % TILE_WIDTH :]
                position = index * TILE_WIDTH + len(bundle)
            copy.copy(origin, first, entries, position)
            yield position
        seen.whole_at_s = time.time()
        seen.looks = looks

    @staticmethod
    def _is_pruned(log: LocalLog, tree: CheckedTree, index: int) -> bool:
        """Tell whether a missing bundle is of the pruned beginning: nothing is below it either."""
        if (index + 1) * TILE_WIDTH > tree.size:
            return False
        return index == 0 or log.is_missing(index - 1)

    def _status(self, log: LocalLog, origin: str, copy: Copy, seen: _Seen, error: ShipError | None) -> LogStatus:
        copied = copy.position(origin)
        is_whole = error is None and copied >= seen.size
        return LogStatus(
            log=log.name,
            origin=origin,
            region=self.region,
            to=self.to,
            size=seen.size,
            shipped=copied,
            uploaded=copied,
            lag_s=0.0 if is_whole else max(0.0, time.time() - seen.whole_at_s),
            pruned=seen.pruned,
            error=None if error is None else str(error),
        )
