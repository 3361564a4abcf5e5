"""The invariants of a decision, attacked with random policies, facts and health."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.tables import CLASSES, NOW_S, facts, signals, snapshots

from extproc.core.decide import Decision, decide
from extproc.core.facts import RequestFacts, Signal, Source, Tier
from extproc.core.health import HealthState
from extproc.core.ids import DataClass, DecisionId
from extproc.core.jurisdiction import ruling_for
from extproc.core.reasons import Refusal
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Deny, Steer, parse_plan

_ID = DecisionId("00000000-0000-7000-8000-000000000000")


def _decide(request: RequestFacts, snapshot: Snapshot, now_s: float = NOW_S) -> Decision:
    return decide(request, snapshot, now_s=now_s, decision_id=_ID)


def _permitted(decision: Decision) -> set[str]:
    if decision.verdict is None:
        return set()
    return {region.region for region in decision.verdict.regions if region.exclusion is None}


def test_the_random_world_steers_often_enough_to_mean_something() -> None:
    steered = 0

    @given(facts(), snapshots())
    def count(request: RequestFacts, snapshot: Snapshot) -> None:
        nonlocal steered
        steered += isinstance(_decide(request, snapshot).steering, Steer)

    count()
    assert steered >= 15


@given(facts(), snapshots())
def test_a_plan_names_permitted_regions_only(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    if isinstance(decision.steering, Steer):
        clusters = {region.cluster: region.id for region in snapshot.policy.regions}
        assert decision.steering.plan
        assert len(set(decision.steering.plan)) == len(decision.steering.plan) <= snapshot.policy.plan_length
        assert set(decision.steering.plan) <= _permitted(decision)
        assert tuple(clusters[name] for name in parse_plan(decision.steering.route)) == decision.steering.plan


@given(facts(), snapshots())
def test_a_permitted_region_has_every_ground_for_it(request: RequestFacts, snapshot: Snapshot) -> None:
    """Judged by reading the tables anew, region by region, apart from the code under test."""
    decision = _decide(request, snapshot)
    policy = snapshot.policy
    for i, region in enumerate(policy.regions):
        if region.id not in _permitted(decision):
            continue
        assert decision.verdict is not None
        tenant = policy.tenants[request.tenant] if request.tenant is not None else None
        epoch = policy.epoch_at(NOW_S)
        assert tenant is not None
        assert epoch is not None
        assert request.model is not None
        assert tenant.allowed >> i & 1
        assert policy.models[request.model] >> i & 1
        assert not any(s.region == region.id and s.in_force(NOW_S) for s in snapshot.suspensions)
        for data_class in {tenant.data_class, request.declared_class} - {None}:
            for jurisdiction in decision.verdict.jurisdictions:
                assert data_class is not None
                ruling = ruling_for(epoch.profiles[tenant.profile], data_class, jurisdiction)
                assert ruling.permitted >> i & 1


@given(facts(), snapshots())
def test_the_mask_and_the_region_verdicts_agree(request: RequestFacts, snapshot: Snapshot) -> None:
    verdict = _decide(request, snapshot).verdict
    if verdict is not None:
        assert verdict.permitted == sum(1 << i for i, r in enumerate(verdict.regions) if r.exclusion is None)
        assert [r.region for r in verdict.regions] == [r.id for r in snapshot.policy.regions]


@given(facts(), snapshots(), signals(Source.HEADER))
def test_a_declared_jurisdiction_only_narrows(request: RequestFacts, snapshot: Snapshot, declared: Signal) -> None:
    without = replace(request, signals=tuple(s for s in request.signals if s.source is not Source.HEADER))
    declaring = replace(without, signals=(*without.signals, declared))
    assert _permitted(_decide(declaring, snapshot)) <= _permitted(_decide(without, snapshot))


@given(facts(), snapshots(), st.sampled_from(CLASSES))
def test_a_declared_class_only_narrows(request: RequestFacts, snapshot: Snapshot, declared: DataClass) -> None:
    without = replace(request, declared_class=None)
    declaring = replace(request, declared_class=declared)
    assert _permitted(_decide(declaring, snapshot)) <= _permitted(_decide(without, snapshot))


@given(facts(), snapshots(), st.lists(st.sampled_from(HealthState), min_size=5, max_size=5))
def test_health_never_widens(request: RequestFacts, snapshot: Snapshot, states: list[HealthState]) -> None:
    other = replace(
        snapshot,
        health=tuple(replace(health, state=state) for health, state in zip(snapshot.health, states, strict=False)),
    )
    assert _permitted(_decide(request, other)) == _permitted(_decide(request, snapshot))
    for decision in (_decide(request, other), _decide(request, snapshot)):
        if isinstance(decision.steering, Steer):
            assert set(decision.steering.plan) <= _permitted(decision)


@given(facts(), snapshots())
def test_what_is_undefined_is_refused(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    policy = snapshot.policy
    authenticated = [s for s in request.signals if s.tier <= Tier.TRUSTED_EDGE]
    undefined = (
        bool(request.faults)
        or policy.epoch_at(NOW_S) is None
        or request.tenant not in policy.tenants
        or request.model not in policy.models
        or not any(s.jurisdiction for s in authenticated)
        or (request.declared_class is not None and request.declared_class not in policy.classes)
    )
    if undefined:
        assert isinstance(decision.steering, Deny)
        assert not _permitted(decision)


@given(facts(), snapshots())
def test_an_unknown_place_is_refused_unless_a_verified_claim_replaces_it(
    request: RequestFacts, snapshot: Snapshot
) -> None:
    geo = [s for s in request.signals if s.source is Source.GEOIP]
    claimed = [s for s in request.signals if s.source is Source.JWT and s.jurisdiction]
    replaced = bool(claimed) and Source.GEOIP in snapshot.policy.may_replace.get(Source.JWT, ())
    if geo and geo[0].jurisdiction is None and not replaced:
        assert isinstance(_decide(request, snapshot).steering, Deny)


@given(facts(), snapshots())
def test_the_same_inputs_give_an_equal_decision(request: RequestFacts, snapshot: Snapshot) -> None:
    assert _decide(request, snapshot) == _decide(request, snapshot)


@given(facts(), snapshots(), st.floats(allow_nan=False, allow_infinity=False))
def test_no_time_widens_beyond_the_policy_in_force(request: RequestFacts, snapshot: Snapshot, now_s: float) -> None:
    decision = _decide(request, snapshot, now_s)
    if snapshot.policy.epoch_at(now_s) is None:
        assert isinstance(decision.steering, Deny)
        if not request.faults:
            assert decision.steering.refusal is Refusal.POLICY_NOT_IN_FORCE


@given(facts(), snapshots())
def test_every_transfer_of_the_plan_is_named(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    if isinstance(decision.steering, Steer) and decision.verdict is not None:
        expected = {
            (region.region, permit)
            for region in decision.verdict.regions
            if region.region in decision.steering.plan
            for permit in region.permits
            if permit.basis.is_transfer
        }
        assert {(t.region, t.permit) for t in decision.transfers} == expected
    else:
        assert decision.transfers == ()
