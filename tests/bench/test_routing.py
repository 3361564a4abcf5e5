"""The simulation of tier 2, in a world of a few seconds: what must hold in any, and that it can tell good from bad."""

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from bench.routing import ways
from bench.routing.cells import Cells
from bench.routing.comparisons import better_than, brown_out_only, profiles, side_by_side, sweeps
from bench.routing.judge import judge
from bench.routing.ours import EPOCH_S, Ours
from bench.routing.play import FAILED, SHED, Play, cells_of
from bench.routing.plots import plot_all
from bench.routing.report import BEGIN, END, JSON, MARKDOWN, Results, write_results
from bench.routing.rivals import Rival
from bench.routing.trace import draw
from bench.routing.ways import ORACLE, OURS, ViolationError, run
from bench.routing.world import BROWN_OUT, OUTAGE, SUBJECTS, World
from extproc.core.ids import RegionMask
from extproc.core.routing.health import Outcome
from extproc.core.tables import Profile

_CALM = World(sidecars=4, servers=(10, 10, 18, 12), until_s=8.0, warm_s=2.0, spells=())
_EVENTFUL = replace(
    _CALM,
    until_s=24.0,
    spells=(replace(BROWN_OUT, from_s=5.0, until_s=11.0), replace(OUTAGE, from_s=16.0, until_s=20.0)),
)


@pytest.mark.slow
def test_equal_seeds_give_equal_runs_and_others_do_not() -> None:
    trace = draw(_CALM)
    assert draw(_CALM) == trace
    assert draw(replace(_CALM, seed=2)) != trace
    one, other = (run(OURS, _CALM, trace).latency_s for _ in range(2))
    assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.slow
def test_demand_is_what_the_world_says() -> None:
    world = replace(_CALM, until_s=60.0)
    trace = draw(world)
    assert len(trace) / world.until_s == pytest.approx(world.rate_per_s, rel=0.05)
    assert np.mean(trace.work_s) == pytest.approx(world.service_s, rel=0.05)
    by_site = np.bincount(np.array(trace.sidecar), minlength=4) / len(trace)
    assert by_site == pytest.approx(world.sites, abs=0.02)
    japan = np.array(trace.subject)[np.array(trace.sidecar) == 3] == len(SUBJECTS) - 1
    assert japan.mean() == pytest.approx(0.8, abs=0.03)


def test_cells_serve_in_order_with_the_servers_there_are() -> None:
    cells = Cells(2, [(0.0, 1.0)])
    ends = [cells.take(0.0, 1.0, 10.0) for _ in range(4)]
    assert ends == [(Outcome.OK, 1.0), (Outcome.OK, 1.0), (Outcome.OK, 2.0), (Outcome.OK, 2.0)]
    assert [cells.present(at_s) for at_s in (0.5, 1.0, 2.0)] == [4, 2, 0]


def test_work_goes_on_at_another_speed_when_a_spell_begins_or_ends() -> None:
    cells = Cells(1, [(0.0, 1.0), (1.0, 5.0), (6.0, 1.0)])
    # Half a second at full speed, one second of work in five of the spell, and the rest at full speed again.
    outcome, end_s = cells.take(0.5, 2.0, inf)
    assert outcome is Outcome.OK
    assert end_s == pytest.approx(6.5)


def test_an_outage_ends_what_is_there_and_refuses_what_comes() -> None:
    cells = Cells(1, [(0.0, 1.0), (2.0, None), (3.0, 1.0)])
    assert cells.take(1.0, 5.0, 20.0) == (Outcome.FAILED, 2.0)
    assert cells.take(2.5, 1.0, 20.0) == (Outcome.UNREACHED, 2.5)
    assert cells.take(3.0, 1.0, 20.0) == (Outcome.OK, 4.0), "the queue of before is gone"


def test_who_waits_too_long_is_given_up_and_costs_no_work() -> None:
    cells = Cells(1, [(0.0, 1.0)])
    cells.take(0.0, 5.0, 9.0)
    assert cells.take(0.0, 1.0, 2.0) == (Outcome.FAILED, 2.0)
    assert cells.take(0.0, 1.0, 9.0) == (Outcome.OK, 6.0)


@pytest.mark.slow
def test_every_request_ends_and_none_leaves_its_permitted_set() -> None:
    trace = draw(_EVENTFUL)
    oracle = run(ORACLE, _EVENTFUL, trace)
    for way in ways.WAYS:
        played = run(way, _EVENTFUL, trace)
        figures = judge(_EVENTFUL, trace, played, oracle)
        assert figures.violations == 0, way
        assert figures.unlawful == 0, way
        assert np.array_equal(np.isnan(played.latency_s), played.served == SHED), way
        assert played.latency_s[played.served >= 0].min() >= 0.004, way
        assert (played.reached[played.served >= 0] > 0).all(), way


@pytest.mark.slow
def test_every_budget_is_given_back_when_all_is_over() -> None:
    cells = cells_of(_EVENTFUL)
    router = Ours(_EVENTFUL, cells)
    Play(_EVENTFUL, draw(_EVENTFUL), router, cells).run()
    assert router.in_flight == [[0] * 4 for _ in range(_EVENTFUL.sidecars)]


