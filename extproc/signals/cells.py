"""Active probes: asks each region's cells whether they are ready, how long the answer takes, and where they are.

A probe carries no user data and no header of a request, so probing an excluded region moves nothing across a border.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import httpx
import structlog

from extproc.core.ids import RegionId
from extproc.core.routing.health import Outcome
from extproc.signals.board import CellsSeen

PERIOD_S: Final = 1.0
TIMEOUT_S: Final = 1.0
_READY: Final = "/v2/health/ready"  # SPEC: Open Inference Protocol v2
_BEST: Final = (Outcome.OK, Outcome.FAILED, Outcome.UNREACHED)

_REGION: Final = "x-situs-region"
"""In which region a cell says that it is; cells that are not ours may say nothing."""

_log = structlog.get_logger(__name__)

Probed = Callable[[RegionId, CellsSeen], None]


class _Misplaced(Exception):  # noqa: N818 - an answer, not an error of ours
    """A cell says that it is in another region."""


async def probe_forever(endpoints: Mapping[RegionId, Sequence[str]], probed: Probed) -> None:
    """Probe every region's `endpoints` (each `host:port`) each period, each region on its own, until cancelled."""
    limits = httpx.Limits(max_keepalive_connections=sum(map(len, endpoints.values())))
    client = httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False)
    async with client, asyncio.TaskGroup() as group:
        for region, cells in endpoints.items():
            group.create_task(_probe_region(client, region, cells, probed))


async def _probe_region(client: httpx.AsyncClient, region: RegionId, cells: Sequence[str], probed: Probed) -> None:
    while True:
        began_s = time.monotonic()
        outcome, latency_s = await probe_region(client, region, cells)
        probed(region, CellsSeen(outcome=outcome, latency_s=latency_s))
        await asyncio.sleep(max(0.0, PERIOD_S - (time.monotonic() - began_s)))


async def probe_region(client: httpx.AsyncClient, region: RegionId, cells: Sequence[str]) -> tuple[Outcome, float]:
    """Ask every cell of a region once; give the best outcome, and the least time of those that had it, in seconds.

    One cell that says that it is in another region takes the whole region down: what is routed here would be processed
    there, and Envoy cannot be told to leave out a single endpoint.
    """
    answers = await asyncio.gather(*(_probe(client, region, cell) for cell in cells), return_exceptions=True)
    results: list[tuple[Outcome, float]] = []
    for answer in answers:
        if isinstance(answer, _Misplaced):
            _log.error("a cell is not where the mesh file says; its region is taken for down", error=str(answer))
            return Outcome.UNREACHED, 0.0
        if isinstance(answer, BaseException):
            raise answer
        results.append(answer)
    return min(results, key=lambda result: (_BEST.index(result[0]), result[1]))


async def _probe(client: httpx.AsyncClient, region: RegionId, cell: str) -> tuple[Outcome, float]:
    began_s = time.monotonic()
    try:
        response = await client.get(f"http://{cell}{_READY}")
    except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
        return Outcome.UNREACHED, time.monotonic() - began_s
    except httpx.HTTPError:
        return Outcome.FAILED, time.monotonic() - began_s
    took_s = time.monotonic() - began_s
    said = response.headers.get(_REGION, region)
    if said != region:
        raise _Misplaced(f"{cell} is listed under {region} and says that it is in {said}")
    return (Outcome.OK if response.status_code == httpx.codes.OK else Outcome.FAILED), took_s
