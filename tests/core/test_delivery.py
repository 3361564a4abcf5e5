"""What reconciliation finds, as a table."""

import pytest

from extproc.core.delivery import Attempt, Finding, Intent, reconcile
from extproc.core.ids import DecisionId, RegionId

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


def test_violations_are_all_but_three() -> None:
    assert {finding for finding in Finding if not finding.is_violation} == {
        Finding.MATCHED,
        Finding.UNDELIVERED,
        Finding.DECIDED_ELSEWHERE,
    }
