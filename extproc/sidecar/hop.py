"""The path of one request through the sidecar: read, decide, record, answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from extproc.core.decide import Decision, Permitted, decide, rule
from extproc.core.evidence import Private, ReleaseMode, durability_of
from extproc.core.facts import ClassSignal, ClassSource, RequestFacts
from extproc.core.ids import DecisionId
from extproc.core.reasons import Refusal
from extproc.core.routing.affinity import preferences
from extproc.core.routing.choose import Moment
from extproc.core.shadow import difference
from extproc.core.steering import Deny
from extproc.ledger.errors import LedgerError
from extproc.ledger.ids import id_to_bytes
from extproc.sealed.errors import KeyStoreError
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.inflight import InFlight
from extproc.sidecar.live import Current, Live, Reader
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.recorder import Recorder
from extproc.wire.identity import identity
from extproc.wire.payload import Body
from extproc.wire.request import Received, receive
from extproc.wire.response import Phase, Responder
from extproc.wire.session import session_key

_UNRECORDED: Final = Deny(refusal=Refusal.LOG_UNAVAILABLE, retry_after_s=1)


class Hop:
    """One request in, one answer out. The answer leaves only after the record of its decision is durable."""

    def __init__(  # noqa: PLR0913 - the parts of the path, each by name
        self,
        *,
        live: Live,
        recorder: Recorder,
        deliveries: Deliveries,
        in_flight: InFlight,
        metrics: Metrics,
        clock: Callable[[], float],
        ids: DecisionIds | None = None,
    ) -> None:
        self._live = live
        self._recorder = recorder
        self._deliveries = deliveries
        self._in_flight = in_flight
        self._metrics = metrics
        self._clock = clock
        self._ids = ids or DecisionIds()
        self._responder = Responder()

    async def __call__(self, message: bytes) -> bytes:
        """Answer one serialised `ProcessingRequest` with the headers of a request, whatever is in it."""
        return await self.answer(message, None)

    async def answer(self, message: bytes, body: Body | None) -> bytes:
        """Answer the headers of a request, or with `body` its payload, of which the headers came before."""
        return await self._take(self._live.current, receive(message), body, self._clock())

    async def preview(self, message: bytes) -> bytes | None:
        """Answer the headers of a request whose payload is still to come, if no payload could change the refusal.

        A payload only adds classes, and a class only takes regions away, so what is refused without it stays refused.
        """
        current, now_s = self._live.current, self._clock()
        received = receive(message)
        facts = current.reader.requests.facts(received, now_s)
        snapshot = current.snapshot
        unfit = snapshot.unfit(facts.model)
        if isinstance(rule(facts, snapshot.policy, snapshot.suspensions, now_s=now_s, unfit=unfit), Permitted):
            return None
        return await self._take(current, received, None, now_s)

    async def _take(self, current: Current, received: Received | None, body: Body | None, now_s: float) -> bytes:
        decision_id = self._ids.make(now_s)
        phase = Phase.HEADERS if body is None else Phase.BODY if body.complete else Phase.PART

        # 1. What is known of the request.
        facts = _facts(current.reader, received, body, now_s)
        shadow_facts = None if current.shadow is None else _facts(current.shadow, received, body, now_s)

        # 2. The decision, pure.
        decision = decide(
            facts,
            current.snapshot,
            now_s=now_s,
            decision_id=decision_id,
            shadow_facts=shadow_facts,
            moment=self._moment(current, received, decision_id),
        )

        # 3. Its record, as durable as the mode promises. Without one the decision is not released. What Envoy does
        #    with it is awaited from before the release, because Envoy may report at once.
        self._deliveries.expect(decision, current.regions)
        try:
            await self._recorder.record_decision(
                decision, mode=self._mode_of(current, decision), private=_private(current, received, decision)
            )
        except (LedgerError, KeyStoreError) as error:
            if isinstance(error, KeyStoreError):
                self._recorder.lose_unsealed()
            self._deliveries.forget(decision_id)
            self._metrics.unrecorded.inc()
            return self._responder.respond(_UNRECORDED, decision_id, phase=phase)
        except BaseException:
            # Envoy gave the request up, or a fault of ours. It may still be recorded, but it is not released.
            self._deliveries.forget(decision_id)
            raise

        # 4. The answer.
        self._metrics.decided(decision.steering, difference(decision))
        path = (received.path if received is not None else None) or b""
        return self._responder.respond(decision.steering, decision_id, phase=phase, path=path)

    def _moment(self, current: Current, received: Received | None, decision_id: DecisionId) -> Moment:
        """Say where requests are now, and which regions this request's session prefers.

        Where regions have weights, a request without a session is one of its own.
        """
        key = session_key(received, current.reading)
        if key is None and current.weights:
            key = decision_id.encode()
        return Moment(
            in_flight=self._in_flight.at(current.catalogue),
            preference=() if key is None else preferences(key, current.catalogue, current.weights),
        )

    def _mode_of(self, current: Current, decision: Decision) -> ReleaseMode | None:
        """Tell what the release of this decision waits for; None for what the log's own mode says."""
        evidence = current.reading.evidence
        if not evidence.has_modes:
            return None
        return durability_of(evidence, decision.verdict, decision.facts.model, served=self._recorder.mode)


def _private(current: Current, received: Received | None, decision: Decision) -> Private | None:
    """Make what the record holds of the person concerned. Raises KeyStoreError."""
    if current.sealer is None:
        return None
    who = identity(received, current.reading)
    return current.sealer.private(
        tenant=decision.facts.tenant,
        decision_id=id_to_bytes(decision.id),
        now_s=decision.decided_at_s,
        subject=who.subject,
        request_id=who.request_id,
        address=who.address,
    )


def _facts(reader: Reader, received: Received | None, body: Body | None, now_s: float) -> RequestFacts:
    """Read a request as one policy tells, payload included."""
    facts = reader.requests.facts(received, now_s)
    if reader.payloads is None or body is None or facts.faults:
        return facts
    found = reader.payloads.classify(body.data, complete=body.complete, encoded=body.encoded)
    classes = tuple(
        ClassSignal(source=ClassSource.PAYLOAD, data_class=each.data_class, detail=each.by) for each in found
    )
    return replace(facts, classes=(*facts.classes, *classes)) if classes else facts
