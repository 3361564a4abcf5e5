"""Joins what was decided with what Envoy reports, and records each delivery once.

Envoy logs attempts and the ended request on two streams that are flushed apart, so a request waits until every attempt
that Envoy counted was seen, or until a grace is over. Decisions wait longer: a request may stream for minutes.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from extproc.core.decide import Decision
from extproc.core.delivery import Attempt, Delivery, Intent, Order, intent_of, reconcile
from extproc.core.ids import DecisionId, ModelId, RegionId
from extproc.sidecar.inflight import InFlight
from extproc.wire.access_log import AttemptEnded, Ended, RequestEnded

GRACE_S: Final = 2.0
"""How long an ended request waits for attempts that were counted but not seen: ten flush intervals."""

FORGOTTEN_AFTER_S: Final = 900.0
"""How long a decision waits for Envoy's report. Later ones are recorded as decided elsewhere, and the auditor joins."""

MOST_AWAITED: Final = 50_000
"""Five times what one Envoy is configured to have in flight; at 400 bytes each."""

_LAST: Final = range(100, 500)
"""ENVOY: statuses of attempts that are never tried again, whatever the mesh file says. The word that the request is
over comes on another stream, up to a flush interval later: until then it is not in the next region."""

_MOST_GIVEN_UP: Final = 1000
"""At one settling, so that a burst of them does not hold up the requests of today."""


@dataclass(slots=True, kw_only=True)
class _Awaited:
    """One request of which not everything is known yet."""

    since_s: float
    intent: Intent | None = None
    regions: Mapping[str, RegionId] = field(default_factory=dict)
    """From cluster to region as of the decision: a cluster may change hands while its requests are on their way."""
    attempts: list[Attempt] = field(default_factory=list)
    ended: RequestEnded | None = None
    model: ModelId | None = None


