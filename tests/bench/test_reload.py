"""Changes under load are measured at all, and what took them is found in the log."""

from pathlib import Path

import pytest

from bench import reload
from bench.policy_report import reload_lines
from bench.reload import Plan, measure_reloads
from bench.targets import reload_targets
from extproc.geo import GeoDatabase


@pytest.mark.e2e
@pytest.mark.slow
def test_every_case_gives_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "IN_DATABASE", 500)
    monkeypatch.setattr(reload, "MANY", reload.STARTER)
    measured = measure_reloads(tmp_path, Plan(rounds=1, seconds=2.0, rate=40.0, every_s=2.0))
    by_case = {each.case: each for each in measured}
    assert by_case["demo: nothing"].changes == 0
    assert by_case["demo: nothing"].took_ms == []
    for each in measured:
        assert each.p99_ratio > 0
        if each is not by_case["demo: nothing"]:
            assert each.changes >= 1
            assert each.took_ms, each.case
            assert min(each.took_ms) > 0
    assert len(list(reload_lines(measured))) == 8 + len(measured)
    assert len(reload_targets(measured)) == len(measured)


def test_the_large_database_is_one_that_the_sidecar_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "IN_DATABASE", 100)
    database = GeoDatabase.load(reload.write_database(tmp_path / "large.mmdb", seed=1))
    assert database.identity.database_type == "GeoIP2-Country"
    database.close()
