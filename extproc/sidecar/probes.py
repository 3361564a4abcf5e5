"""Active probes: asks each region's cell whether it is ready, and how long the answer takes.

A probe carries no user data and no header of a request, so probing an excluded region moves nothing across a border.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from extproc.core.health import Outcome
from extproc.core.ids import RegionId

PERIOD_S: Final = 1.0
TIMEOUT_S: Final = 1.0
_READY: Final = "/v2/health/ready"  # SPEC: Open Inference Protocol v2

Probed = Callable[[RegionId, Outcome, float], None]


async def probe_forever(endpoints: Mapping[RegionId, str], probed: Probed) -> None:
    """Probe every region's `endpoints` (`host:port`) each period, each on its own, until cancelled."""
    limits = httpx.Limits(max_keepalive_connections=len(endpoints))
    client = httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False)
    async with client, asyncio.TaskGroup() as group:
        for region, endpoint in endpoints.items():
            group.create_task(_probe_region(client, region, endpoint, probed))


async def _probe_region(client: httpx.AsyncClient, region: RegionId, endpoint: str, probed: Probed) -> None:
    while True:
        began_s = time.monotonic()
        outcome = await _probe(client, endpoint)
        took_s = time.monotonic() - began_s
        probed(region, outcome, took_s)
        await asyncio.sleep(max(0.0, PERIOD_S - took_s))


async def _probe(client: httpx.AsyncClient, endpoint: str) -> Outcome:
    try:
        response = await client.get(f"http://{endpoint}{_READY}")
    except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
        return Outcome.UNREACHED
    except httpx.HTTPError:
        return Outcome.FAILED
    return Outcome.OK if response.status_code == httpx.codes.OK else Outcome.FAILED
