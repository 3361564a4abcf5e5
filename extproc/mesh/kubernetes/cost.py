"""What a request costs, and what is requested of the cluster for it.

The figures are those of `bench/results/latest.md`: the rung "all of it, fsync" of the ladder of CPU per request, at
saturation, on two shared virtual cores. They are of that machine: whoever has measured another changes the requests
with an overlay.
"""

from math import ceil, floor
from typing import Final

SITUS_US: Final = 1400
"""CPU of the sidecar for one request, microseconds: decision, record, and the reports of what happened."""
ENVOY_US: Final = 640
"""CPU of Envoy for one request, microseconds, with a small body in plain text."""
BUSY: Final = 0.7
"""How busy a CPU is to be at the most requests: beyond it, waiting grows faster than work."""
_LEAST_MILLIS: Final = 100
_MILLION: Final = 1_000_000


def cpu_millis(requests_per_s: int, cost_us: int) -> int:
    """Give the CPU to request, in thousandths, rounded up to ten."""
    return max(_LEAST_MILLIS, 10 * ceil(requests_per_s * cost_us / _MILLION / BUSY * 100))


def most_requests_per_s(workers: int) -> int:
    """Give how many requests a second so many workers are to have at most. A worker is one process on one CPU."""
    return floor(workers * BUSY * _MILLION / SITUS_US)


def envoy_threads(requests_per_s: int) -> int:
    """Give the number of Envoy's workers: as many as the CPUs that it is given, rounded up."""
    return ceil(cpu_millis(requests_per_s, ENVOY_US) / 1000)


def situs_mib(workers: int) -> int:
    """Give the memory of the sidecar, in MiB: several times of what it held with small tables (87), for each worker."""
    return 256 * workers + (128 if workers > 1 else 0)
