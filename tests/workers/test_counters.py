"""Requests in flight, counted by one process and by several: one contract for both."""

import os
import subprocess
import sys
import timeit
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import RegionId
from extproc.sidecar.inflight import Counters, OwnCounters
from extproc.workers.counters import SharedBlock, SharedCounters, create_block

_CATALOGUE = [RegionId(f"r-{number}") for number in range(8)]


def _shared(regions: int) -> Counters:
    return SharedCounters(create_block(workers=3, catalogue=_CATALOGUE[:regions]), 1)


_KINDS: list[Callable[[int], Counters]] = [OwnCounters, _shared]


@pytest.mark.parametrize("make", _KINDS, ids=["own", "shared"])
class TestContract:
    @given(changes=st.lists(st.tuples(st.integers(0, 7), st.integers(-3, 1000))))
    def test_totals_are_the_sums_of_the_changes(
        self, make: Callable[[int], Counters], changes: list[tuple[int, int]]
    ) -> None:
        counters = make(8)
        expected = [0] * 8
        for index, change in changes:
            counters.add(index, change)
            expected[index] += change
        assert list(counters.totals()) == expected

    def test_a_catalogue_without_regions_has_no_totals(self, make: Callable[[int], Counters]) -> None:
        assert list(make(0).totals()) == []


@pytest.mark.parametrize("regions", [1, 16, 17, 100])
def test_workers_count_apart_and_see_the_sum(regions: int) -> None:
    catalogue = [RegionId(f"r-{number}") for number in range(regions)]
    block = create_block(workers=4, catalogue=catalogue)
    workers = [SharedCounters(block, worker) for worker in range(4)]
    for worker, counters in enumerate(workers):
        for index in range(regions):
            counters.add(index, (worker + 1) * (index + 1))
    expected = [10 * (index + 1) for index in range(regions)]
    assert [list(each.totals()) for each in (*workers, SharedCounters(block))] == [expected] * 5
    block.clear(3)
    assert list(workers[0].totals()) == [6 * (index + 1) for index in range(regions)]
    assert SharedBlock(block.descriptor).catalogue == tuple(catalogue)


def test_no_two_workers_write_to_one_line_of_the_cache() -> None:
    block = create_block(workers=3, catalogue=_CATALOGUE)
    for worker in range(3):
        for index in range(8):
            block.rows[worker][index] = worker + 1
    data = os.pread(block.descriptor, 1 << 16, 0)
    lines = [set(memoryview(data[at : at + 64]).cast("q")) & {1, 2, 3} for at in range(128, 512, 64)]
    assert all(len(line) <= 1 for line in lines)


def test_the_supervisor_counts_nothing_itself() -> None:
    with pytest.raises(ValueError, match="no requests of its own"):
        SharedCounters(create_block(workers=2, catalogue=_CATALOGUE)).add(0, 1)


def test_another_process_counts_in_the_same_block() -> None:
    block = create_block(workers=2, catalogue=_CATALOGUE)
    script = (
        "import sys; from extproc.workers.counters import SharedBlock, SharedCounters; "
        "SharedCounters(SharedBlock(int(sys.argv[1])), 1).add(5, 42)"
    )
    subprocess.run([sys.executable, "-c", script, str(block.descriptor)], pass_fds=[block.descriptor], check=True)
    assert SharedCounters(block, 0).totals()[5] == 42


def test_totals_cost_next_to_nothing() -> None:
    counters = SharedCounters(create_block(workers=2, catalogue=_CATALOGUE), 0)
    took_s = min(timeit.repeat(counters.totals, number=2000, repeat=20)) / 2000
    assert took_s < 2e-6
