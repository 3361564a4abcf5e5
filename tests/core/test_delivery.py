"""What reconciliation finds, as a table."""

from dataclasses import replace

import pytest

from extproc.core.delivery import ORDER_KEPT_S, Attempt, Finding, Intent, Order, late, reconcile
from extproc.core.ids import DecisionId, ModelId, OverrideId, RegionId
from extproc.core.overrides import Suspension, TargetKind

_ID = DecisionId("00000000-0000-7000-8000-000000000000")
_FRA, _AMS, _IAD, _DXB = (RegionId(name) for name in ("eu-fra", "eu-ams", "us-iad", "me-dxb"))
_EEA = Intent(permitted=frozenset({_FRA, _AMS, _IAD}), plan=(_FRA, _AMS))
_REFUSED = Intent(permitted=frozenset(), plan=())


def _attempts(*regions: RegionId | None) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(cluster=region or "elsewhere", region=region, status=200, began_at_s=1.0, duration_s=0.1)
        for region in regions
    )


@pytest.mark.parametrize(
    ("decision", "intent", "regions", "expected"),
    [
        (_ID, _EEA, (_FRA,), Finding.MATCHED),
        (_ID, _EEA, (_FRA, _AMS, _FRA), Finding.MATCHED),
        (_ID, _EEA, (), Finding.UNDELIVERED),
        (_ID, _REFUSED, (), Finding.UNDELIVERED),
        (_ID, _EEA, (_IAD,), Finding.OUTSIDE_PLAN),
        (_ID, _EEA, (_DXB,), Finding.OUTSIDE_PERMITTED),
        (_ID, _EEA, (_FRA, _DXB), Finding.OUTSIDE_PERMITTED),
        (_ID, _EEA, (_IAD, _DXB), Finding.OUTSIDE_PERMITTED),
        (_ID, _EEA, (None,), Finding.OUTSIDE_PERMITTED),
        (_ID, _REFUSED, (_FRA,), Finding.REFUSED_BUT_SENT),
        (_ID, None, (_FRA,), Finding.DECIDED_ELSEWHERE),
        (None, None, (_FRA,), Finding.NO_DECISION),
    ],
)
def test_finding(
    decision: DecisionId | None, intent: Intent | None, regions: tuple[RegionId | None, ...], expected: Finding
) -> None:
    assert reconcile(decision, intent, _attempts(*regions)) is expected


def _order(  # noqa: PLR0913 - what an order is, each by name
    kind: TargetKind,
    name: str,
    *,
    since_s: float = 10.0,
    ended_s: float | None = None,
    from_s: float = 5.0,
    until_s: float | None = None,
) -> Order:
    suspension = Suspension(
        id=OverrideId(f"LT-{name}"),
        kind=kind,
        name=name,
        reason="order",
        from_s=from_s,
        until_s=until_s,
        approved_by=("a",),
    )
    return Order(suspension=suspension, since_s=since_s, ended_s=ended_s)


_REGION, _PERMIT, _MODEL = TargetKind
_BASED = Intent(
    permitted=frozenset({_FRA, _AMS, _IAD}),
    plan=(_FRA, _AMS, _IAD),
    model=ModelId("digits"),
    bases=((_IAD, "eu-gdpr.dpf"),),
)


@pytest.mark.parametrize(
    ("order", "region", "at_s", "is_late"),
    [
        (_order(_REGION, "eu-ams"), _AMS, 10.0, True),
        (_order(_REGION, "eu-ams"), _AMS, 9.9, False),  # nobody knew of it yet, whatever it says of its beginning
        (_order(_REGION, "eu-ams"), _FRA, 11.0, False),
        (_order(_REGION, "eu-ams", from_s=20.0), _AMS, 19.9, False),
        (_order(_REGION, "eu-ams", from_s=20.0), _AMS, 20.0, True),
        (_order(_REGION, "eu-ams", until_s=12.0), _AMS, 11.9, True),
        (_order(_REGION, "eu-ams", until_s=12.0), _AMS, 12.0, False),
        (_order(_REGION, "eu-ams", ended_s=12.0), _AMS, 11.9, True),
        (_order(_REGION, "eu-ams", ended_s=12.0), _AMS, 12.0, False),
        (_order(_MODEL, "digits"), _FRA, 11.0, True),
        (_order(_MODEL, "letters"), _FRA, 11.0, False),
        (_order(_PERMIT, "eu-gdpr.dpf"), _IAD, 11.0, True),
        (_order(_PERMIT, "eu-gdpr.dpf"), _FRA, 11.0, False),
        (_order(_PERMIT, "eu-gdpr.scc"), _IAD, 11.0, False),
    ],
)
def test_an_attempt_under_an_order_is_named(order: Order, region: RegionId, at_s: float, *, is_late: bool) -> None:
    (attempt,) = (replace(each, began_at_s=at_s) for each in _attempts(region))
    expected = Finding.AFTER_ORDER if is_late else Finding.MATCHED
    assert reconcile(_ID, _BASED, (attempt,), [order]) is expected
    assert late(_BASED, (attempt,), [order]) == ((attempt, order) if is_late else None)
    assert order.touches(_BASED) or not is_late


def test_a_violation_is_graver_than_an_order() -> None:
    order = _order(_REGION, "eu-ams", since_s=0.0, from_s=0.0)
    assert reconcile(_ID, _EEA, _attempts(_FRA, _AMS), [order]) is Finding.AFTER_ORDER
    assert reconcile(_ID, _EEA, _attempts(_AMS, _DXB), [order]) is Finding.OUTSIDE_PERMITTED
    assert reconcile(_ID, _EEA, _attempts(_AMS, _IAD), [order]) is Finding.OUTSIDE_PLAN
    assert reconcile(_ID, None, _attempts(_AMS), [order]) is Finding.DECIDED_ELSEWHERE


def test_an_order_that_ended_is_over_only_after_every_report() -> None:
    ended, bounded, standing = (
        _order(_REGION, "eu-ams", ended_s=100.0),
        _order(_REGION, "eu-ams", until_s=50.0, ended_s=100.0),
        _order(_REGION, "eu-ams"),
    )
    assert [each.is_over(100.0 + ORDER_KEPT_S) for each in (ended, bounded, standing)] == [False, True, False]
    assert ended.is_over(101.0 + ORDER_KEPT_S)


def test_violations_are_all_but_four() -> None:
    assert {finding for finding in Finding if not finding.is_violation} == {
        Finding.AFTER_ORDER,
        Finding.MATCHED,
        Finding.UNDELIVERED,
        Finding.DECIDED_ELSEWHERE,
    }
