"""A system that is started for the drill: the demo's world, whose regions answer like larger models.

The way to each cell lasts the declared round trip and :data:`SERVICE_S`, so that a region has room to become slower.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables
from extproc.demo.client import Client
from extproc.demo.places import ADDRESSES
from extproc.demo.received import Received
from extproc.demo.visits import REGION_HEADER, VISITS, Answer, Digits, Visit
from extproc.demo.world import World
from extproc.drill.demo_faults import FAULTS
from extproc.drill.evidence import Evidence, read_evidence
from extproc.drill.scenarios import Scenario
from extproc.drill.system import Fault
from extproc.ledger.housekeeping import DrillMode
from extproc.names import DECISION_HEADER

SERVICE_S: Final = 0.040
_GERMANY: Final = next(visit for visit in VISITS if visit.who == "Germany")
_MARGIN_S: Final = 1.0
_IMAGES: Final = 50
_SERVED: Final = 200


class DemoSystem:
    """A running world, visited by German clients. Close it before the world is stopped."""

    mode = DrillMode.DEMO

    def __init__(self, world: World, digits: Digits) -> None:
        self.world = world
        self._client = Client(world.port)
        self._requests = [_request(_GERMANY, digits.body(index)) for index in range(_IMAGES)]
        self._tables = world.tables()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.close()

    @property
    def tables(self) -> PolicyTables:
        """The policy of the world as it was at its start."""
        return self._tables

    async def send(self, index: int) -> Answer:
        """Send an image of a digit, as a German client."""
        at_s = time.monotonic()
        reply = await self._client.ask(self._requests[index % _IMAGES])
        return Answer(
            status=reply.status,
            region=reply.headers.get(REGION_HEADER),
            decision=reply.headers.get(DECISION_HEADER),
            reason=None if reply.status in (0, _SERVED) else _reason(reply.body),
            digit=None,
            at_s=at_s,
            latency_s=time.monotonic() - at_s,
        )

    def fault(self, scenario: Scenario, region: RegionId) -> Fault:
        """Prepare a fault; this world can do them all."""
        return FAULTS[scenario](self.world, region)

    async def evidence(self, since_s: float, decisions: frozenset[str]) -> Evidence:  # noqa: ARG002 - its log is closed
        """Read the log, once the world is stopped and has said all."""
        return await asyncio.to_thread(read_evidence, self.world.folder.log, since_s - _MARGIN_S)

    def received(self) -> Sequence[Received]:
        """Give what the cells say that they received."""
        return list(self.world.received())


def _request(visit: Visit, body: bytes) -> bytes:
    """Make a request as it goes over the wire, beforehand: what the load costs, the system that is measured lacks."""
    return (
        f"POST /v2/models/{visit.model}/infer HTTP/1.1\r\nhost: demo\r\ncontent-type: application/json\r\n"
        f"x-forwarded-for: {ADDRESSES[visit.address]}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def _reason(body: bytes) -> str | None:
    with suppress(ValueError):
        refusal = json.loads(body)
        return str(refusal["reason"]) if isinstance(refusal, dict) and "reason" in refusal else None
    return None