@pytest.mark.slow
def test_nothing_is_shed_while_all_regions_are_well() -> None:
    world = replace(_CALM, load=0.75, until_s=20.0)
    trace = draw(world)
    for sidecars in (1, 8):
        few = replace(world, sidecars=sidecars)
        played = run(OURS, few, draw(few))
        assert (played.served == SHED).sum() == 0
        assert (played.served == FAILED).sum() == 0
    played, oracle = run(OURS, world, trace), run(ORACLE, world, trace)
    assert judge(world, trace, played, oracle).mean_ms <= 1.1 * judge(world, trace, oracle, oracle).mean_ms


@pytest.mark.slow
def test_the_brown_out_is_left_and_costs_less_than_what_only_knows_distances() -> None:
    world = replace(
        World(),
        sidecars=16,
        servers=(20, 20, 35, 25),
        until_s=30.0,
        spells=(replace(BROWN_OUT, from_s=12.0, until_s=26.0),),
    )
    trace = draw(world)
    oracle = run(ORACLE, world, trace)
    ours = judge(world, trace, run(OURS, world, trace), oracle)
    nearest = judge(world, trace, run(ways.NEAREST, world, trace), oracle)
    assert ours.left_s is not None
    assert ours.left_s <= 2.0
    assert ours.mean_ms < 1.25 * judge(world, trace, oracle, oracle).mean_ms < nearest.mean_ms
    assert ours.p99_ms < nearest.p99_ms


@pytest.mark.slow
def test_a_way_that_leaves_its_set_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Everywhere(Rival):
        def route(self, sidecar: int, permitted: RegionMask, session: int, now_s: float) -> tuple[int, ...]:
            return super().route(sidecar, RegionMask(permitted | 0b1111), session, now_s)

    monkeypatch.setattr(ways, "WAYS", {ORACLE: ways.WAYS[ORACLE], OURS: Everywhere})
    monkeypatch.setattr("bench.routing.comparisons.WAYS", ways.WAYS)
    with pytest.raises(ViolationError, match="left their permitted set"):
        side_by_side(replace(_CALM, load=1.0), (2.0,), lambda _: None)


@pytest.mark.slow
def test_latency_alone_reaches_regions_that_no_law_permits_and_the_profiles_do_not() -> None:
    ran, best = profiles(replace(_CALM, load=0.8), lambda _: None)
    figures = {each.case: each.figures for each in ran}
    assert figures[Profile.PERFORMANCE_FIRST.value].unlawful > 0
    assert figures[Profile.HYBRID.value].unlawful == 0
    assert figures[Profile.LEGAL_FIRST.value].transferred == 0
    assert best[Profile.LEGAL_FIRST.value].all_ms > best[Profile.PERFORMANCE_FIRST.value].all_ms


@pytest.mark.slow
def test_the_product_learns_in_the_simulation() -> None:
    cells = cells_of(_CALM)
    router = Ours(_CALM, cells)
    Play(_CALM, draw(_CALM), router, cells).run()
    near = router.learned[0][0]
    assert near.latency_s == pytest.approx(0.004)
    assert near.health.observed_at_s > EPOCH_S
    assert near.paces


def test_spells_that_overlap_are_refused() -> None:
    world = replace(_CALM, spells=(BROWN_OUT, replace(BROWN_OUT, from_s=30.0, until_s=60.0)))
    with pytest.raises(ValueError, match="eu-fra overlap"):
        cells_of(world)


def test_each_sweep_changes_what_it_says() -> None:
    base = World()
    for sweep in sweeps(base):
        worlds = [world for _, world in sweep.points]
        assert len({repr(world) for world in worlds}) == len(worlds), sweep.name
    assert [spell.name for spell in brown_out_only(base).spells] == ["brown-out"]


@pytest.mark.slow
def test_the_results_are_written_with_their_method_and_plots(tmp_path: Path) -> None:
    ran = side_by_side(_EVENTFUL, (2.0,), lambda _: None)
    profiled, best = profiles(_EVENTFUL, lambda _: None)
    plots = plot_all(tmp_path, _EVENTFUL, ran, profiled, best)
    results = Results(
        effort="test",
        seconds=1.0,
        world=_EVENTFUL,
        ran=ran,
        brown_out=ran,
        profiled=profiled,
        best=best,
        swept={"load": ran},
        plots=plots,
    )
    write_results(tmp_path, results)

    text = (tmp_path / MARKDOWN).read_text()
    table = text[text.index(BEGIN) : text.index(END)]
    assert "Simulated, not measured" in table
    assert all(name in table for name in ("latency only", "legal-first", "hybrid"))
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in plots)
    plain = json.loads((tmp_path / JSON).read_text())
    assert plain["world"]["seed"] == 1
    assert {each["way"] for each in plain["side_by_side"]} == set(ways.WAYS)
    assert set(better_than(ran)) == {ways.EWMA, ways.LEAST, ways.DAMPED, ways.NEAREST}
