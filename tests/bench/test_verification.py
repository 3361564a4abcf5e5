"""The benchmark of verification gives figures at all. What they are depends on the machine."""

from pathlib import Path

import pytest

from bench.verification import measure, to_lines


@pytest.mark.slow
def test_verification_is_measured_and_told(tmp_path: Path) -> None:
    measured = measure(tmp_path, regions=4, batch=4, records=1_000)
    assert 1_000 <= measured.records <= 1_010
    assert 0 < measured.integrity_us < measured.all_us
    assert measured.wal_us < measured.every_signature_us
    lines = list(to_lines([measured], {"machine": "this one"}))
    assert lines[0] == "# Verification"
    assert lines[-1].startswith("| 4 | ")
