"""All cores of this machine, one process on each.

The processes are forked from a server that has no threads, so nothing of the caller's state goes with them but what is
pickled. They ignore Ctrl-C, which is the caller's, and end when the caller does, however it ends.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, TypeVar

from extproc.engine.engine import EngineError
from extproc.engine.window import in_order

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_AHEAD: Final = 2
"""Items handed out for each process: one in work, one that waits for it."""


class ProcessEngine:
    """Runs in `workers` processes, by default one for each core that this process may use."""

    def __init__(self, workers: int | None = None) -> None:
        """Start nothing yet. Raises EngineError for a number below 1."""
        if workers is not None and workers < 1:
            raise EngineError(f"processes={workers}: no number of processes. Mend: write 1 or more")
        self.workers = len(os.sched_getaffinity(0)) if workers is None else workers

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Give the results in order. A single item is worked on here."""
        if len(items) <= 1:
            yield from map(work, items)
            return
        context = multiprocessing.get_context("forkserver")
        # Each process is a copy of the server, which then has the work's code read already.
        context.set_forkserver_preload([work.__module__])
        workers = min(self.workers, len(items))
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
        try:
            yield from in_order(lambda item: pool.submit(work, item), items, ahead=_AHEAD * workers)
        except BrokenProcessPool:
            raise EngineError(
                "a worker process was ended from outside, mostly for want of memory. Mend: name fewer processes"
            ) from None
        finally:
            # Also when the caller stops early, fails or is interrupted. What is in work is waited for: it is short.
            pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Prepare a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that wanted the work is gone: nobody would read its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
