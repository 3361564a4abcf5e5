"""The policies that are measured are real ones, and measuring them gives figures at all."""

import pytest

from bench.policies import measure_policies
from bench.policy_report import policy_lines
from bench.synthetic import MODELS, Size, region_ids, write_synthetic
from extproc.core.ids import ModelId
from extproc.policy.compile import compile_policy
from extproc.policy.parse import parse_policy

_SIZES = [
    Size(regions=4, regimes=1, tenants=1),
    Size(regions=4, regimes=2, tenants=12),
    Size(regions=7, regimes=20, tenants=30),
    Size(regions=40, regimes=60, tenants=3),
]


@pytest.mark.slow
@pytest.mark.parametrize("size", _SIZES, ids=str)
def test_a_synthetic_policy_is_as_large_as_was_asked(size: Size) -> None:
    document = parse_policy(write_synthetic(size))
    assert list(document.regions) == region_ids(size.regions)
    assert len(document.regimes) == size.regimes
    assert len(document.tenants) == size.tenants + 1
    assert all(3 <= len(regime.permits) <= 6 for regime in document.regimes if regime.id != "public")
    tables = compile_policy(document).tables
    assert tables.models[ModelId(MODELS[0])].serving == (1 << size.regions) - 1
    assert 4 <= len(tables.epochs) <= 5


def test_equal_sizes_give_equal_policies_but_for_the_version() -> None:
    first, second = (write_synthetic(_SIZES[1], version=version) for version in (1, 2))
    assert first == write_synthetic(_SIZES[1])
    assert second == first.replace("version: 1,", "version: 2,")


@pytest.mark.slow
def test_a_size_is_measured_in_a_process_of_its_own() -> None:
    (costs,) = measure_policies(_SIZES[2:3])
    assert costs.size == _SIZES[2]
    assert costs.parse_ms > 0
    assert costs.compile_ms > 0
    assert costs.profiles > 1
    assert costs.table_us > 0
    assert costs.new_us > costs.judge_known_us > 0
    assert costs.order_new_us > 0
    assert costs.peak_mib > costs.rss_mib
    assert "| 7 | 20 | 30 |" in "\n".join(policy_lines([costs]))
