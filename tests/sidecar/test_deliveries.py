"""Joining what was decided with what Envoy reports, in every order in which reports can come."""

from itertools import permutations

import pytest
from ledger.world import suspension

from extproc.core.decide import Decision
from extproc.core.delivery import Attempt, Delivery, Finding, Order
from extproc.core.facts import Binding, RequestFacts
from extproc.core.ids import ConfigRevision, DecisionId, ModelId, RegionId, RegionMask
from extproc.core.jurisdiction import Jurisdictions, RegionVerdict, Verdict
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.steering import Deny, Steer
from extproc.sidecar import deliveries as module
from extproc.sidecar.deliveries import FORGOTTEN_AFTER_S, GRACE_S, Deliveries
from extproc.sidecar.inflight import InFlight, OwnCounters
from extproc.wire.access_log import AttemptEnded, Ended, RequestEnded

_ID = DecisionId("01890a5d-ac96-774b-bcce-b302099a8057")
_OTHER = DecisionId("01890a5d-ac96-774b-bcce-b302099a8058")
_FRA, _AMS, _DXB = RegionId("eu-fra"), RegionId("eu-ams"), RegionId("me-dxb")
_MODEL = ModelId("digits")
_FACTS = RequestFacts(tenant=None, binding=Binding.NONE, model=_MODEL, classes=(), signals=())
_VERDICT = Verdict(
    jurisdictions=Jurisdictions(names=()),
    classes=(),
    regimes=(),
    obligations=(),
    ingress=True,
    permitted=RegionMask(3),
    regions=(
        RegionVerdict(region=_FRA, permits=()),
        RegionVerdict(region=_AMS, permits=()),
        RegionVerdict(region=_DXB, permits=(), exclusion=Exclusion.NO_PERMIT),
    ),
)


_CLUSTERS = {"eu-fra": _FRA, "eu-ams": _AMS, "me-dxb": _DXB}


class _World:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.delivered: list[Delivery] = []
        self.tried: list[tuple[RegionId | None, int, ModelId | None]] = []
        self.orders: tuple[Order, ...] = ()
        self.in_flight = InFlight(OwnCounters(3), (_FRA, _AMS, _DXB), longest_s=60.0)
        self.deliveries = Deliveries(
            clock=lambda: self.now_s,
            deliver=self.delivered.append,
            tried=lambda ended, model: self.tried.append((ended.attempt.region, ended.attempt.status, model)),
            in_flight=self.in_flight,
            orders=lambda: self.orders,
        )

    def decide(self, decision: DecisionId = _ID, *, refuse: bool = False) -> None:
        steering = Deny(refusal=Refusal.NO_PERMITTED_REGION) if refuse else Steer(plan=(_FRA, _AMS), route="a>b")
        self.deliveries.expect(
            Decision(
                id=decision,
                decided_at_s=self.now_s,
                config=ConfigRevision("sha256:0"),
                facts=_FACTS,
                steering=steering,
                verdict=_VERDICT,
            ),
            _CLUSTERS,
        )


def _attempt(
    region: RegionId | None, *, status: int = 200, at_s: float = 0.0, decision: DecisionId | None = _ID
) -> Ended:
    attempt = Attempt(
        cluster=region or "elsewhere", region=region, status=status, began_at_s=1000.0 + at_s, duration_s=0.1
    )
    return AttemptEnded(decision=decision, attempt=attempt)


def _request(*, attempts: int = 1, served: RegionId | None = _FRA, decision: DecisionId | None = _ID) -> Ended:
    return RequestEnded(
        decision=decision,
        attempts=attempts,
        served=served,
        status=200,
        began_at_s=1000.0,
        duration_s=0.2,
    )


def test_reports_are_joined_in_whatever_order_they_come() -> None:
    reports = [_attempt(_FRA, status=503), _attempt(_AMS, at_s=0.1), _request(attempts=2, served=_AMS)]
    for order in permutations(reports):
        world = _World()
        world.decide()
        for report in order:
            assert world.delivered == []
            world.deliveries.take(report)
        (delivery,) = world.delivered
        assert [attempt.region for attempt in delivery.attempts] == [_FRA, _AMS]
        assert (delivery.served, delivery.finding) == (_AMS, Finding.MATCHED)
        assert len(world.deliveries) == 0
        # When the request ended first, its model is known all the same.
        assert set(world.tried) == {(_AMS, 200, _MODEL), (_FRA, 503, _MODEL)}


