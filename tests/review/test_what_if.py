"""What a change would do is what it does, to every question."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy.random_laws import Written
from policy.strategies import as_yaml, policies, random_moment
from review.world import changed, compiled

from extproc.core.ids import MechanismId, RegionId, TenantId
from extproc.core.jurisdiction import Verdict
from extproc.review.domain import answer, cells_of, places_of
from extproc.review.what_if import (
    Difference,
    Effect,
    Group,
    Standing,
    State,
    Supposition,
    SuppositionError,
    group_in_words,
    summary_in_words,
    sweep,
    what_if,
)

_NOW_S = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


def _asked(*, everywhere: bool = False, text: str | None = None, **supposed: object) -> Difference:
    policy = compiled() if text is None else compiled(text)
    return what_if(policy, Supposition(**supposed), _NOW_S, everywhere=everywhere)  # type: ignore[arg-type]


def _of(found: Difference, effect: Effect) -> list[Group]:
    return [group for group in found.groups if effect in group.effects]


def test_an_outage_takes_the_failover_where_two_regions_were_permitted() -> None:
    found = _asked(down=(RegionId("eu-fra"),))
    (lost,) = _of(found, Effect.NO_FAILOVER)
    assert lost.after.permitted == ("eu-ams",)
    # The shop's two places, whatever is declared, because its own list leaves it nothing else.
    by_tenant = {who.tenants: (who.classes, len(who.places)) for who in lost.who}
    assert by_tenant[(TenantId("shop"),)] == (("personal", "public", "special"), 2)
    assert found.count(Effect.REFUSED) == 0
    assert "no failover" in group_in_words(lost)


def test_transfers_begin_where_nothing_at_home_is_left() -> None:
    found = _asked(down=(RegionId("eu-fra"), RegionId("eu-ams")))
    begins = _of(found, Effect.TRANSFER)
    assert {group.after.permitted for group in begins} == {("br-gru", "us-iad"), ("br-gru",)}
    assert {group.after.transfers for group in begins} == {("br-gru", "us-iad"), ("br-gru",)}
    refused = _of(found, Effect.REFUSED)
    assert {who.classes for group in refused for who in group.who} >= {("special",)}
    assert "go by transfer" in summary_in_words(found)


def test_a_permit_that_falls_takes_what_rests_on_it_alone() -> None:
    found = _asked(permits=("gdpr.dpf",))
    (moved,) = found.groups
    assert moved.effects == (Effect.MOVED,)
    assert set(moved.before.permitted) - set(moved.after.permitted) == {"us-iad"}
    assert [who.tenants for who in moved.who] == [("bank",)]
    assert _asked(mechanisms=((TenantId("bank"), MechanismId("dpf")),)).groups == found.groups


def test_another_day_is_compared_with_this_one() -> None:
    found = _asked(at_s=datetime(2027, 1, 15, tzinfo=UTC).timestamp())
    # The DPF's permit has ended and Brazil is suspended.
    lost = {
        region for group in found.groups for region in group.before.permitted if region not in group.after.permitted
    }
    assert lost == {"us-iad", "br-gru"}


def test_a_tenant_is_asked_about_where_it_expects_requests_unless_everything_is() -> None:
    def asked_of(found: Difference, tenant: str) -> set[str]:
        return {place for group in found.groups for who in group.who if tenant in who.tenants for place in who.places}

    supposed = Supposition(down=(RegionId("eu-fra"),))
    assert asked_of(what_if(compiled(), supposed, _NOW_S), "shop") == {"DE", "FR"}
    assert len(asked_of(what_if(compiled(), supposed, _NOW_S, everywhere=True), "shop")) > 30


@pytest.mark.parametrize(
    "supposed",
    [
        {"down": (RegionId("eu-nowhere"),)},
        {"permits": ("gdpr.scc",)},
        {"mechanisms": ((TenantId("shop"), MechanismId("dpf")),)},
        {"mechanisms": ((TenantId("nobody"), MechanismId("dpf")),)},
        {"at_s": 0.0},
    ],
)
def test_what_the_policy_does_not_have_cannot_be_supposed_of_it(supposed: dict[str, object]) -> None:
    with pytest.raises(SuppositionError, match="Mend: "):
        what_if(compiled(), Supposition(**supposed), _NOW_S)  # type: ignore[arg-type]


def test_what_changes_the_basis_alone_is_told_apart() -> None:
    twin = changed(
        (
            "      - {id: near, to: NEAR",
            "      - {id: home, to: BR, basis: internal, cite: x}\n      - {id: near, to: NEAR",
        )
    )
    found = _asked(text=twin, permits=("gdpr.home",))
    assert {effect for group in found.groups for effect in group.effects} == {Effect.OTHER_BASIS}


@pytest.mark.slow
@settings(max_examples=20)
@given(policies(), st.integers(0, 1 << 32))
def test_places_that_are_asked_about_together_are_answered_alike(policy: Written, seed: int) -> None:
    """The sweep says of every question what tier 1 says of it, asked alone."""
    random = Random(seed)
    state = State(compiled=compiled(as_yaml(policy)), now_s=random_moment(random).timestamp())
    everything = frozenset(places_of(state.compiled))
    found = {
        (each.tenants[0], each.model, each.data_class, place): each
        for each in sweep(state, state, lambda _: everything)
        for place in each.places
    }
    cells = list(cells_of(state.compiled))
    assert len(found) >= len(cells)
    for cell in random.sample(cells, min(200, len(cells))):
        tenant = next(each for each in cell.kind.tenants if (each, cell.model, cell.data_class, cell.place) in found)
        each = found[tenant, cell.model, cell.data_class, cell.place]
        assert each.before == each.after
        verdict = answer(state.compiled, cell, state.now_s)
        if isinstance(verdict, Verdict):
            assert each.before.permitted == tuple(x.region for x in verdict.regions if x.exclusion is None)
        else:
            assert each.before == Standing(refusal=verdict)


def test_no_supposition_changes_nothing() -> None:
    assert _asked().groups == ()
    assert "no answer changes" in summary_in_words(_asked())
    assert replace(Supposition(), down=(RegionId("eu-fra"),)).in_words() == "eu-fra cannot serve"
