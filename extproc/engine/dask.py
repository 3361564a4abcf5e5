"""A Dask cluster that an auditor's platform has already, or one on this machine for a trial.

The workers need this program in the same version, which is checked, and see the evidence under the same name: an object
store, or a folder that all of them mount. Their word is taken: whoever runs the cluster can make it say "verified".
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeVar

from extproc.engine.engine import EngineError
from extproc.engine.window import in_order

if TYPE_CHECKING:
    from distributed import Client

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_AHEAD: Final = 4
"""Items handed out for each thread: on a network the next must be there before the last is done."""
_TIMEOUT_S: Final = 10.0


class DaskEngine:
    """Runs on the cluster whose scheduler is at `address`; None for one of this machine's cores, made for each run."""

    def __init__(self, address: str | None = None) -> None:
        """Ask the scheduler how many it has. Raises EngineError when it does not answer or has none."""
        self._address = address
        try:
            import distributed  # noqa: F401, PLC0415 - an extra, and slow to import
        except ImportError:
            raise EngineError("dask: not installed here. Mend: pip install 'situs[cluster]'") from None
        if address is None:
            self.workers = len(os.sched_getaffinity(0))
            return
        with ExitStack() as stack:
            client = self._connect(stack)
            threads: dict[str, int] = client.nthreads()  # type: ignore[no-untyped-call]
            self.workers = sum(threads.values())
            if not self.workers:
                raise EngineError(f"dask={address}: the scheduler has no workers. Mend: start some")
            here = version("situs")
            try:
                others = {each for each in client.run(version, "situs").values() if each != here}
            except ImportError:
                raise EngineError(f"dask={address}: workers lack Situs. Mend: install {here} on all of them") from None
            if others:
                raise EngineError(
                    f"dask={address}: workers have Situs {', '.join(sorted(others))}, here it is {here}. "
                    "Mend: install the same version on both"
                )

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Give the results in order."""
        from concurrent.futures import CancelledError  # noqa: PLC0415 - with the next

        from distributed import KilledWorker  # noqa: PLC0415 - an extra, and slow to import
        from distributed.comm.core import CommClosedError  # noqa: PLC0415 - as above

        with ExitStack() as stack:
            client = self._connect(stack)
            # Not pure: two parts that look alike are still two, and results are not kept for a later run.
            submit = partial(client.submit, work, pure=False)
            try:
                yield from in_order(submit, items, ahead=_AHEAD * self.workers)
            except (KilledWorker, CancelledError, CommClosedError) as error:
                raise EngineError(
                    f"{self._named}: workers ended, or the scheduler did: {type(error).__name__}. "
                    "Mend: look at their logs; mostly it is for want of memory"
                ) from None

    @property
    def _named(self) -> str:
        return "dask" if self._address is None else f"dask={self._address}"

    def _connect(self, stack: ExitStack) -> "Client":
        """Open a client, which cancels what it still waits for when the stack is left."""
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra, and slow to import

        try:
            place: str | LocalCluster
            if self._address is None:
                local = LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=self.workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
                )
                place = stack.enter_context(local)
            else:
                place = self._address
            client: Client = Client(place, timeout=_TIMEOUT_S, set_as_default=False)  # type: ignore[no-untyped-call]
            stack.enter_context(client)
        except (OSError, TimeoutError, ValueError, ImportError) as error:
            raise EngineError(
                f"{self._named}: cannot be reached: {error}. Mend: check the address, such as tcp://10.0.0.7:8786"
            ) from None
        return client
