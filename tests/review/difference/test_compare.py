"""A comparison says exactly what asking both policies everything, one question at a time, says."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy.random_policies import Written, random_policy
from policy.strategies import as_yaml

from extproc.core.decide import Refused, rule
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.reasons import Refusal
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.review.difference import Answer, Difference, Effect, Ground, Stand, compare
from extproc.review.domain import places_of

_Cell = tuple[TenantId, ModelId, DataClass | None, Jurisdiction, float]


def _compiled(written: Written) -> CompiledPolicy:
    return compile_policy(parse_policy(as_yaml(written)))


def _changed_a_little(written: Written, random: Random) -> Written:
    """Another version of a policy, as an operator makes them: one or two parts are another's."""
    changed = deepcopy(written)
    other = random_policy(random.getrandbits(32))
    changed["policy"]["as_of"] = random.choice(["2026-01-01", "2026-02-01", written["policy"]["as_of"]])
    for regime in changed["regimes"]:
        if regime["permits"] and random.random() < 0.5:
            regime["permits"].pop()
            regime.pop("class", None)
    for tenant in changed["tenants"].values():
        if random.random() < 0.3:
            tenant["class"] = random.choice(["public", "personal", "special"])
    if random.random() < 0.5:
        changed["ingress"] = {**other["ingress"], "region": "r0"}
    # What names permits that may be gone.
    changed.pop("overrides", None)
    changed.pop("tests", None)
    for tenant in changed["tenants"].values():
        tenant["mechanisms"] = {}
    return changed


def _pair(seed: int, *, alike: bool) -> tuple[CompiledPolicy, CompiledPolicy]:
    random = Random(seed)
    one = random_policy(random.getrandbits(32))
    other = _changed_a_little(one, random) if alike else random_policy(random.getrandbits(32))
    return _compiled(one), _compiled(other)


def _ask(compiled: CompiledPolicy, cell: _Cell) -> Answer:
    """Ask as a request does that is located at the place."""
    tenant, model, declared, place, at_s = cell
    classes = () if declared is None else (ClassSignal(source=ClassSource.HEADER, data_class=declared),)
    facts = RequestFacts(
        tenant=tenant,
        binding=Binding.CLAIM,
        model=model,
        classes=classes,
        signals=(Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=place),),
    )
    ruled = rule(facts, compiled.tables, compiled.suspensions, now_s=at_s)
    elsewhere = None
    if isinstance(ruled, Refused):
        if ruled.deny.refusal is not Refusal.WRONG_INGRESS:
            return Answer(refusal=ruled.deny.refusal)
        elsewhere = ruled.deny.redirect_host or ""
    assert ruled.verdict is not None
    stands = [
        Stand(
            region=each.region,
            grounds=tuple(sorted(Ground(permit=permit.name, basis=permit.basis) for permit in each.permits)),
        )
        for each in ruled.verdict.regions
        if each.exclusion is None
    ]
    return Answer(stands=tuple(stands), elsewhere=elsewhere)


def _cells(a: CompiledPolicy, b: CompiledPolicy, moments: tuple[float, ...]) -> Iterator[_Cell]:
    one, other = a.tables, b.tables
    for tenant in sorted(set(one.tenants) & set(other.tenants)):
        own = {one.tenants[tenant].data_class, other.tenants[tenant].data_class}
        for model in sorted(set(one.models) & set(other.models)):
            # A class is declared beside the tenant's own; the own one itself only where it is another's in the other.
            for declared in [None, *sorted((one.classes & other.classes) - (own if len(own) == 1 else set()))]:
                for place in sorted({*places_of(a), *places_of(b)}):
                    for at_s in moments:
                        yield tenant, model, declared, place, at_s


def _questions(compiled: CompiledPolicy, other: CompiledPolicy) -> set[tuple[TenantId, ModelId, DataClass | None]]:
    """List what can be asked of the one in a place, without what the other has as well."""
    one, two = compiled.tables, other.tables
    return {
        (id_, model, declared)
        for id_, tenant in one.tenants.items()
        for model in one.models
        for declared in [None, *(one.classes - {tenant.data_class})]
        if id_ not in two.tenants or model not in two.models or declared not in {None, *two.classes}
    }


def _told(difference: Difference) -> dict[_Cell, tuple[Answer, Answer]]:
    """Take a difference apart into its single answers."""
    found: dict[_Cell, tuple[Answer, Answer]] = {}
    for change in difference.changes:
        over = [at_s for at_s in difference.moments if change.span.from_s <= at_s < change.span.until_s]
        assert len(over) == change.moments
        cells = [
            (tenant, change.model, change.declared, place, at_s)
            for tenant in change.tenants
            for place in change.places
            for at_s in over
        ]
        assert change.cells == len(cells)
        assert not found.keys() & set(cells), "an answer is told twice"
        found.update(dict.fromkeys(cells, (change.before, change.after)))
    return found


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 32), st.booleans())
def test_it_tells_what_asking_every_question_tells(seed: int, alike: bool) -> None:  # noqa: FBT001 - drawn
    a, b = _pair(seed, alike=alike)
    difference = compare(a, b)
    told = _told(difference)
    cells = list(_cells(a, b, difference.moments))
    # Places that no rule tells apart are many, so not all of them.
    few = [cell for cell in cells if cell[3] in ("DE", "FR", "NO", "US", "AE", "CA", "CA-QC", "BR", "GB", "ZA")]
    for cell in Random(seed).sample(few, min(len(few), 800)) + Random(seed).sample(cells, min(len(cells), 200)):
        before, after = _ask(a, cell), _ask(b, cell)
        assert told.get(cell) == (None if before == after else (before, after)), cell
    assert difference.asked == len(cells)
    each = len({*places_of(a), *places_of(b)}) * len(difference.moments)
    assert difference.alone_before == len(_questions(a, b)) * each
    assert difference.alone_after == len(_questions(b, a)) * each
    assert set(told) <= set(cells)
    assert difference.changed == sum(difference.count(effect) for effect in Effect) == len(told)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1 << 32))
def test_answers_do_not_change_between_the_moments_that_are_asked_about(seed: int) -> None:
    a, b = _pair(seed, alike=True)
    moments = compare(a, b).moments
    between = [at_s + share * (until_s - at_s) for at_s, until_s in pairwise(moments) for share in (0.3, 0.99)]
    for at_s in [*between, moments[-1] + 1e9]:
        known = max(each for each in moments if each <= at_s)
        there, here = compare(a, b, at_s=known), compare(a, b, at_s=at_s)
        assert [(c.before, c.after, c.places) for c in there.changes] == [
            (c.before, c.after, c.places) for c in here.changes
        ]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1 << 32))
def test_a_policy_does_not_differ_from_itself_and_the_way_back_is_the_mirror(seed: int) -> None:
    a, b = _pair(seed, alike=True)
    assert not compare(a, a).differs
    there, back = compare(a, b), compare(b, a)
    assert back.added == there.removed
    assert {cell: (after, before) for cell, (before, after) in _told(there).items()} == _told(back)
    assert there.count(Effect.WIDENED) == back.count(Effect.NARROWED)
