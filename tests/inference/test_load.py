"""What a cell says of its load."""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batcher import Batcher, BatchLimits, Feed
from inference.load import WINDOW_S, Fullness, Load, together
from inference.tensors import Array

_LOAD = re.compile(r"TEXT application_utilization=(\d\.\d{3}),named_metrics\.queue_depth=(\d+)")


def test_the_fullest_model_is_the_cells_and_the_queues_add_up() -> None:
    assert together([]) == Load(utilization=0.0, queued=0)
    assert together([Load(utilization=0.2, queued=3), Load(utilization=0.7, queued=1)]) == Load(
        utilization=0.7, queued=4
    )


def test_what_is_steady_is_believed_after_a_few_windows_and_forgotten_after_a_few() -> None:
    fullness = Fullness(0.0)
    assert fullness.at(100.0) == 0.0
    fullness.set(1.0, 100.0)
    assert 0.6 < fullness.at(100.0 + WINDOW_S) < 0.65
    assert fullness.at(105.0) > 0.99
    fullness.set(0.0, 105.0)
    assert fullness.at(110.0) < 0.01


def test_half_of_the_time_is_half() -> None:
    fullness = Fullness(0.0)
    for step in range(2000):
        fullness.set(float(step % 2), step / 200)
    assert fullness.at(10.0) == pytest.approx(0.5, abs=0.01)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-10, 10, allow_nan=False)), max_size=20), st.floats(-100, 100))
def test_it_is_never_outside_of_what_it_was_even_with_a_clock_that_jumps(
    levels: list[tuple[float, float]], now_s: float
) -> None:
    fullness = Fullness(0.0)
    for level, at_s in levels:
        fullness.set(level, at_s)
    assert -1e-9 <= fullness.at(now_s) <= 1 + 1e-9


@pytest.mark.parametrize(("rows", "waits", "expected"), [(1, 0, 0.25), (4, 0, 1.0), (9, 0, 1.0), (1, 3, 0.25)])
async def test_a_run_counts_for_as_much_as_it_is_full(rows: int, waits: int, expected: float) -> None:
    """While the first run goes on others may wait: it could not have taken them, but nobody was left behind."""
    go_on = Event()

    def compute(feed: Feed) -> Sequence[Array]:
        go_on.wait(5)
        return [feed["x"]]

    batcher = Batcher(compute, batchable=True, limits=BatchLimits(rows=4), name="test")
    runs = [asyncio.create_task(batcher.run({"x": np.zeros((rows, 1))}))]
    await asyncio.sleep(0)
    runs += [asyncio.create_task(batcher.run({"x": np.zeros((1, 1))})) for _ in range(waits)]
    await asyncio.sleep(0.05)
    try:
        load = batcher.load()
        assert load.queued == waits
        assert 0 < load.utilization <= expected * 0.5
        assert batcher._fullness._level == expected
    finally:
        go_on.set()
        await asyncio.gather(*runs)
        batcher.close()
    assert batcher.load().queued == 0


async def test_one_that_cannot_be_joined_is_full() -> None:
    batcher = Batcher(lambda feed: [feed["x"]], batchable=False, limits=BatchLimits(rows=64), name="test")
    started = asyncio.create_task(batcher.run({"x": np.zeros((1, 1))}))
    await asyncio.sleep(0)
    assert batcher._fullness._level == 1.0
    await started
    assert batcher._fullness._level == 0.0
    batcher.close()


def load_of(answer: httpx.Response) -> tuple[float, int]:
    found = _LOAD.fullmatch(answer.headers["endpoint-load-metrics"])
    assert found is not None
    return float(found[1]), int(found[2])


def test_answers_about_readiness_and_to_inference_bear_it_and_no_other(client: httpx.Client) -> None:
    assert 0 <= load_of(client.get("/v2/health/ready"))[0] <= 1
    assert 0 <= load_of(client.post("/v2/models/digits/infer", content=b"nonsense"))[0] <= 1
    for path in ("/v2/models/digits", "/v2", "/nowhere", "/v2/health/live"):
        assert "endpoint-load-metrics" not in client.get(path).headers


@pytest.mark.slow
def test_a_cell_that_is_fully_used_says_so(client: httpx.Client) -> None:
    work = {"inputs": [{"name": "times", "datatype": "INT64", "shape": [1], "data": [200]}]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v2/models/slow/infer", json=work), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    loads = [load_of(answer) for answer in answers]
    assert max(utilization for utilization, _ in loads) > 0.5
    assert max(queued for _, queued in loads) >= 4
