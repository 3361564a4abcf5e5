"""What was shipped, as a cache: with the file lost, the stores are asked.

Saves the asking twice: how far the full tiles of a log are (which no checkpoint in the store tells, while a long
backlog is under way), and which files beside it are there already. Also remembers since when a log lags.
"""

import json
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from extproc.ship.status import write_json

STATE: Final = "state.json"
_SAVE_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one log is in one place."""

    origin: str
    size: int = 0
    """Entries that the checkpoint in the store covers."""
    bundles: int = 0
    """Full bundles that are in the store, with the tiles that they complete."""
    pruned: int = 0
    """Entries that were pruned here before they were shipped."""
    whole_at_s: float
    """Unix time at which all of the log was last there, or at which it was first seen."""
    beside: dict[str, str] = field(default_factory=dict)
    """SHA-256 of what stands beside the log, by name, as it was shipped."""


class State:
    """The file, read once and written as it changes. May be used by several threads."""

    def __init__(self, path: Path) -> None:
        """Read the file; whatever is no state is as if there were none."""
        self.path = path
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, Progress]] = {}
        self._saved_s = 0.0
        self._dirty = False
        try:
            found = json.loads(path.read_bytes())
            self._kept = {
                place: {name: Progress(**progress) for name, progress in logs.items()} for place, logs in found.items()
            }
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            self._kept = {}

    def get(self, place: str, name: str, origin: str) -> Progress | None:
        """Give what is known of a log, if it is still the same log."""
        with self._lock:
            progress = self._kept.get(place, {}).get(name)
            return progress if progress is not None and progress.origin == origin else None

    def put(self, place: str, name: str, progress: Progress) -> None:
        """Note what is known of a log."""
        with self._lock:
            logs = self._kept.setdefault(place, {})
            self._dirty = self._dirty or logs.get(name) != progress
            logs[name] = progress
        if time.monotonic() - self._saved_s > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write the file, if anything changed. Raises OSError."""
        with self._lock:
            if self._dirty:
                self._dirty = False
                self._saved_s = time.monotonic()
                write_json(
                    self.path,
                    {place: {name: asdict(each) for name, each in logs.items()} for place, logs in self._kept.items()},
                )
