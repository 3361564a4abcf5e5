"""What is requested of the cluster follows from what was measured."""

import re
from pathlib import Path

import pytest

from extproc.mesh.kubernetes import cost

RESULTS = Path(__file__).parents[3] / "bench" / "results" / "latest.md"


def test_requests_follow_from_the_cost() -> None:
    assert cost.cpu_millis(500, 1400) == 1000
    assert cost.cpu_millis(501, 1400) == 1010
    assert cost.cpu_millis(1, 1400) == 100
    assert cost.most_requests_per_s(1) == 500
    assert cost.most_requests_per_s(4) == 2000
    assert cost.envoy_threads(300) == 1
    assert cost.envoy_threads(3000) == 3
    assert (cost.situs_mib(1), cost.situs_mib(2)) == (256, 640)


def test_the_cost_is_that_of_the_last_measurement() -> None:
    """A machine that others share measures more or less each time; twice as much would be another product."""
    row = re.search(r"^\| 6 all of it, fsync \|(.*)\|$", RESULTS.read_text(), re.MULTILINE)
    assert row is not None
    situs, _, _, envoy = [float(cell.replace(",", "")) for cell in row[1].split("|")[:4]]
    assert pytest.approx(situs, rel=0.5) == cost.SITUS_US, (
        "Mend: take the new figures into extproc/mesh/kubernetes/cost.py"
    )
    assert pytest.approx(envoy, rel=0.5) == cost.ENVOY_US, (
        "Mend: take the new figures into extproc/mesh/kubernetes/cost.py"
    )