class Deliveries:
    """Requests whose delivery is awaited, by decision id, oldest first.

    `clock` gives monotonic seconds: a step of the wall clock must not forget what is on its way. `deliver` is called
    once for each request whose story is complete, `tried` for each attempt in a region as it is reported, with the
    model that it asked for. `in_flight` counts where the requests are. `orders` gives the legal orders that this log
    has recorded. `forgotten` counts what was given up.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        deliver: Callable[[Delivery], None],
        tried: Callable[[AttemptEnded, ModelId | None], None],
        in_flight: InFlight,
        orders: Callable[[], Sequence[Order]] = lambda: (),
    ) -> None:
        self._clock = clock
        self._deliver = deliver
        self._tried = tried
        self._in_flight = in_flight
        self._orders = orders
        # Ordered, because taking the oldest from a plain dict walks over all that were taken before.
        self._awaited: OrderedDict[DecisionId, _Awaited] = OrderedDict()
        self._ended: dict[DecisionId, float] = {}
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._awaited)

    def expect(self, decision: Decision, regions: Mapping[str, RegionId]) -> None:
        """Await the delivery of a decision; `regions` are those of Envoy's clusters at its time.

        Of a refusal nothing should come but Envoy's word that it is over; anything else must be seen.
        """
        now_s = self._clock()
        intent = intent_of(decision)
        awaited = _Awaited(since_s=now_s, intent=intent, regions=regions, model=decision.facts.model)
        self._await(decision.id, awaited)
        if intent.plan:
            self._in_flight.began(decision.id, intent.plan, now_s)

    def forget(self, decision: DecisionId) -> None:
        """Stop awaiting a decision that was not released."""
        self._awaited.pop(decision, None)
        self._ended.pop(decision, None)
        self._in_flight.ended(decision)

    def take(self, ended: Ended) -> None:
        """Take one entry of Envoy's access log."""
        awaited = None if ended.decision is None else self._awaited.get(ended.decision)
        if isinstance(ended, AttemptEnded) and ended.attempt.region is not None:
            self._tried(ended, None if awaited is None else awaited.model)
        if ended.decision is None:
            self._take_undecided(ended)
            return
        if awaited is None:
            awaited = self._await(ended.decision, _Awaited(since_s=self._clock()))
        if isinstance(ended, AttemptEnded):
            awaited.attempts.append(ended.attempt)
            if ended.attempt.status in _LAST:
                self._in_flight.ended(ended.decision)
            else:
                self._in_flight.left(ended.decision, ended.attempt.region)
        else:
            awaited.ended = ended
            self._ended[ended.decision] = self._clock()
            self._in_flight.ended(ended.decision)
        # A request that reached nobody, by Envoy's count, still waits for its grace: an attempt would contradict it.
        if awaited.ended is not None and 0 < awaited.ended.attempts <= len(awaited.attempts):
            self._complete(ended.decision, awaited, awaited.ended)

    def settle(self) -> None:
        """Record what has waited for its grace, and give up what has waited too long. Call it about once a second."""
        now_s = self._clock()
        self._in_flight.settle(now_s)
        for decision in [d for d, at_s in self._ended.items() if now_s - at_s >= GRACE_S]:
            awaited = self._awaited[decision]
            if awaited.ended is not None:
                self._complete(decision, awaited, awaited.ended)
        for _ in range(min(_MOST_GIVEN_UP, len(self._awaited))):
            decision, awaited = next(iter(self._awaited.items()))
            if now_s - awaited.since_s < FORGOTTEN_AFTER_S:
                break
            self._give_up(decision, awaited)

    def finish(self) -> None:
        """Record everything that was reported, whatever is still missing; for the end of the process."""
        for decision, awaited in list(self._awaited.items()):
            if awaited.ended is not None:
                self._complete(decision, awaited, awaited.ended)
            elif awaited.attempts:
                self._give_up(decision, awaited)

    def _await(self, decision: DecisionId, awaited: _Awaited) -> _Awaited:
        """Await one more, and give up the oldest where that would be too many."""
        if len(self._awaited) >= MOST_AWAITED:
            self._give_up(*next(iter(self._awaited.items())))
        self._awaited[decision] = awaited
        return awaited

    def _give_up(self, decision: DecisionId, awaited: _Awaited) -> None:
        """Stop waiting for Envoy's last word; attempts that were seen are recorded all the same."""
        if not awaited.attempts:
            self.forget(decision)
            self.forgotten += awaited.intent is not None and bool(awaited.intent.plan)
            return
        self.forgotten += 1
        last = awaited.attempts[-1]
        ended = RequestEnded(
            decision=decision,
            attempts=len(awaited.attempts),
            served=last.region if last.status else None,
            status=last.status,
            began_at_s=awaited.attempts[0].began_at_s,
            duration_s=last.duration_s,
        )
        self._complete(decision, awaited, ended)

    def _take_undecided(self, ended: Ended) -> None:
        """Take a request without a decision. It matters only if it reached somebody: then it is a violation."""
        if isinstance(ended, AttemptEnded):
            attempt = ended.attempt
            self._deliver(
                Delivery(
                    decision=None,
                    attempts=(attempt,),
                    attempts_expected=1,
                    served=attempt.region if attempt.status else None,
                    status=attempt.status,
                    began_at_s=attempt.began_at_s,
                    duration_s=attempt.duration_s,
                    finding=reconcile(None, None, (attempt,)),
                )
            )

    def _complete(self, decision: DecisionId, awaited: _Awaited, ended: RequestEnded) -> None:
        self.forget(decision)
        if awaited.intent is not None and not awaited.intent.plan and not awaited.attempts:
            return  # a refusal that reached nobody, as it must
        attempts = tuple(
            replace(attempt, region=awaited.regions.get(attempt.cluster, attempt.region))
            for attempt in sorted(awaited.attempts, key=lambda attempt: attempt.began_at_s)
        )
        self._deliver(
            Delivery(
                decision=decision,
                attempts=attempts,
                attempts_expected=ended.attempts,
                served=ended.served,
                status=ended.status,
                began_at_s=ended.began_at_s,
                duration_s=ended.duration_s,
                finding=reconcile(decision, awaited.intent, attempts, self._orders()),
            )
        )
