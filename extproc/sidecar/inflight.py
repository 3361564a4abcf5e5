"""How many requests are in each region at this moment, as this process has released them and Envoy has reported them.

A request counts where its plan says that Envoy tries it first, and moves on when Envoy reports that an attempt there
failed. Envoy reports the end of a request up to a flush interval late, and nothing at all when its log is cut off: then
nothing can be counted, and no budget holds until it can be again.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extproc.core.ids import DecisionId, RegionId


class Counters(Protocol):
    """Where requests in flight are counted, by the region's index in a list that never changes while a process runs."""

    def add(self, index: int, change: int) -> None:
        """Count requests that came, or with a negative number went."""
        ...

    def totals(self) -> Sequence[int]:
        """Give the requests in each region, those of all processes beside this one included."""
        ...


class OwnCounters:
    """Counters of a process that is alone."""

    def __init__(self, regions: int) -> None:
        self._counts = [0] * regions

    def add(self, index: int, change: int) -> None:
        """Count requests that came, or with a negative number went."""
        self._counts[index] += change

    def totals(self) -> Sequence[int]:
        """Give the requests in each region."""
        return self._counts


@dataclass(slots=True, kw_only=True)
class _Request:
    plan: tuple[RegionId, ...]
    since_s: float
    index: int
    """Of the region in which it is counted."""


class InFlight:
    """Where each request is that was released and has not ended, oldest first.

    Times are the caller's, monotonic seconds. A request that is older than `longest_s` is not counted any more: Envoy
    ends every request in that time, so its report was lost.
    """

    def __init__(self, counters: Counters, catalogue: Sequence[RegionId], *, longest_s: float) -> None:
        """Count in `counters`, whose indices are those of `catalogue`."""
        self._counters = counters
        self._index = {region: i for i, region in enumerate(catalogue)}
        self._longest_s = longest_s
        self._requests: OrderedDict[DecisionId, _Request] = OrderedDict()
        self._streams = 0

    @property
    def streams(self) -> int:
        """Give the number of streams on which Envoy reports. With none, nothing is counted."""
        return self._streams

    def opened(self) -> None:
        """Note that Envoy opened a stream of reports."""
        self._streams += 1

    def closed(self) -> None:
        """Note that a stream of reports ended. After the last, what is counted is forgotten: its reports are lost."""
        self._streams -= 1
        if not self._streams:
            for decision in list(self._requests):
                self.ended(decision)

    def began(self, decision: DecisionId, plan: tuple[RegionId, ...], now_s: float) -> None:
        """Count a request that is released now along `plan`."""
        index = self._index.get(plan[0])
        if index is None or not self._streams:
            return
        self._requests[decision] = _Request(plan=plan, since_s=now_s, index=index)
        self._counters.add(index, 1)

    def left(self, decision: DecisionId, region: RegionId | None) -> None:
        """Note that an attempt of the request in `region` is over: if there is another, it is in the plan's next."""
        request = self._requests.get(decision)
        if request is None or region is None or self._index.get(region) != request.index:
            return
        position = request.plan.index(region) + 1
        if position < len(request.plan) and (index := self._index.get(request.plan[position])) is not None:
            self._counters.add(request.index, -1)
            self._counters.add(index, 1)
            request.index = index

    def ended(self, decision: DecisionId) -> None:
        """Note that a request is over, or was never released."""
        request = self._requests.pop(decision, None)
        if request is not None:
            self._counters.add(request.index, -1)

    def settle(self, now_s: float) -> None:
        """Give up requests that must have ended long ago."""
        while self._requests:
            decision, oldest = next(iter(self._requests.items()))
            if now_s - oldest.since_s < self._longest_s:
                return
            self.ended(decision)

    def of(self, region: RegionId) -> int:
        """Give the requests that are in a region now."""
        index = self._index.get(region)
        return 0 if index is None else max(0, self._counters.totals()[index])

    def at(self, catalogue: Sequence[RegionId]) -> Sequence[int]:
        """Give the requests in each region of a policy's catalogue; empty while they cannot be counted."""
        if not self._streams:
            return ()
        totals = self._counters.totals()
        if len(catalogue) == len(self._index):
            return totals  # a reload only ever takes regions away, so this is the same catalogue
        return [totals[self._index[region]] for region in catalogue]
