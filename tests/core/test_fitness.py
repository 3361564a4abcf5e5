"""Whether a region may serve a model: what its cells have shown, and what it depends on."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.fitness import SHOWN_FOR_S, Freshness, Shown, Unfit, fitness_of, held
from extproc.core.ids import Country, DependencyId, ModelId, RegionId
from extproc.core.reasons import Exclusion
from extproc.core.tables import Approval, Region

NOW_S = 1_800_000_000.0
FRA, AMS = RegionId("eu-fra"), RegionId("eu-ams")
DIGITS, FRAUD = ModelId("digits"), ModelId("fraud")
VECTORS, CACHE = DependencyId("vectors"), DependencyId("cache")
BOUND = Approval(version="1", digest="sha256:aa")
UNAPPROVED, UNVERIFIED, STALE = (
    Exclusion.MODEL_UNAPPROVED,
    Exclusion.MODEL_UNVERIFIED,
    Exclusion.DEPENDENCY_STALE,
)


def _region(
    name: RegionId = FRA,
    models: Mapping[ModelId, Approval] | None = None,
    needs: Mapping[DependencyId, float] | None = None,
) -> Region:
    return Region(
        id=name,
        country=Country("DE"),
        cluster=name,
        models={DIGITS: BOUND} if models is None else models,
        needs=needs or {},
    )


def _shown(
    version: str | None = "1", digest: str | None = "sha256:aa", *, at_s: float = NOW_S, has: bool = True
) -> Shown:
    return Shown(at_s=at_s, has_model=has, version=version, digest=digest)


GOOD = _shown()


@pytest.mark.parametrize(
    ("what", "approval", "shown", "why"),
    [
        ("any version may serve, and nothing need be shown", Approval(), (), None),
        ("nor does what is shown matter then", Approval(), (_shown("9", None),), None),
        ("version and digest are as approved", BOUND, (GOOD,), None),
        ("the version is another", BOUND, (_shown("2"),), UNAPPROVED),
        ("the digest is another", BOUND, (_shown(digest="sha256:bb"),), UNAPPROVED),
        ("the digest is not said", BOUND, (_shown(digest=None),), UNAPPROVED),
        ("only the version is bound", Approval(version="1"), (_shown(digest=None),), None),
        ("only the digest is bound", Approval(digest="sha256:aa"), (_shown(None),), None),
        ("the cell has no such model", BOUND, (_shown(None, None, has=False),), UNAPPROVED),
        ("one cell of several is wrong", BOUND, (GOOD, _shown("2"), GOOD), UNAPPROVED),
        ("nothing was shown yet", BOUND, (), UNVERIFIED),
        ("what was shown is still believed", BOUND, (_shown(at_s=NOW_S - SHOWN_FOR_S),), None),
        ("and then no more", BOUND, (_shown(at_s=NOW_S - SHOWN_FOR_S - 0.1),), UNVERIFIED),
        ("a silent cell, beside one that answers", BOUND, (GOOD, _shown(at_s=NOW_S - 100)), None),
        ("a wrong cell that fell silent counts a while", BOUND, (GOOD, _shown("2", at_s=NOW_S - 10)), UNAPPROVED),
        ("and then no more", BOUND, (GOOD, _shown("2", at_s=NOW_S - 100)), None),
        ("the clock was set back a little", BOUND, (_shown(at_s=NOW_S + 1),), None),
        ("the clock was set back by hours", BOUND, (_shown(at_s=NOW_S + 7200),), UNVERIFIED),
    ],
)
def test_models(what: str, approval: Approval, shown: tuple[Shown, ...], why: Exclusion | None) -> None:
    found = fitness_of([_region(models={DIGITS: approval})], {FRA: {DIGITS: shown}}, {}, now_s=NOW_S)
    assert found == ({} if why is None else {DIGITS: (Unfit(region=FRA, why=why),)}), what


def _fresh(ago_s: float, *, told_ago_s: float = 0.0) -> Freshness:
    return Freshness(as_of_s=NOW_S - ago_s, told_at_s=NOW_S - told_ago_s)


@pytest.mark.parametrize(
    ("what", "seen", "by"),
    [
        ("both are fresh", {VECTORS: _fresh(1), CACHE: _fresh(1)}, None),
        ("as old as may be", {VECTORS: _fresh(300), CACHE: _fresh(5)}, None),
        ("one is stale", {VECTORS: _fresh(1), CACHE: _fresh(5.1)}, CACHE),
        ("both are stale: the first that the policy names", {VECTORS: _fresh(301), CACHE: _fresh(6)}, VECTORS),
        ("nothing was heard of one", {VECTORS: _fresh(1)}, CACHE),
        ("nothing was heard at all", {}, VECTORS),
        ("data of a time to come counts as told now", {VECTORS: _fresh(-1e9), CACHE: _fresh(1)}, None),
        ("and ages from then", {VECTORS: _fresh(-1e9, told_ago_s=301), CACHE: _fresh(1)}, VECTORS),
        ("our clock was set back a little", {VECTORS: _fresh(-60, told_ago_s=-60), CACHE: _fresh(1)}, None),
        ("by more than the data may be old", {VECTORS: _fresh(-301, told_ago_s=-301), CACHE: _fresh(1)}, VECTORS),
    ],
)
def test_dependencies(what: str, seen: Mapping[DependencyId, Freshness], by: DependencyId | None) -> None:
    region = _region(models={DIGITS: Approval(), FRAUD: Approval()}, needs={VECTORS: 300.0, CACHE: 5.0})
    unfit = (Unfit(region=FRA, why=STALE, by=by),)
    expected = {} if by is None else {DIGITS: unfit, FRAUD: unfit}
    assert fitness_of([region], {}, {FRA: seen}, now_s=NOW_S) == expected, what


def test_what_a_cell_serves_is_named_before_what_it_depends_on() -> None:
    region = _region(models={DIGITS: BOUND, FRAUD: Approval()}, needs={VECTORS: 300.0})
    assert fitness_of([region], {FRA: {DIGITS: (_shown("2"),)}}, {}, now_s=NOW_S) == {
        DIGITS: (Unfit(region=FRA, why=UNAPPROVED),),
        FRAUD: (Unfit(region=FRA, why=STALE, by=VECTORS),),
    }


def test_each_region_answers_for_itself_in_the_order_of_the_catalogue() -> None:
    regions = [_region(AMS), _region(FRA, {DIGITS: BOUND, FRAUD: BOUND})]
    shown = {FRA: {DIGITS: (_shown("2"),), FRAUD: (GOOD,)}, RegionId("gone"): {DIGITS: (_shown("3"),)}}
    assert fitness_of(regions, shown, {}, now_s=NOW_S) == {
        DIGITS: (Unfit(region=AMS, why=UNVERIFIED), Unfit(region=FRA, why=UNAPPROVED))
    }


_TIMES = st.floats(NOW_S - 1000, NOW_S + 1000)
_SHOWN = st.builds(
    Shown,
    at_s=_TIMES,
    has_model=st.booleans(),
    version=st.sampled_from([None, "1", "2"]),
    digest=st.sampled_from([None, "sha256:aa", "sha256:bb"]),
)


@given(st.lists(_SHOWN, max_size=4).map(tuple), _SHOWN)
def test_another_cell_never_makes_an_unapproved_region_fit(shown: tuple[Shown, ...], added: Shown) -> None:
    def why(cells: tuple[Shown, ...]) -> Exclusion | None:
        found = fitness_of([_region()], {FRA: {DIGITS: cells}}, {}, now_s=NOW_S)
        return found[DIGITS][0].why if found else None

    if why(shown) is UNAPPROVED:
        assert why((*shown, added)) is UNAPPROVED
    if why(shown) is None:
        assert any(each.version == "1" and each.digest == "sha256:aa" for each in shown)


@given(_TIMES, _TIMES | st.just(float("inf")), st.floats(0, 1e7), st.floats(0, 600))
def test_nothing_stays_fresh_for_ever_without_a_word_of_it(
    as_of_s: float, told_at_s: float, later_s: float, max_age_s: float
) -> None:
    """Whatever a dependency says of its data, and whichever clock was wrong."""
    region = _region(models={DIGITS: Approval()}, needs={VECTORS: max_age_s})
    seen = {FRA: {VECTORS: Freshness(as_of_s=as_of_s, told_at_s=told_at_s)}}
    now_s = NOW_S + 1000 + max_age_s + later_s + 1
    assert fitness_of([region], {}, seen, now_s=now_s) == {DIGITS: (Unfit(region=FRA, why=STALE, by=VECTORS),)}


LOOSE, OTHER = Approval(), Approval(version="2", digest="sha256:bb")


@pytest.mark.parametrize(
    ("what", "before", "after", "why"),
    [
        ("the same", BOUND, BOUND, None),
        ("the promise of a latency is no binding", BOUND, Approval(version="1", digest="sha256:aa", slo_s=1.0), None),
        ("nothing is bound any more", BOUND, LOOSE, None),
        ("less is bound", BOUND, Approval(digest="sha256:aa"), None),
        ("more is bound", Approval(version="1"), BOUND, UNVERIFIED),
        ("something was not bound", LOOSE, BOUND, UNVERIFIED),
        ("another is bound", BOUND, OTHER, UNVERIFIED),
        ("it was not served there", None, BOUND, UNVERIFIED),
        ("it was not served there, and is not bound", None, LOOSE, None),
    ],
)
def test_what_must_show_something_else_is_unfit_until_it_was_looked_at(
    what: str, before: Approval | None, after: Approval, why: Exclusion | None
) -> None:
    of = (_region(models={} if before is None else {DIGITS: before}),)
    unfit = held({}, of, (_region(models={DIGITS: after}),))
    assert unfit == ({} if why is None else {DIGITS: (Unfit(region=FRA, why=why),)}), what


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [({}, {VECTORS: 5.0}, STALE), ({VECTORS: 5.0}, {VECTORS: 4.0}, STALE), ({VECTORS: 5.0}, {VECTORS: 6.0}, None)],
)
def test_what_must_be_fresher_is_stale_until_it_was_looked_at(
    before: Mapping[DependencyId, float], after: Mapping[DependencyId, float], why: Exclusion | None
) -> None:
    unfit = held({}, (_region(needs=before),), (_region(needs=after),))
    assert unfit == ({} if why is None else {DIGITS: (Unfit(region=FRA, why=why, by=VECTORS),)})


def test_what_is_unfit_stays_so_and_what_is_gone_is_forgotten() -> None:
    unfit = {DIGITS: (Unfit(region=AMS, why=UNAPPROVED), Unfit(region=FRA, why=UNAPPROVED))}
    assert held(unfit, (_region(AMS), _region()), (_region(models={DIGITS: LOOSE}),)) == {
        DIGITS: (Unfit(region=FRA, why=UNAPPROVED),)
    }


_approvals = st.builds(Approval, version=st.sampled_from([None, "1", "2"]), digest=st.sampled_from([None, "a", "b"]))
_needs = st.dictionaries(st.sampled_from([VECTORS, CACHE]), st.sampled_from([1.0, 5.0]))
_catalogues = st.dictionaries(
    st.sampled_from([FRA, AMS]), st.tuples(st.dictionaries(st.sampled_from([DIGITS, FRAUD]), _approvals), _needs)
).map(lambda made: tuple(_region(name, models, needs) for name, (models, needs) in made.items()))


@given(
    _catalogues,
    _catalogues,
    st.dictionaries(st.sampled_from([FRA, AMS]), st.dictionaries(st.sampled_from([DIGITS, FRAUD]), st.just((GOOD,)))),
    st.dictionaries(
        st.sampled_from([FRA, AMS]),
        st.dictionaries(st.sampled_from([VECTORS, CACHE]), st.sampled_from([NOW_S, NOW_S - 3, NOW_S - 9])),
    ),
)
def test_nothing_is_held_for_fit_that_is_not(
    of: tuple[Region, ...],
    regions: tuple[Region, ...],
    shown: Mapping[RegionId, Mapping[ModelId, tuple[Shown, ...]]],
    as_of_s: Mapping[RegionId, Mapping[DependencyId, float]],
) -> None:
    fresh = {region: {name: Freshness(as_of_s=at_s) for name, at_s in each.items()} for region, each in as_of_s.items()}
    believed = held(fitness_of(of, shown, fresh, now_s=NOW_S), of, regions)
    for model, unfit in fitness_of(regions, shown, fresh, now_s=NOW_S).items():
        assert {each.region for each in unfit} <= {each.region for each in believed.get(model, ())}
    for unfit in believed.values():
        assert len({each.region for each in unfit}) == len(unfit)
