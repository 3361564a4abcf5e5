"""What a cell says of its own load, and what follows from it for a budget.

A report only ever lowers a budget, and only for as long as it is fresh: what sidecars believe of a region a few seconds
late makes all of them move at once, so it is a bound and never a reason to go somewhere.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

PERIOD_S: Final = 1.0
"""Between two reports: the period of the probes that bring them."""
FRESH_S: Final = 3 * PERIOD_S
"""A report that is older is ignored."""
TARGET_UTILIZATION: Final = 0.85
"""What a region may be used to before its report bounds the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """A cell's own view of its load. `utilization` is 1 where it is fully used; None where it says nothing of it.

    `queued` are requests that wait in the cell, `at_s` is when the report was received, in Unix seconds.
    SPEC: xds.data.orca.v3.OrcaLoadReport (`application_utilization`, and `queue_depth` of the named metrics).
    """

    utilization: float | None
    queued: float | None
    at_s: float


def cap_of(report: LoadReport, in_flight: int) -> float:
    """Give the most requests in flight that the report leaves, where `in_flight` were there when it was made.

    Infinite where it does not bound: below the target, and where the cell says that nobody waits, because one that is
    fully used and lets nobody wait is just right. Never below 1: a budget that is 0 would never learn anything again.
    """
    if report.utilization is None or report.utilization <= TARGET_UTILIZATION or report.queued == 0:
        return inf
    return max(1.0, in_flight * TARGET_UTILIZATION / report.utilization)
