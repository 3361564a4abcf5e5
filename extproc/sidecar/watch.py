"""Notices that a watched file was replaced.

By looking, ten times a second: a ConfigMap is swapped by a symbolic link, an editor writes in place and a careful
program renames, and looking sees all three. A file that vanishes is reported like any other change.

A change is reported once it has held still for two looks, so that a file is not read while somebody writes it, and
again at every look until whoever is told says that it is settled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

PERIOD_S: Final = 0.1

Signature: TypeAlias = tuple[int, int, int, int] | None
"""What changes when a file is replaced or written; None where there is none."""


def signatures(paths: Iterable[Path]) -> dict[Path, Signature]:
    """Look at files. Do it before they are read: what changes in between is then noticed."""
    return {path: _signature(path) for path in paths}


def _signature(path: Path) -> Signature:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class Watcher:
    """Calls `changed` with the files that are not what they were when they were last settled.

    `changed` gives True when the change is settled: taken, or refused for what it holds. `seen` are the files as they
    were before they were first read.
    """

    def __init__(self, seen: Mapping[Path, Signature], changed: Callable[[frozenset[Path]], Awaitable[bool]]) -> None:
        self._settled = dict(seen)
        self._before = self._settled
        self._changed = changed

    async def look(self) -> None:
        """Look once."""
        now = signatures(self._settled)
        held_still, self._before = now == self._before, now
        different = frozenset(path for path, seen in self._settled.items() if now[path] != seen)
        if different and held_still and await self._changed(different):
            self._settled = now

    async def look_forever(self) -> None:
        """Look each period until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            await self.look()
