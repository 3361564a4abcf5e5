"""How a shadow policy's answer differs, and what a decision leaves for reconciliation."""

from dataclasses import replace

import pytest
from hypothesis import given
from support.tables import NOW_S, facts, snapshots

from extproc.core.decide import Decision, decide
from extproc.core.delivery import intent_of
from extproc.core.facts import RequestFacts
from extproc.core.ids import DecisionId
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.shadow import ShadowDifference, difference, permitted_in_shadow, permitted_live
from extproc.core.snapshot import Shadow, Snapshot
from extproc.core.steering import Deny, Steer

_ID = DecisionId("00000000-0000-7000-8000-000000000000")


def _decide(request: RequestFacts, snapshot: Snapshot) -> Decision:
    return decide(request, snapshot, now_s=NOW_S, decision_id=_ID)


def _beside(snapshot: Snapshot, other: Snapshot) -> Snapshot:
    return replace(snapshot, shadow=Shadow(policy=other.policy, suspensions=other.suspensions))


@pytest.mark.slow
@given(facts(), snapshots())
def test_a_policy_beside_itself_differs_in_nothing(request: RequestFacts, snapshot: Snapshot) -> None:
    down = Standing(state=HealthState.DOWN, observed_at_s=NOW_S)
    for each in (snapshot, replace(snapshot, standings=(down,) * len(snapshot.standings))):
        assert difference(_decide(request, _beside(each, each))) is ShadowDifference.SAME


@pytest.mark.slow
@given(facts(), snapshots(), snapshots())
def test_the_difference_is_by_what_each_would_have_permitted(
    request: RequestFacts, snapshot: Snapshot, other: Snapshot
) -> None:
    decision = _decide(request, _beside(snapshot, other))
    live, shadow = permitted_live(decision), permitted_in_shadow(decision)
    expected = {
        (True, True): ShadowDifference.SAME,
        (True, False): ShadowDifference.NARROWER,
        (False, True): ShadowDifference.WIDER,
        (False, False): ShadowDifference.OTHER,
    }
    assert difference(decision) is expected[shadow <= live, live <= shadow]
    alone = replace(other, shadow=None, fitness=snapshot.fitness)
    assert shadow == permitted_live(_decide(request, alone))


@pytest.mark.slow
@given(facts(), snapshots())
def test_nothing_is_said_where_there_is_no_shadow(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, replace(snapshot, shadow=None))
    assert difference(decision) is None
    assert permitted_in_shadow(decision) == frozenset()


@pytest.mark.slow
@given(facts(), snapshots())
def test_a_refusal_permits_nothing_unless_regions_were_only_down(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    if isinstance(decision.steering, Deny) and not decision.steering.refusal.is_of_service:
        assert permitted_live(decision) == frozenset()
    else:
        assert permitted_live(decision)


@pytest.mark.slow
@given(facts(), snapshots())
def test_what_a_decision_intends(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    intent = intent_of(decision)
    if isinstance(decision.steering, Steer):
        assert intent.plan == decision.steering.plan
        assert set(intent.plan) <= intent.permitted == permitted_live(decision)
    else:
        assert intent.plan == ()


@pytest.mark.slow
@given(snapshots())
def test_a_snapshot_needs_the_standing_of_each_region(snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match="needs the standing of each region"):
        replace(snapshot, standings=snapshot.standings[:-1])
