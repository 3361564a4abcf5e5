"""The benchmarks give figures at all. What the figures are is no test's business: it depends on the machine."""

import json
from pathlib import Path

import pytest

from bench.handler import decision_entries, measure_handler
from bench.ladder import Load, Rung, Sample, climb
from bench.load import percentile
from bench.records import measure_disk, measure_ledger
from bench.report import Results, write_results
from bench.targets import Target, handler_targets
from extproc.demo.process import ProcessFailedError


@pytest.mark.slow
def test_the_handler_is_measured_for_both_sizes_and_callers(tmp_path: Path) -> None:
    handled = measure_handler(tmp_path, calls=20)
    assert [(each.regions, each.caller) for each in handled] == [
        (4, "without a token"),
        (4, "with a token"),
        (40, "without a token"),
        (40, "with a token"),
    ]
    for each in handled:
        assert each.whole_us > 0
        assert each.reported_us > 0
        assert all(us > 0 for us in each.steps_us.values())
    assert handled[2].entry_bytes > handled[0].entry_bytes
    assert [target.unit for target in handler_targets(handled)] == ["us CPU", "x"]


@pytest.mark.slow
def test_the_ledger_is_measured_in_both_modes(tmp_path: Path) -> None:
    entries = decision_entries(tmp_path)
    recorded = measure_ledger(tmp_path, entries, seconds=0.05, rounds=1)
    assert [(each.mode, each.waiters) for each in recorded] == [("fsync", 1), ("fsync", 64), ("page", 1), ("page", 64)]
    assert all(each.records > 0 and each.cpu_us > 0 and each.batch >= 1 for each in recorded)
    assert measure_disk(tmp_path).flush_p50_us > 0


@pytest.mark.e2e
@pytest.mark.slow
def test_one_rung_and_its_report(tmp_path: Path) -> None:
    loads = (
        Load(name="one", connections=1, seconds=0.3, most=300),
        Load(name="saturated", connections=8, seconds=0.5, most=2000),
        Load(name="open", connections=8, seconds=0.3, rate=100),
    )
    climbed = climb(tmp_path, loads, rounds=1, rungs=[Rung.DECIDE])
    by_load = climbed.samples[Rung.DECIDE]
    assert list(by_load) == ["one", "saturated", "open"]
    for load in loads:
        _sane(by_load[load.name][0])
    assert by_load["open"][0].requests == 30
    assert by_load["saturated"][0].sidecar_cpu_us
    assert climbed.peak_rss_mib[Rung.DECIDE].keys() == {"backend", "sidecar", "envoy"}

    write_results(tmp_path / "results", Results(effort="tiny", rounds=1, loads=loads, climb=climbed))
    written = json.loads((tmp_path / "results" / "latest.json").read_text())
    assert written["ladder"]["samples"]["4 + decide, records off"]["one"][0]["p50_us"] > 0
    assert "| 4 + decide, records off |" in (tmp_path / "results" / "latest.md").read_text()


def _sane(sample: Sample) -> None:
    assert sample.requests > 0
    assert sample.failed == 0
    assert sample.per_second > 0
    assert 0 < sample.p50_us <= sample.p99_us <= sample.p999_us <= sample.max_us
    assert sample.hop_p50_us
    assert sample.hop_p50_us < sample.max_us


@pytest.mark.e2e
@pytest.mark.slow
def test_a_refused_request_ends_the_climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.ladder.PATIENCE_S", 0.2)
    monkeypatch.setattr("bench.ladder.PATH", "/v2/models/unheard-of/infer")
    load = Load(name="one", connections=1, seconds=0.1)
    with pytest.raises(ProcessFailedError, match="not served within"):
        climb(tmp_path, [load], rounds=1, rungs=[Rung.DECIDE])


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (75, 3), (99, 4), (100, 4)])
def test_percentiles_are_by_nearest_rank(percent: float, expected: int) -> None:
    assert percentile([1, 2, 3, 4], percent) == expected


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(1.0, False, True), (1.1, False, False), (1.0, True, True), (0.9, True, False)]
)
def test_a_target_is_met_or_not(value: float, *, at_least: bool, met: bool) -> None:
    assert Target(what="", value=value, limit=1.0, unit="x", at_least=at_least).met is met
