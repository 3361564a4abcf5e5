"""The batcher in front of real sessions; what it computes is recorded, nothing is faked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.batcher import Batcher, BatchLimits, Feed
from inference.errors import OverloadedError, RefusedInputError
from inference.model import Model, load_model
from inference.provider import Device
from inference.store import list_store, load_artifact
from inference.tensors import Array


def load(store: Path, name: str) -> Model:
    ref = next(ref for ref in list_store(store) if ref.model == name)
    return load_model(load_artifact(ref), device=Device.CPU, threads=1)


@asynccontextmanager
async def batching(model: Model, sizes: list[int], **limits: int) -> AsyncIterator[Batcher]:
    """A batcher over `model` that notes how many rows each run had."""

    def compute(feed: Feed) -> Sequence[Array]:
        sizes.append(next(iter(feed.values())).shape[0])
        return model.compute(feed)

    batcher = Batcher(compute, batchable=model.is_batchable, limits=BatchLimits(**limits), name="test")
    try:
        yield batcher
    finally:
        batcher.close()


async def test_what_waits_is_computed_together_and_bitwise_as_alone(store: Path, samples: dict[str, Any]) -> None:
    model, sizes = load(store, "digits"), []  # type: tuple[Model, list[int]]
    feeds = [{"image": np.array([sample["image"]], dtype=np.float32)} for sample in samples["samples"][:40]]
    alone = [model.compute(feed) for feed in feeds]
    async with batching(model, sizes, rows=16) as batcher:
        together = await asyncio.gather(*(batcher.run(feed) for feed in feeds))
    assert sizes == [1, 16, 16, 7]  # the first finds the session idle and does not wait for company
    for one, other in zip(alone, together, strict=True):
        assert [array.tobytes() for array in one] == [array.tobytes() for array in other]


async def test_a_poisoned_request_fails_alone(store: Path) -> None:
    async with batching(load(store, "gather"), []) as batcher:
        indices = [0, 1, 99, 3]
        feeds = [{"index": np.array([index])} for index in indices]
        results = await asyncio.gather(*(batcher.run(feed) for feed in feeds), return_exceptions=True)
    assert isinstance(results[2], RefusedInputError)
    assert [float(r[0][0]) for r in results if not isinstance(r, BaseException)] == [0.0, 1.0, 3.0]


async def test_rows_that_are_not_independent_are_computed_alone(store: Path) -> None:
    feeds = [{"x": np.array([n, n + 1], dtype=np.float32)} for n in range(4)]
    async with batching(load(store, "mean"), []) as batcher:
        results = await asyncio.gather(*(batcher.run(feed) for feed in feeds))
    assert [result[0].tolist() for result in results] == [[0.5], [1.5], [2.5], [3.5]]


async def test_a_fixed_batch_model_is_never_joined(store: Path) -> None:
    sizes: list[int] = []
    async with batching(load(store, "fixed"), sizes) as batcher:
        await asyncio.gather(*(batcher.run({"x": np.ones((1, 2), np.float32)}) for _ in range(5)))
    assert sizes == [1] * 5


@pytest.mark.parametrize("limits", [{"waiting": 2}, {"waiting_bytes": 16}])
async def test_a_full_queue_refuses_and_recovers(store: Path, limits: dict[str, int]) -> None:
    async with batching(load(store, "gather"), [], **limits) as batcher:
        feeds = [{"index": np.array([1])} for _ in range(5)]
        results = await asyncio.gather(*(batcher.run(feed) for feed in feeds), return_exceptions=True)
        assert [isinstance(result, OverloadedError) for result in results] == [False, False, False, True, True]
        assert (await batcher.run(feeds[0]))[0].tolist() == [1.0]


async def test_what_nobody_awaits_any_more_is_not_computed(store: Path) -> None:
    sizes: list[int] = []
    async with batching(load(store, "gather"), sizes) as batcher:
        tasks = [asyncio.ensure_future(batcher.run({"index": np.array([n])})) for n in range(3)]
        await asyncio.sleep(0)  # all three have joined the queue
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert sizes == [1, 1]
