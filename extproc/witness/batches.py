"""Requests that arrive while the disk is flushed for others are judged together, with one flush for all of them.

As the decision log does it: no timer, so a request alone waits for nothing.
"""

import asyncio
from concurrent.futures import Executor
from typing import Final

from extproc.witness.errors import WitnessError
from extproc.witness.witness import Witness

MOST: Final = 64
"""Most requests in one batch, so that none waits long for the signatures of the others to be verified."""


class Batches:
    """The queue before one witness. Of one event loop."""

    def __init__(self, witness: Witness, threads: Executor) -> None:
        self._witness = witness
        self._threads = threads
        self._waiting: list[tuple[bytes, asyncio.Future[bytes | WitnessError]]] = []
        self._task: asyncio.Task[None] | None = None

    async def judge(self, body: bytes) -> bytes:
        """Give the lines of cosignatures. Raises what :meth:`Witness.add_checkpoint` raises."""
        future: asyncio.Future[bytes | WitnessError] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="witness-batches")
        answer = await future
        if isinstance(answer, WitnessError):
            raise answer
        return answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            bodies = [body for body, _ in batch]
            try:
                answers = await loop.run_in_executor(self._threads, self._witness.add_checkpoints, bodies)
            except Exception as error:  # noqa: BLE001 - whatever stops a batch must reach everyone who waits on it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        self._task = None
