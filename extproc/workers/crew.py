"""The workers as processes: started, watched, started again when they end, and stopped together.

A worker that ends is started again after a rest that grows from 0.1 s to 5 s. Two ends are not mended by starting
again, and end the whole set with the worker's own exit code: a configuration that is refused before the worker ever
served, and a log that cannot be written time after time.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter

from extproc.workers.counters import SharedBlock
from extproc.workers.hub import Hub
from extproc.workers.summons import OPTION, Summons, format_summons

_log = structlog.get_logger(__name__)

FIRST_REST_S: Final = 0.1
LONGEST_REST_S: Final = 5.0
STEADY_S: Final = 10.0
"""A worker that ran for so long is started again as if it were the first time."""
LOG: Final = 74
CONFIGURATION: Final = 78
"""sysexits' EX_IOERR and EX_CONFIG, as `situs serve` ends with them."""
OS: Final = 71
"""sysexits' EX_OSERR, for a worker that could not be started: no memory, no process or no descriptor was left."""
_LOG_FAILURES: Final = 5
"""In a row, before a log counts as one that cannot be written at all."""


class Crew:
    """All workers of a set."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        block: SharedBlock,
        hub: Hub,
        tenure: int,
        registry: CollectorRegistry,
    ) -> None:
        """`command` starts a worker, with the option that makes it one. `tenure` is a descriptor that all inherit."""
        self._command = tuple(command)
        self._block = block
        self._hub = hub
        self._tenure = tenure
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._began_serving: dict[int, float] = {}
        self._ever_served: set[int] = set()
        self._stopping = False
        restarts = Counter(
            "situs_worker_restarts_total", "Workers that ended and were started again.", ["worker"], registry=registry
        )
        self._restarts = [restarts.labels(str(worker)) for worker in range(block.workers)]
        self.last: dict[int, str] = {}
        """How the process before ended, of workers that have had one."""

    def served(self, worker: int) -> None:
        """Note that a worker serves."""
        self._ever_served.add(worker)
        self._began_serving[worker] = asyncio.get_running_loop().time()

    async def keep(self) -> int:
        """Keep all workers running; give the exit code of the one that is a reason to end them all."""
        keepers = [asyncio.ensure_future(self._keep(worker)) for worker in range(self._block.workers)]
        try:
            done, _ = await asyncio.wait(keepers, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            # Not only when one has ended: whoever cancels this stops what runs by itself.
            self._stopping = True
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers)

    async def stop(self, within_s: float) -> None:
        """Have all workers drain, together, and wait for their ends; kill those that have not ended in time."""
        self._stopping = True
        running = list(self._processes.items())
        for _, process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        waits = {asyncio.ensure_future(process.wait()): (worker, process) for worker, process in running}
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=within_s)
        for wait in late:
            worker, process = waits[wait]
            _log.error("a worker has not ended in time and is killed", worker=worker, seconds=within_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if late:
            await asyncio.wait(late)

    async def _keep(self, worker: int) -> int:
        rest_s = FIRST_REST_S
        log_failures = 0
        again = False
        loop = asyncio.get_running_loop()
        while True:
            try:
                code = await self._run(worker, again=again)
            except OSError as error:
                # Where it never could be started, that is not mended by trying again.
                if worker not in self._ever_served:
                    raise
                _log.critical("a worker cannot be started now", worker=worker, error=str(error))
                code = OS
            began_s = self._began_serving.pop(worker, None)
            if began_s is not None and loop.time() - began_s >= STEADY_S:
                rest_s, log_failures = FIRST_REST_S, 0
            log_failures = log_failures + 1 if code == LOG else 0
            self.last[worker] = f"signal {-code}" if code < 0 else f"exit code {code}"
            if code == CONFIGURATION and worker not in self._ever_served:
                _log.critical("a worker refuses its configuration; ending", worker=worker)
                return code
            if log_failures >= _LOG_FAILURES:
                _log.critical("a worker's log cannot be written; ending", worker=worker, times=log_failures)
                return code
            _log.error("a worker ended and is started again", worker=worker, why=self.last[worker], seconds=rest_s)
            await asyncio.sleep(rest_s)
            rest_s = min(2 * rest_s, LONGEST_REST_S)
            self._restarts[worker].inc()
            again = True

    async def _run(self, worker: int, *, again: bool) -> int:
        """Run one process in a worker's place to its end, and give its exit code; a signal's is negative."""
        self._block.clear(worker)
        ours, theirs = socket.socketpair()
        with theirs:
            channel = self._hub.seat(worker)
            await asyncio.get_running_loop().create_connection(lambda: channel, sock=ours)
            summons = Summons(
                index=worker,
                channel=theirs.fileno(),
                block=self._block.descriptor,
                tenure=self._tenure,
                again=again,
            )
            process = await asyncio.create_subprocess_exec(
                *self._command, OPTION, format_summons(summons),
                stdin=asyncio.subprocess.DEVNULL, pass_fds=summons.descriptors,
            )  # fmt: skip
        self._processes[worker] = process
        code = await process.wait()
        del self._processes[worker]
        # At once, not only before the next one: what it counted is over. Its channel ends by itself, read to its end.
        self._block.clear(worker)
        return code
