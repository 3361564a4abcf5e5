"""The invariants of a decision, attacked with random policies, facts, legal orders and health."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import NOW_S, class_signals, facts, policies, signals, snapshots

from extproc.core.decide import Decision, Refused, decide, rule
from extproc.core.facts import ClassSignal, RequestFacts, Signal, Source
from extproc.core.ids import DataClass, DecisionId, Jurisdiction
from extproc.core.jurisdiction import ruling_for
from extproc.core.overrides import TargetKind
from extproc.core.reasons import Refusal
from extproc.core.routing.health import HealthState
from extproc.core.snapshot import Snapshot
from extproc.core.steering import Deny, Steer, parse_plan
from extproc.core.tables import OnMismatch, PolicyTables

pytestmark = pytest.mark.slow

_ID = DecisionId("00000000-0000-7000-8000-000000000000")
_ADDING = [source for source in Source if not source.stands_alone]


def _decide(request: RequestFacts, snapshot: Snapshot, now_s: float = NOW_S) -> Decision:
    return decide(request, snapshot, now_s=now_s, decision_id=_ID)


def _unfit(decision: Decision) -> bool:
    """Tell whether a region would be permitted, were it fit."""
    return decision.verdict is not None and any(
        each.exclusion is not None and each.exclusion.is_of_fitness for each in decision.verdict.regions
    )


def _permitted(decision: Decision) -> set[str]:
    if decision.verdict is None:
        return set()
    return {region.region for region in decision.verdict.regions if region.exclusion is None}


def _assert_only_narrows(before: Decision, after: Decision) -> None:
    assert _permitted(after) <= _permitted(before)
    if isinstance(before.steering, Deny):
        assert isinstance(after.steering, Deny)


def test_the_random_world_steers_often_enough_to_mean_something() -> None:
    steered = 0
    wrong = 0

    @given(facts(), snapshots())
    def count(request: RequestFacts, snapshot: Snapshot) -> None:
        nonlocal steered, wrong
        steering = _decide(request, snapshot).steering
        steered += isinstance(steering, Steer)
        wrong += isinstance(steering, Deny) and steering.refusal is Refusal.WRONG_INGRESS

    count()
    assert steered >= 15
    assert wrong >= 1


@given(facts(), snapshots())
def test_a_plan_names_permitted_regions_only(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    if isinstance(decision.steering, Steer):
        clusters = {region.cluster: region.id for region in snapshot.policy.regions}
        assert decision.steering.plan
        assert len(set(decision.steering.plan)) == len(decision.steering.plan) <= snapshot.policy.plan_length
        assert set(decision.steering.plan) <= _permitted(decision)
        assert tuple(clusters[name] for name in parse_plan(decision.steering.route)) == decision.steering.plan


def _classes(request: RequestFacts, policy: PolicyTables) -> set[DataClass]:
    """Give every class that the request bears."""
    assert request.tenant is not None
    assert request.model is not None
    of_model = policy.models[request.model].data_class
    declared = {each.data_class for each in request.classes}
    return {policy.tenants[request.tenant].data_class, *declared} | ({of_model} if of_model else set())


@given(facts(), snapshots())
def test_a_permitted_region_has_every_ground_for_it(request: RequestFacts, snapshot: Snapshot) -> None:
    """Judged by reading the tables anew, region by region, apart from the code under test."""
    verdict = _decide(request, snapshot).verdict
    policy = snapshot.policy
    epoch = policy.epoch_at(NOW_S)
    if verdict is None:
        return
    assert epoch is not None
    assert request.tenant is not None
    assert request.model is not None
    tenant = policy.tenants[request.tenant]
    orders = {(order.kind, order.name) for order in snapshot.suspensions if order.in_force(NOW_S)}
    for i, region in enumerate(policy.regions):
        if verdict.regions[i].exclusion is not None:
            continue
        assert tenant.allowed >> i & 1
        assert policy.models[request.model].serving >> i & 1
        assert epoch.residency.get(request.model, -1) >> i & 1
        assert (TargetKind.REGION, region.id) not in orders
        assert (TargetKind.MODEL, request.model) not in orders
        for jurisdiction in verdict.jurisdictions.names:
            if epoch.reach is not None:
                assert epoch.reach.get(jurisdiction, epoch.reach.get(Jurisdiction(jurisdiction[:2]), 0)) >> i & 1
            for data_class in _classes(request, policy) - policy.unregulated:
                ruling = ruling_for(epoch.profiles[tenant.profile], data_class, jurisdiction)
                assert ruling.permitted >> i & 1
                for grant in ruling.grants[i]:
                    assert any((TargetKind.PERMIT, permit.name) not in orders for permit in grant.permits)


@given(facts(), snapshots())
def test_a_permitted_region_rests_on_one_permit_of_each_regime_that_governs(
    request: RequestFacts, snapshot: Snapshot
) -> None:
    verdict = _decide(request, snapshot).verdict
    orders = {order.name for order in snapshot.suspensions if order.in_force(NOW_S) and order.kind is TargetKind.PERMIT}
    for region in () if verdict is None else verdict.regions:
        assert verdict is not None
        if region.exclusion is None:
            assert {permit.regime for permit in region.permits} == set(verdict.regimes)
            assert not orders & {permit.name for permit in region.permits}


@given(facts(), snapshots())
def test_the_mask_and_the_region_verdicts_agree(request: RequestFacts, snapshot: Snapshot) -> None:
    verdict = _decide(request, snapshot).verdict
    if verdict is not None:
        assert verdict.permitted == sum(1 << i for i, r in enumerate(verdict.regions) if r.exclusion is None)
        assert [r.region for r in verdict.regions] == [r.id for r in snapshot.policy.regions]


@given(facts(), snapshots(), st.sampled_from(_ADDING).flatmap(signals))
def test_a_signal_that_does_not_stand_alone_only_narrows(
    request: RequestFacts, snapshot: Snapshot, added: Signal
) -> None:
    without = replace(request, signals=tuple(s for s in request.signals if s.source is not added.source))
    adding = replace(without, signals=(*without.signals, added))
    _assert_only_narrows(_decide(without, snapshot), _decide(adding, snapshot))


@given(facts(), snapshots(), class_signals())
def test_a_class_beside_the_others_only_narrows(request: RequestFacts, snapshot: Snapshot, added: ClassSignal) -> None:
    adding = replace(request, classes=(*request.classes, added))
    _assert_only_narrows(_decide(request, snapshot), _decide(adding, snapshot))


@given(facts(), snapshots())
def test_a_legal_order_only_narrows(request: RequestFacts, snapshot: Snapshot) -> None:
    before, after = _decide(request, replace(snapshot, suspensions=())), _decide(request, snapshot)
    assert _permitted(after) <= _permitted(before)
    if isinstance(before.steering, Deny):
        assert isinstance(after.steering, Deny)


@given(facts(), snapshots())
def test_an_order_that_is_not_in_force_changes_nothing(request: RequestFacts, snapshot: Snapshot) -> None:
    late = tuple(replace(order, from_s=NOW_S + 1, until_s=None) for order in snapshot.suspensions)
    assert _decide(request, replace(snapshot, suspensions=late)) == _decide(request, replace(snapshot, suspensions=()))


@given(facts(), snapshots(), st.sampled_from(OnMismatch))
def test_a_request_in_the_wrong_place_is_never_steered_unless_that_is_observed_only(
    request: RequestFacts, snapshot: Snapshot, on_mismatch: OnMismatch
) -> None:
    policy = replace(snapshot.policy, on_mismatch=on_mismatch)
    decision = _decide(request, replace(snapshot, policy=policy))
    if isinstance(decision.steering, Steer):
        assert decision.verdict is not None
        assert decision.verdict.ingress or on_mismatch is OnMismatch.OBSERVE
    elif decision.steering.redirect_host is not None:
        assert decision.steering.refusal is Refusal.WRONG_INGRESS
        assert on_mismatch is OnMismatch.REDIRECT
        assert _permitted(decision) or _unfit(decision)


@given(facts(), snapshots(), st.lists(st.sampled_from(HealthState), min_size=5, max_size=5))
def test_health_never_widens(request: RequestFacts, snapshot: Snapshot, states: list[HealthState]) -> None:
    other = replace(
        snapshot,
        standings=tuple(replace(each, state=state) for each, state in zip(snapshot.standings, states, strict=False)),
    )
    assert _permitted(_decide(request, other)) == _permitted(_decide(request, snapshot))
    for decision in (_decide(request, other), _decide(request, snapshot)):
        if isinstance(decision.steering, Steer):
            assert set(decision.steering.plan) <= _permitted(decision)


@given(facts(), snapshots())
def test_what_is_undefined_is_refused(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    policy = snapshot.policy
    undefined = (
        bool(request.faults)
        or policy.epoch_at(NOW_S) is None
        or request.tenant not in policy.tenants
        or request.model not in policy.models
        or not any(s.jurisdiction or policy.assume for s in request.signals if s.source.stands_alone)
        or not {each.data_class for each in request.classes} <= policy.classes
    )
    if undefined:
        assert isinstance(decision.steering, Deny)
        assert not _permitted(decision)


@given(facts(), snapshots())
def test_an_unknown_place_is_refused_unless_something_verified_replaces_it(
    request: RequestFacts, snapshot: Snapshot
) -> None:
    policy = replace(snapshot.policy, assume=())
    geo = [s for s in request.signals if s.source is Source.GEOIP]
    known = [s for s in request.signals if s.source in (Source.TENANT, Source.JWT) and s.jurisdiction]
    replaced = any(Source.GEOIP in policy.may_replace.get(s.source, ()) for s in known)
    if geo and geo[0].jurisdiction is None and not replaced:
        assert isinstance(_decide(request, replace(snapshot, policy=policy)).steering, Deny)


@given(facts(), snapshots())
def test_the_same_inputs_give_an_equal_decision(request: RequestFacts, snapshot: Snapshot) -> None:
    decision = _decide(request, snapshot)
    assert _decide(request, snapshot) == decision
    snapshot.policy.verdicts.clear()
    assert _decide(request, snapshot) == decision


@given(st.lists(facts(), min_size=2, max_size=4), snapshots())
def test_no_decision_depends_on_those_before_it(requests: list[RequestFacts], snapshot: Snapshot) -> None:
    in_a_row = [_decide(request, snapshot) for request in requests]
    for request, decision in zip(requests, in_a_row, strict=True):
        snapshot.policy.verdicts.clear()
        assert _decide(request, snapshot) == decision


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
    if isinstance(decision.steering, Steer) and decision.verdict is not None and request.tenant is not None:
        tenant = snapshot.policy.tenants[request.tenant]
        expected = {
            (region.region, permit, tenant.exporter)
            for region in decision.verdict.regions
            if region.region in decision.steering.plan
            for permit in region.permits
            if permit.basis.is_transfer
        }
        assert {(t.region, t.permit, t.exporter) for t in decision.transfers} == expected
        for transfer in decision.transfers:
            mechanism = transfer.permit.mechanism
            assert transfer.reference == ("" if mechanism is None else tenant.references.get(mechanism, ""))
            assert transfer.importer == snapshot.policy.regions[snapshot.policy.index[transfer.region]].country
    else:
        assert decision.transfers == ()


@given(facts(), st.none() | facts(), snapshots())
def test_a_shadow_policy_steers_nothing_and_is_judged_as_if_it_were_alone(
    request: RequestFacts, shadow_facts: RequestFacts | None, snapshot: Snapshot
) -> None:
    decision = decide(request, snapshot, now_s=NOW_S, decision_id=_ID, shadow_facts=shadow_facts)
    assert replace(decision, shadow=None) == _decide(request, replace(snapshot, shadow=None))
    assert (decision.shadow is None) == (snapshot.shadow is None)
    if snapshot.shadow is not None and decision.shadow is not None:
        read = request if shadow_facts is None else shadow_facts
        ruled = rule(read, snapshot.shadow.policy, snapshot.shadow.suspensions, now_s=NOW_S)
        assert decision.shadow.policy == snapshot.shadow.policy.revision
        assert decision.shadow.facts == (read if read != request else None)
        assert decision.shadow.verdict == ruled.verdict
        assert decision.shadow.refusal == (ruled.deny.refusal if isinstance(ruled, Refused) else None)


@given(policies())
def test_a_policy_finds_its_regions_and_epochs(policy: PolicyTables) -> None:
    assert [policy.index[region.id] for region in policy.regions] == list(range(len(policy.regions)))
    (epoch,) = policy.epochs
    assert policy.epoch_at(epoch.starts_s) is epoch
    assert policy.epoch_at(epoch.ends_s) is None
