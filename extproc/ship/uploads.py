"""Several uploads at once, of which only a few are in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

K = TypeVar("K")
R = TypeVar("R")

THREADS: Final = 8
_WINDOW: Final = 16
"""Most pieces of work that are under way or wait. Each holds a bundle, 256 entries of at most 64 KiB."""


class Uploads:
    """A few threads. Work is given in order, and is told to be done in the same order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ship")

    def run(self, work: Iterable[tuple[K, Callable[[], R]]]) -> Iterator[tuple[K, R]]:
        """Do all of it, giving the key and result of each piece when it and all before it are done.

        The first error ends it, when what is under way has ended.
        """
        waiting: deque[tuple[K, Future[R]]] = deque()
        try:
            for key, call in work:
                waiting.append((key, self._pool.submit(call)))
                if len(waiting) >= _WINDOW:
                    yield _done(waiting)
            while waiting:
                yield _done(waiting)
        finally:
            for _, future in waiting:
                future.cancel()
            for _, future in waiting:
                if not future.cancelled():
                    future.exception()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _done(waiting: deque[tuple[K, Future[R]]]) -> tuple[K, R]:
    key, future = waiting.popleft()
    return key, future.result()
