"""How long a model's requests take in a region while nothing is in their way.

The mean of a few dozen, of their logarithms, so that one slow request moves it little; and of such means the least of
the last 30 to 60 s, so that a region that has become another one is believed after a minute.
"""

from math import inf, log
from typing import Final, NamedTuple

WINDOW_S: Final = 30.0
"""A minimum is kept for one to two of these."""
SAMPLE: Final = 32
"""So many requests make one mean, at least."""
SAMPLE_S: Final = 2.0
"""And it takes so long at least: of many small means the least would be far below what is usual."""
GIVES_WAY: Final = log(1.1)
"""By how much the best gives way with each window."""
LEAST_S: Final = 1e-6
"""A duration is at least so long: the ratio to nothing says nothing."""

_new: Final = tuple.__new__


class Pace(NamedTuple):
    """Of one model in one region, in logarithms of seconds. A tuple, because one is made for each attempt.

    `requests` since `began_s` add up to `total`. `low` is the least mean since `since_s`, `before` that of the
    window before. `lowest` is the least for much longer: it gives way by a tenth with each window.
    """

    requests: int
    total: float
    began_s: float
    low: float
    before: float
    lowest: float
    since_s: float

    @property
    def baseline(self) -> float:
        """Give how long a request takes while nothing is in its way."""
        low, before = self.low, self.before
        if before < low:
            return before
        # Until there is a mean, that of the few there are.
        return self.total / self.requests if low == inf else low


def first(logarithm: float, *, now_s: float) -> Pace:
    """Give the pace after the first request."""
    return Pace(1, logarithm, now_s, inf, inf, inf, now_s)


def paced(pace: Pace, logarithm: float, *, now_s: float) -> Pace:
    """Give the pace after another request."""
    requests, total, began_s, low, before, lowest, since_s = pace
    requests += 1
    total += logarithm
    # A clock that was set back must not keep a mean or a window open.
    if requests < SAMPLE or 0.0 <= now_s - began_s < SAMPLE_S:
        # Not through the constructor, which takes three times as long. The fields are those of Pace, in their order.
        return _new(Pace, (requests, total, began_s, low, before, lowest, since_s))
    mean = total / requests
    if 0.0 <= now_s - since_s < WINDOW_S:
        return Pace(0, 0.0, now_s, min(low, mean), before, min(lowest, mean), since_s)
    return Pace(0, 0.0, now_s, mean, low, min(lowest + GIVES_WAY, mean), now_s)
