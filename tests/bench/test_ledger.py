"""The ledger's benchmark gives figures and writes them down; what they are depends on the machine."""

import json
from pathlib import Path

import pytest

from bench.ledger import BATCHES, FRAMES, WAITERS, measure, write_results


@pytest.mark.slow
def test_every_table_has_its_figures(tmp_path: Path) -> None:
    results = measure(tmp_path, seconds=0.03, rounds=1, mib=1)
    assert len(results.recorded) == 3 * len(WAITERS)
    assert all(each.records > 0 and each.cpu_us > 0 for each in results.recorded)
    assert [each.batch for each in results.written] == list(BATCHES)
    assert [each.batch for each in results.recovered] == list(FRAMES)
    assert all(each.mib >= 1 and each.seconds > 0 for each in results.recovered)
    assert [each.kind for each in results.files] == ["grows", "reserved", "zeros before"]
    write_results(tmp_path, results)
    plain = json.loads((tmp_path / "ledger.json").read_text())
    assert [target["limit"] for target in plain["targets"]] == [20_000, 20, 20, 1.0, 1.0]
    assert (tmp_path / "ledger.md").read_text().count("\n## ") == 5
