"""A steady load in the background of a story or a drill: at a fixed rate, until told to stop."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from extproc.demo.visits import Answer, Visit, Visitor

MOST: Final = 20_000
"""Requests after which a load stops by itself."""

_OK: Final = 200


class Load:
    """What a load has got back so far."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def since(self, at_s: float) -> list[Answer]:
        """Give the answers to requests sent at or after `at_s`, monotonic seconds, in the order of sending."""
        return sorted((a for a in self.answers if a.at_s >= at_s), key=lambda answer: answer.at_s)

    def failed(self, since_s: float = 0.0) -> int:
        """Count what was not served."""
        return sum(answer.status != _OK for answer in self.since(since_s))


Send: TypeAlias = Callable[[int], Awaitable[Answer]]
"""Sends the request at an index and gives its answer."""


@asynccontextmanager
async def open_loop(send: Send, per_s: float) -> AsyncIterator[Load]:
    """Send `per_s` requests a second, each on its own, so that a slow answer delays no other."""
    load = Load()
    stop = asyncio.Event()
    task = asyncio.create_task(_send(send, per_s, load, stop))
    try:
        yield load
    finally:
        stop.set()
        await task


@asynccontextmanager
async def steady_load(visitor: Visitor, visit: Visit, per_s: float) -> AsyncIterator[Load]:
    """Send `visit` at `per_s` requests a second."""
    async with open_loop(lambda index: visitor.send(visit, index), per_s) as load:
        yield load


async def _send(send: Send, per_s: float, load: Load, stop: asyncio.Event) -> None:
    pending: set[asyncio.Task[None]] = set()

    async def one(index: int) -> None:
        load.answers.append(await send(index))

    began_s = time.monotonic()
    for index in range(MOST):
        if stop.is_set():
            break
        task = asyncio.create_task(one(index))
        pending.add(task)
        task.add_done_callback(pending.discard)
        await asyncio.sleep(max(0.0, began_s + (index + 1) / per_s - time.monotonic()))
    if pending:
        await asyncio.wait(pending)
