"""Asks a source now and then, for as long as the sidecar lives.

Never raises and never gives up: an error is remembered for metrics, and asked again after a while that grows. Files are
watched instead, by :mod:`extproc.sidecar.watch`.

The etag that is sent names what was *taken*. What was refused is fetched again each time, so that it is taken once the
keys are mended, and is never confirmed.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from extproc.bundle.errors import SourceError
from extproc.bundle.source import Fetched, NotModified, Source

PERIOD_S: Final = 60.0
FIRST_RETRY_S: Final = 2.0
LONGEST_RETRY_S: Final = 300.0
_JITTER: Final = 0.1

_log = structlog.get_logger(__name__)

Take: TypeAlias = Callable[[Fetched], Awaitable[bool]]
"""Takes new data; False where it was refused."""
Confirm: TypeAlias = Callable[[float], Awaitable[None]]
"""Told the Unix seconds at which the source confirmed what was taken."""


def wait_s(period_s: float, failures: int, chance: float) -> float:
    """Give the seconds until the source is asked again, after so many errors in a row. `chance` is in [0, 1).

    The jitter keeps many sidecars that were started together from asking together.
    """
    if not failures:
        return period_s * (1 + _JITTER * (2 * chance - 1))
    grown = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 16))
    return grown * (1 + chance) / 2


class Poller:
    """Asks `source` every `period_s` seconds; `take` gets what is new, and `confirm` hears that nothing is.

    `etag` names what is in force already. `last_success_s` (Unix seconds) is when the source last gave what is in
    force; `error` is why it did not the last time, and `failures` how often in a row. A refused file counts as one.
    """

    def __init__(  # noqa: PLR0913 - its parts, each by name
        self,
        source: Source,
        *,
        take: Take,
        confirm: Confirm | None = None,
        etag: str | None = None,
        period_s: float = PERIOD_S,
        last_success_s: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._take = take
        self._confirm = confirm
        self._period_s = period_s
        self._clock = clock
        self.etag = etag
        self.last_success_s = last_success_s
        self.error: str | None = None
        self.failures = 0

    async def poll(self) -> None:
        """Ask once."""
        try:
            fetched = await self._source.fetch(self.etag)
            if isinstance(fetched, NotModified):
                await self._settled()
            elif await self._take(fetched):
                self.etag = fetched.etag
                await self._settled()
            else:
                self._failed("the file was refused")
        except SourceError as error:
            _log.warning("the policy's source did not answer", error=str(error), failures=self.failures + 1)
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the last good stays, and the source is asked again
            _log.exception("a fault while polling the policy's source", source=self._source.name)
            self._failed(repr(error))

    async def poll_forever(self) -> None:
        """Wait and ask, until cancelled."""
        while True:
            await asyncio.sleep(wait_s(self._period_s, self.failures, random.random()))  # noqa: S311 - jitter
            await self.poll()

    async def _settled(self) -> None:
        self.last_success_s = self._clock()
        if self._confirm is not None:
            await self._confirm(self.last_success_s)
        if self.error is not None:
            _log.info("the policy's source is good again", source=self._source.name)
        self.error, self.failures = None, 0

    def _failed(self, error: str) -> None:
        self.error = error
        self.failures += 1
