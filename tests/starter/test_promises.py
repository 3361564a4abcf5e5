"""Every starter policy parses, compiles, keeps its own tests, and has no test missing."""

from collections import defaultdict

import pytest
from starter.combinations import COMBINATIONS, ask, ask_case, compiled

from extproc.core.ids import TenantId
from extproc.core.reasons import Exclusion
from extproc.policy import CompiledPolicy
from extproc.policy.document import ANYWHERE, ZoneId
from extproc.policy.starter import PRESETS
from extproc.policy.starter.fragments import regime_texts
from extproc.policy.starter.places import catalogue_of

pytestmark = pytest.mark.slow

every_combination = pytest.mark.parametrize(("profile", "preset"), COMBINATIONS)


@every_combination
def test_its_own_tests_hold(profile: str, preset: str) -> None:
    policy = compiled(profile, preset)
    assert policy.document.tests
    for case in policy.document.tests:
        answer = ask_case(policy, case)
        assert answer.refused == case.expect.refused, f"line {case.line}, {case.name}"
        if case.expect.permitted is not None:
            assert sorted(answer.permitted) == list(case.expect.permitted), f"line {case.line}, {case.name}"
        if case.expect.transfers is not None:
            assert sorted(answer.transfers) == list(case.expect.transfers), f"line {case.line}, {case.name}"


@every_combination
def test_every_regime_permit_and_class_rule_has_a_test(profile: str, preset: str) -> None:
    policy = compiled(profile, preset)
    permits: set[str] = set()
    governing: set[str] = set()
    rules: set[tuple[str, str]] = set()
    for case in policy.document.tests:
        verdict = ask_case(policy, case).verdict
        if verdict is None:
            continue
        governing |= set(verdict.regimes)
        for region in verdict.regions:
            if region.exclusion is None:
                permits |= {permit.name for permit in region.permits}
            if region.exclusion is Exclusion.CLASS_RULE:
                rules |= {(str(region.excluded_by), str(name)) for name in verdict.classes}
    regimes = policy.document.regimes
    assert governing == {regime.id for regime in regimes}
    assert permits == {f"{regime.id}.{permit.id}" for regime in regimes for permit in regime.permits}
    missing = {(regime.id, name) for regime in regimes for name in regime.class_rules} - rules
    assert not missing


@every_combination
def test_every_place_that_a_tenant_expects_has_a_region_to_fail_over_to(profile: str, preset: str) -> None:
    policy = compiled(profile, preset)
    for tenant, entry in policy.document.tenants.items():
        assert entry.expects, f"{tenant} says nothing of where it expects requests from"
        for place in _places(policy, entry.expects):
            for data_class in policy.document.classes:
                answer = ask(
                    policy,
                    tenant=tenant,
                    now_s=policy.tables.epochs[0].starts_s,
                    geoip=place,
                    data_class=data_class,
                )
                assert len(answer.permitted) > 1, f"{tenant}, {place}, {data_class}: {answer.refused}"


@every_combination
def test_every_country_of_a_region_is_in_a_zone(profile: str, preset: str) -> None:
    document = compiled(profile, preset).document
    served = {member.code for member in document.zones[ZoneId("SERVED")].members}
    assert {str(code) for code in served} == {str(region.country) for region in document.regions.values()}


@every_combination
def test_every_mechanism_is_declared_and_used(profile: str, preset: str) -> None:
    document = compiled(profile, preset).document
    used = {permit.enabled_by for regime in document.regimes for permit in regime.permits} - {None}
    declared = {name for tenant in document.tenants.values() for name in tenant.mechanisms}
    assert used == declared


@every_combination
def test_no_permit_stands_behind_one_that_takes_everything_it_covers(profile: str, preset: str) -> None:
    """Each permit is the first to cover some region for some tenant, which its own test shows; and none is for all."""
    document = compiled(profile, preset).document
    for regime in document.regimes:
        for permit in regime.permits:
            bare = permit.to.within == ((ANYWHERE,),) and not permit.to.not_in and not permit.to.certs
            assert not bare, f"{regime.id}.{permit.id} permits everything"


@every_combination
def test_a_model_is_served_where_somebody_may_go(profile: str, preset: str) -> None:
    policy = compiled(profile, preset)
    reached: defaultdict[str, int] = defaultdict(int)
    for case in policy.document.tests:
        for region in ask_case(policy, case).permitted:
            reached[region] += 1
    assert set(reached) == set(policy.document.regions), "a region that nobody reaches"


@every_combination
def test_what_the_composer_takes_for_covered_is_what_the_compiler_covers(profile: str, preset: str) -> None:
    """It leaves out permits by its own small reading of `to:`, so that reading must be the compiler's."""
    policy = compiled(profile, preset)
    covered: defaultdict[str, set[str]] = defaultdict(set)
    for epoch in policy.tables.epochs:
        for ruling in (
            each for rulings in epoch.profiles for by_place in rulings.values() for each in by_place.values()
        ):
            for region, grants in zip(policy.tables.regions, ruling.grants, strict=True):
                for permit in (permit for grant in grants for permit in grant.permits):
                    covered[permit.name].add(region.id)
    catalogue = catalogue_of(PRESETS[preset].areas)
    written = {f"{regime.id}.{permit.id}": permit for regime in regime_texts().values() for permit in regime.permits}
    assert covered == {name: set(catalogue.covered(written[name].data["to"])) for name in covered}
    assert covered


def test_a_legal_first_policy_reaches_nothing_by_a_transfer() -> None:
    for profile, preset in COMBINATIONS:
        if profile == "legal-first":
            document = compiled(profile, preset).document
            assert not any(permit.basis.is_transfer for regime in document.regimes for permit in regime.permits)


def test_what_a_tenant_has_not_declared_moves_nothing() -> None:
    policy = compiled("hybrid", "global")
    expects = policy.document.tenants[TenantId("retail")].expects
    assert expects is not None
    for place in _places(policy, expects):
        answer = ask(policy, tenant="retail", now_s=policy.tables.epochs[0].starts_s, geoip=place)
        assert answer.permitted
        assert not answer.transfers, place


def test_only_performance_first_has_an_unregulated_class() -> None:
    for profile, preset in COMBINATIONS:
        unregulated = compiled(profile, preset).tables.unregulated
        assert unregulated == ({"public"} if profile == "performance-first" else set())


def _places(policy: CompiledPolicy, territory: tuple[str, ...]) -> list[str]:
    zones = policy.document.zones
    return [
        code
        for name in territory
        for code in ([member.code for member in zones[ZoneId(name)].members] if name in zones else [name])
    ]
