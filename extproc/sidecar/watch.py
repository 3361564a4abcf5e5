"""Notices that a watched file was replaced.

By looking, five times a second: a ConfigMap is swapped by a symbolic link, an editor writes in place and a careful
program renames, and looking sees all three. A file that vanishes is reported like any other change.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

PERIOD_S: Final = 0.2

_Signature = tuple[int, int, int] | None


def signature(path: Path) -> _Signature:
    """Give what changes when a file is replaced or written: inode, size and time of modification."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


class Watcher:
    """Calls `changed` with the set of watched files that are not what they were at the last look."""

    def __init__(self, paths: Iterable[Path], changed: Callable[[frozenset[Path]], Awaitable[None]]) -> None:
        self._seen = {path: signature(path) for path in paths}
        self._changed = changed

    async def look(self) -> None:
        """Look once."""
        now = {path: signature(path) for path in self._seen}
        different = frozenset(path for path, seen in self._seen.items() if now[path] != seen)
        if different:
            self._seen = now
            await self._changed(different)

    async def look_forever(self) -> None:
        """Look each period until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            await self.look()
