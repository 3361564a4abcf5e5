"""A decision that is made again from its record is the same, whatever was believed at its time."""

from dataclasses import replace
from random import Random

import pytest
from core.routing.world import NOW_S, deployments, moments, standings
from hypothesis import given
from hypothesis import strategies as st
from support.tables import MODELS, facts, policies

from extproc.audit.replay import replay
from extproc.core.decide import Decision, decide
from extproc.core.facts import RequestFacts
from extproc.core.fitness import Unfit
from extproc.core.ids import ConfigRevision, DecisionId, DependencyId, ModelId
from extproc.core.reasons import Exclusion
from extproc.core.routing.choose import Moment
from extproc.core.snapshot import Snapshot
from extproc.core.tables import PolicyTables

pytestmark = pytest.mark.slow

_ID = DecisionId("00000000-0000-7000-8000-000000000000")


@st.composite
def _cases(draw: st.DrawFn) -> tuple[RequestFacts, Snapshot, Moment]:
    policy = draw(policies())
    count = len(policy.regions)
    quotas = [draw(st.sampled_from([None, None, 1, 5])) for _ in policy.regions]
    policy = replace(
        policy,
        regions=tuple(replace(each, quota=quota) for each, quota in zip(policy.regions, quotas, strict=True)),
        deployment=draw(deployments(count)),
    )
    snapshot = Snapshot(
        revision=ConfigRevision("sha256:1"),
        policy=policy,
        suspensions=(),
        standings=tuple(draw(standings()) for _ in range(count)),
        fitness=_fitness(policy, Random(draw(st.integers(0, 1 << 32)))),
    )
    return draw(facts()), snapshot, draw(moments(count))


def _fitness(policy: PolicyTables, random: Random) -> dict[ModelId, tuple[Unfit, ...]]:
    """Find some regions unfit for some models."""
    reasons = [
        (Exclusion.MODEL_UNAPPROVED, None),
        (Exclusion.MODEL_UNVERIFIED, None),
        (Exclusion.DEPENDENCY_STALE, DependencyId("vectors")),
    ]
    return {
        model: tuple(
            Unfit(region=region.id, why=why, by=by)
            for region in policy.regions
            if random.random() < 0.3
            for why, by in (random.choice(reasons),)
        )
        for model in MODELS
        if random.random() < 0.5
    }


def _decide(case: tuple[RequestFacts, Snapshot, Moment]) -> Decision:
    request, snapshot, moment = case
    return decide(request, snapshot, now_s=NOW_S, decision_id=_ID, moment=moment)


@given(_cases())
def test_replayed_from_its_own_record_a_decision_is_equal(case: tuple[RequestFacts, Snapshot, Moment]) -> None:
    decision = _decide(case)
    assert replay(decision, case[1].policy, ()) == decision


@given(_cases())
def test_fitness_and_moments_never_widen(case: tuple[RequestFacts, Snapshot, Moment]) -> None:
    request, snapshot, _ = case
    with_them, without = _decide(case), _decide((request, replace(snapshot, fitness={}), Moment()))
    for before, after in ((without, with_them),):
        assert (after.verdict is None) == (before.verdict is None)
        if before.verdict is not None and after.verdict is not None:
            assert after.verdict.permitted | before.verdict.permitted == before.verdict.permitted
    unfit = {each.region for each in snapshot.fitness.get(request.model or ModelId(""), ())}
    if with_them.choice is not None:
        assert not unfit & {snapshot.policy.regions[i].id for i in with_them.choice.plan}


def test_the_random_world_chooses_often_enough_to_mean_something() -> None:
    planned, refused = 0, 0

    @given(_cases())
    def count(case: tuple[RequestFacts, Snapshot, Moment]) -> None:
        nonlocal planned, refused
        choice = _decide(case).choice
        planned += choice is not None and len(choice.plan) > 0
        refused += choice is not None and not choice.plan

    count()
    assert planned >= 15
    assert refused >= 1
