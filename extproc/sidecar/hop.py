"""The path of one request through the sidecar: read, decide, record, answer."""

import asyncio
from collections.abc import Callable
from typing import Final

from extproc.core.decide import decide
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny
from extproc.ledger.errors import LedgerError
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.live import Live
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.recorder import Recorder
from extproc.wire.response import Responder

_UNRECORDED: Final = Deny(refusal=Refusal.LOG_UNAVAILABLE, retry_after_s=1)


class Hop:
    """One request in, one answer out. The answer leaves only after the record of its decision is durable."""

    def __init__(
        self,
        *,
        live: Live,
        recorder: Recorder,
        deliveries: Deliveries,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._live = live
        self._recorder = recorder
        self._deliveries = deliveries
        self._metrics = metrics
        self._clock = clock
        self._ids = DecisionIds()
        self._responder = Responder()

    async def __call__(self, message: bytes) -> bytes:
        """Answer one serialised `ProcessingRequest`, whatever is in it."""
        current = self._live.current
        now_s = self._clock()
        decision_id = self._ids.make(now_s)

        # 1. What is known of the request.
        facts = current.reader.read(message)

        # 2. The decision, pure.
        decision = decide(facts, current.snapshot, now_s=now_s, decision_id=decision_id)

        # 3. Its record, as durable as the mode promises. Without one the decision is not released. What Envoy does
        #    with it is awaited from before the release, because Envoy may report at once.
        self._deliveries.expect(decision, current.regions)
        try:
            await self._recorder.record_decision(decision)
        except LedgerError:
            self._deliveries.forget(decision_id)
            self._metrics.unrecorded.inc()
            return self._responder.respond(_UNRECORDED, decision_id)
        except asyncio.CancelledError:
            # Envoy gave the request up. The decision may still be recorded, but it is not released.
            self._deliveries.forget(decision_id)
            raise

        # 4. The answer.
        self._metrics.decided(decision.steering)
        return self._responder.respond(decision.steering, decision_id)
