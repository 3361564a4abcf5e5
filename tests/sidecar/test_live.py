"""What decisions are made with: never the fitness of one policy with the approvals of another."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from support.sidecar import Setup

from extproc.core.fitness import Unfit
from extproc.core.ids import DependencyId, ModelId, RegionId
from extproc.core.reasons import Exclusion
from extproc.core.tables import Approval, Region
from extproc.sidecar.configuration import Configuration, Files, Origin, load_configuration
from extproc.sidecar.live import Live

_FRA = RegionId("eu-fra")
_MODEL = ModelId("digits")
_FIRST, _SECOND = Approval(version="1"), Approval(version="2")
_UNVERIFIED = {_MODEL: (Unfit(region=_FRA, why=Exclusion.MODEL_UNVERIFIED),)}


@pytest.fixture
def loaded(tmp_path: Path) -> Configuration:
    setup = Setup(root=tmp_path)
    return load_configuration(Files(policy=Origin(location=str(setup.policy)), geo=setup.geo))


def _with(
    loaded: Configuration, approval: Approval, needs: Mapping[DependencyId, float] | None = None
) -> Configuration:
    """Change what one region is approved for, and let no other serve anything."""
    regions = tuple(
        replace(region, models={_MODEL: approval}, needs=needs or {})
        if region.id == _FRA
        else replace(region, models={})
        for region in loaded.tables.regions
    )
    return replace(loaded, compiled=replace(loaded.compiled, tables=replace(loaded.tables, regions=regions)))


def _regions(configuration: Configuration) -> tuple[Region, ...]:
    return configuration.tables.regions


def _configure(live: Live, configuration: Configuration) -> None:
    live.configure(configuration, live.with_configuration(configuration))


def test_before_anything_was_found_nothing_that_is_bound_is_fit(loaded: Configuration) -> None:
    live = Live(_with(loaded, _FIRST), checks_models=True)
    assert live.current.snapshot.fitness == _UNVERIFIED
    live.fitness({}, _regions(live.configuration))
    assert live.current.snapshot.fitness == {}


def test_what_is_bound_otherwise_is_unfit_until_it_was_held_against_that(loaded: Configuration) -> None:
    first, second = _with(loaded, _FIRST), _with(loaded, _SECOND)
    live = Live(first, checks_models=True)
    live.fitness({}, _regions(first))
    _configure(live, second)
    assert live.current.snapshot.policy is second.tables
    assert live.current.snapshot.fitness == _UNVERIFIED

    # What was on its way was found for the policy of before: it says nothing of this one.
    live.fitness({}, _regions(first))
    assert live.current.snapshot.fitness == _UNVERIFIED
    live.fitness({}, _regions(second))
    assert live.current.snapshot.fitness == {}

    # The others of a set may be ahead, or behind.
    live.fitness({}, _regions(_with(loaded, Approval())))
    assert live.current.snapshot.fitness == _UNVERIFIED


def test_what_must_be_fresh_from_now_on_is_stale_until_somebody_has_asked(loaded: Configuration) -> None:
    before, name = _with(loaded, _FIRST), DependencyId("vectors")
    live = Live(before, checks_models=True)
    live.fitness({}, _regions(before))
    _configure(live, _with(loaded, _FIRST, {name: 5.0}))
    assert live.current.snapshot.fitness == {_MODEL: (Unfit(region=_FRA, why=Exclusion.DEPENDENCY_STALE, by=name),)}
    _configure(live, before)
    assert live.current.snapshot.fitness == {}


def test_where_nobody_finds_out_nothing_is_unfit(loaded: Configuration) -> None:
    live = Live(_with(loaded, _FIRST))
    _configure(live, _with(loaded, _SECOND))
    assert live.current.snapshot.fitness == {}


def test_envoys_other_names_of_clusters_are_known_beside_the_policys(loaded: Configuration) -> None:
    name = "outbound|8080||eu-fra.cells.situs.internal"
    live = Live(loaded, clusters={name: _FRA})
    assert (live.region_of(name), live.region_of("eu-fra")) == (_FRA, _FRA)
    assert live.region_of("outbound|8080||us-iad.cells.situs.internal") is None
    _configure(live, _with(loaded, _SECOND))
    assert live.region_of(name) == _FRA
    assert Live(loaded).region_of(name) is None
