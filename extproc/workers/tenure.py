"""The right to be the supervisor of a node's logs: a lock that the supervisor shares with all of its workers.

Workers inherit it, so it is held until the last of them is gone, whatever became of the supervisor. The next supervisor
waits for that: workers that drain still hold sockets, keys and logs, and its own would be refused.
"""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

_LOOK_S: Final = 0.05


class TenureError(OSError):
    """Another set of workers lives."""


async def take_tenure(path: Path, *, patience_s: float) -> int:
    """Take the lock at `path`, and give its descriptor.

    Raises TenureError when others keep it for `patience_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + patience_s
    waited = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= until_s:
                os.close(descriptor)
                raise TenureError(
                    f"{path}: another supervisor or its workers still run after {patience_s:g} s. Mend: stop them"
                ) from None
            if not waited:
                _log.warning("waiting for the workers of another supervisor to end", lock=str(path))
                waited = True
            await asyncio.sleep(_LOOK_S)
        else:
            return descriptor
