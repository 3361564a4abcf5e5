"""A region's cells: parallel servers behind one queue, first come, first served.

When a request will end is known when it arrives, because nothing that comes later can overtake it and the spells of the
world are known; so a request costs one look at a heap, and no events of its own.
"""

from bisect import bisect_right
from heapq import heapify, heappop, heappush, heapreplace
from math import inf

from extproc.core.routing.health import Outcome


class Cells:
    """The servers of one region. Calls must come in order of time."""

    def __init__(self, servers: int, slowness: list[tuple[float, float | None]]) -> None:
        """Serve with `servers`, as slowly as `slowness` tells from each of its times on; None is down."""
        self.servers = servers
        self._times = [at_s for at_s, _ in slowness]
        self._slowness = [slow for _, slow in slowness]
        self._free_s = [0.0] * servers
        self._ends_s: list[float] = []
        self._coming_s: list[float] = []
        self._lives = 0

    def slowness_at(self, now_s: float) -> float | None:
        """Give how many times slower than usual the region works; None while it is down."""
        return self._slowness[bisect_right(self._times, now_s) - 1]

    def present(self, now_s: float) -> int:
        """Give how many requests are here, waiting or worked on."""
        ends_s = self._ends_s
        while ends_s and ends_s[0] <= now_s:
            heappop(ends_s)
        return len(ends_s)

    def take(self, now_s: float, work_s: float, until_s: float) -> tuple[Outcome, float]:
        """Take a request that is given up at `until_s`: how it will end, and when."""
        segment = bisect_right(self._times, now_s) - 1
        if self._slowness[segment] is None:
            return Outcome.UNREACHED, now_s
        self._restart(segment)
        start_s = max(now_s, self._free_s[0])
        dies_s = self._dies_after(segment)
        if start_s >= until_s:
            # It leaves the queue without having been worked on.
            ends_s = min(until_s, dies_s)
            heappush(self._ends_s, ends_s)
            return Outcome.FAILED, ends_s
        done_s = self._done_s(start_s, work_s)
        heapreplace(self._free_s, done_s)
        heappush(self._ends_s, min(done_s, dies_s))
        if min(until_s, dies_s) < done_s:
            return Outcome.FAILED, min(until_s, dies_s)
        return Outcome.OK, done_s

    def _restart(self, segment: int) -> None:
        """Begin anew with free servers after each time that the region was down."""
        lives = self._slowness[: segment + 1].count(None)
        if lives != self._lives:
            self._lives = lives
            self._free_s = [self._times[segment]] * self.servers
            heapify(self._free_s)

    def _dies_after(self, segment: int) -> float:
        for i in range(segment + 1, len(self._times)):
            if self._slowness[i] is None:
                return self._times[i]
        return inf

    def _done_s(self, start_s: float, work_s: float) -> float:
        """Give when work that begins at `start_s` is done, through all changes of speed."""
        times, last = self._times, len(self._times) - 1
        i = bisect_right(times, start_s) - 1
        while True:
            slow = self._slowness[i]
            if slow is None:
                return inf
            done_s = start_s + work_s * slow
            if i == last or done_s <= times[i + 1]:
                return done_s
            work_s -= (times[i + 1] - start_s) / slow
            start_s = times[i + 1]
            i += 1

    def expect(self, when_s: float) -> None:
        """Note that a request will arrive at `when_s`, for who may know it."""
        heappush(self._coming_s, when_s)

    def coming(self, now_s: float) -> int:
        """Give how many requests are on their way that were told of."""
        coming_s = self._coming_s
        while coming_s and coming_s[0] < now_s:
            heappop(coming_s)
        return len(coming_s)