def test_a_retry_into_a_region_that_an_order_took_out_is_named() -> None:
    world = _World()
    world.decide()
    world.decide(_OTHER)
    world.orders = (Order(suspension=suspension("eu-ams", from_s=0.0), since_s=1000.5),)
    for decision, at_s in ((_ID, 0.6), (_OTHER, 0.4)):
        world.deliveries.take(_attempt(_FRA, status=503, decision=decision))
        world.deliveries.take(_attempt(_AMS, at_s=at_s, decision=decision))
        world.deliveries.take(_request(attempts=2, served=_AMS, decision=decision))
    assert [each.finding for each in world.delivered] == [Finding.AFTER_ORDER, Finding.MATCHED]


def test_a_request_that_was_answered_counts_nowhere_until_envoy_says_that_it_is_over() -> None:
    world = _World()
    world.in_flight.opened()
    world.decide()
    world.decide(_OTHER)
    world.deliveries.take(_attempt(_FRA, status=200))
    world.deliveries.take(_attempt(_FRA, status=500, decision=_OTHER))  # this one may be tried again
    assert [world.in_flight.of(region) for region in (_FRA, _AMS)] == [0, 1]
    for decision in (_ID, _OTHER):
        world.deliveries.take(_request(decision=decision))
    assert [world.in_flight.of(region) for region in (_FRA, _AMS)] == [0, 0]


def test_requests_are_counted_where_they_are() -> None:
    world = _World()
    world.in_flight.opened()
    world.decide()
    world.decide(_OTHER)
    assert [world.in_flight.of(region) for region in (_FRA, _AMS)] == [2, 0]
    world.deliveries.take(_attempt(_FRA, status=503))
    assert [world.in_flight.of(region) for region in (_FRA, _AMS)] == [1, 1]
    world.deliveries.take(_request(attempts=2, served=_AMS))
    world.deliveries.forget(_OTHER)
    assert [world.in_flight.of(region) for region in (_FRA, _AMS)] == [0, 0]


def test_a_request_that_reached_nobody_is_undelivered_after_the_grace() -> None:
    world = _World()
    world.decide()
    world.deliveries.take(_request(attempts=0, served=None))
    assert world.delivered == []
    world.now_s += GRACE_S
    world.deliveries.settle()
    assert [delivery.finding for delivery in world.delivered] == [Finding.UNDELIVERED]


@pytest.mark.parametrize(("region", "finding"), [(_DXB, Finding.OUTSIDE_PERMITTED), (None, Finding.OUTSIDE_PERMITTED)])
def test_a_violation_is_found(region: RegionId | None, finding: Finding) -> None:
    world = _World()
    world.decide()
    world.deliveries.take(_attempt(region))
    world.deliveries.take(_request(served=region))
    assert [delivery.finding for delivery in world.delivered] == [finding]


def test_missing_attempts_are_waited_for_and_then_said_to_be_missing() -> None:
    world = _World()
    world.decide()
    world.deliveries.take(_request(attempts=2))
    world.deliveries.take(_attempt(_FRA))
    world.now_s += GRACE_S - 0.1
    world.deliveries.settle()
    assert world.delivered == []
    world.now_s += 0.2
    world.deliveries.settle()
    (delivery,) = world.delivered
    assert (len(delivery.attempts), delivery.attempts_expected) == (1, 2)


def test_a_decision_of_another_log_is_no_violation_here() -> None:
    world = _World()
    world.deliveries.take(_attempt(_FRA, decision=_OTHER))
    world.deliveries.take(_request(decision=_OTHER))
    assert [delivery.finding for delivery in world.delivered] == [Finding.DECIDED_ELSEWHERE]


def test_a_request_without_a_decision_that_reached_a_region_is_a_violation() -> None:
    world = _World()
    world.deliveries.take(_attempt(_FRA, decision=None))
    world.deliveries.take(_request(decision=None))
    assert [(d.finding, d.decision) for d in world.delivered] == [(Finding.NO_DECISION, None)]


def test_an_attempt_contradicts_the_word_that_nobody_was_reached() -> None:
    world = _World()
    world.decide()
    world.deliveries.take(_request(attempts=0, served=None))
    world.deliveries.take(_attempt(_DXB))
    world.now_s += GRACE_S
    world.deliveries.settle()
    assert [delivery.finding for delivery in world.delivered] == [Finding.OUTSIDE_PERMITTED]


def test_a_refusal_that_reached_nobody_needs_no_record_of_its_own() -> None:
    world = _World()
    world.decide(refuse=True)
    world.deliveries.take(_request(attempts=0, served=None))
    world.now_s += GRACE_S
    world.deliveries.settle()
    assert (world.delivered, len(world.deliveries), world.deliveries.forgotten) == ([], 0, 0)


def test_a_refusal_that_was_sent_all_the_same_is_a_violation() -> None:
    world = _World()
    world.decide(refuse=True)
    world.deliveries.take(_attempt(_FRA))
    world.deliveries.take(_request())
    assert [delivery.finding for delivery in world.delivered] == [Finding.REFUSED_BUT_SENT]


def test_a_refusal_of_which_nothing_is_heard_is_no_loss() -> None:
    world = _World()
    world.decide(refuse=True)
    world.now_s += FORGOTTEN_AFTER_S
    world.deliveries.settle()
    assert (len(world.deliveries), world.deliveries.forgotten) == (0, 0)


def test_a_cluster_that_changed_hands_counts_as_it_was_at_the_decision() -> None:
    world = _World()
    world.decide()
    renamed = AttemptEnded(
        decision=_ID,
        attempt=Attempt(
            cluster="eu-fra", region=RegionId("eu-frankfurt"), status=200, began_at_s=1000.0, duration_s=0.1
        ),
    )
    world.deliveries.take(renamed)
    world.deliveries.take(_request())
    assert [(d.finding, d.attempts[0].region) for d in world.delivered] == [(Finding.MATCHED, _FRA)]


def test_a_settling_gives_up_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_GIVEN_UP", 10)
    world = _World()
    for number in range(25):
        world.decide(DecisionId(f"01890a5d-ac96-774b-bcce-{number:012d}"))
    world.now_s += FORGOTTEN_AFTER_S
    for left in (15, 5, 0):
        world.deliveries.settle()
        assert len(world.deliveries) == left


def test_what_was_not_released_is_not_awaited() -> None:
    world = _World()
    world.decide()
    world.deliveries.forget(_ID)
    assert len(world.deliveries) == 0


def test_what_envoy_never_reports_is_given_up_and_counted() -> None:
    world = _World()
    world.decide()
    world.now_s += 1
    world.decide(_OTHER)
    world.deliveries.take(_attempt(_FRA, decision=_OTHER))
    world.now_s += FORGOTTEN_AFTER_S - 1
    world.deliveries.settle()
    assert (len(world.deliveries), world.deliveries.forgotten, world.delivered) == (1, 1, [])
    world.now_s += 1
    world.deliveries.settle()
    assert (len(world.deliveries), world.deliveries.forgotten) == (0, 2)
    assert [delivery.attempts_expected for delivery in world.delivered] == [1]  # what was seen is recorded


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_AWAITED", 10)
    world = _World()
    for number in range(25):
        world.decide(DecisionId(f"01890a5d-ac96-774b-bcce-{number:012d}"))
    assert len(world.deliveries) == 10
    assert world.deliveries.forgotten == 15


def test_at_the_end_everything_that_was_reported_is_recorded() -> None:
    world = _World()
    world.decide()
    world.decide(_OTHER)
    world.deliveries.take(_request(attempts=2))
    world.deliveries.take(_attempt(_FRA, decision=_OTHER))
    world.deliveries.finish()
    assert {delivery.decision for delivery in world.delivered} == {_ID, _OTHER}
    assert len(world.deliveries) == 0
