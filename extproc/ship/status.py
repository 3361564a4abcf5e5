"""How far shipping is, as a value: for people, for `--json`, and for whoever exports metrics.

Written to `status.json` beside the state, whole, at most once a second while shipping goes on.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

STATUS: Final = "status.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """One log on its way to one place."""

    log: str
    """Its folder below the root."""
    origin: str
    region: str
    to: str
    """The place; empty where the log's region has none."""
    size: int
    """Entries that the published checkpoint covers."""
    shipped: int
    """Entries that the checkpoint in the store covers; for Kafka, entries that were copied."""
    uploaded: int
    """Entries that are there, whether a checkpoint there covers them yet or not."""
    lag_s: float
    """Seconds since all of the log was there; 0 where it is."""
    pruned: int = 0
    """Entries that were removed from this disk before they were shipped."""
    error: str | None = None
    """Why it is not further, where that is more than time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceStatus:
    """One store or topic."""

    region: str
    to: str
    failing_since_s: float | None
    """Unix time since which it has not worked; None while it does."""
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipStatus:
    """All places and all logs."""

    at_s: float
    places: tuple[PlaceStatus, ...]
    logs: tuple[LogStatus, ...]

    @property
    def everything_shipped(self) -> bool:
        """Tell whether every log is whole in its place, and nothing failed."""
        return not any(place.error for place in self.places) and all(
            log.error is None and log.shipped >= log.size for log in self.logs
        )

    @property
    def lag_s(self) -> float:
        """The age of the oldest entry that may not have been shipped, in seconds."""
        return max((log.lag_s for log in self.logs), default=0.0)


def status_to_json(status: ShipStatus) -> dict[str, object]:
    """Give a status as JSON has it."""
    return {**asdict(status), "everything_shipped": status.everything_shipped, "lag_s": status.lag_s}


def status_from_json(data: bytes) -> ShipStatus:
    """Read a status that :func:`write_json` wrote. Raises ValueError for anything else."""
    try:
        found = json.loads(data)
        return ShipStatus(
            at_s=found["at_s"],
            places=tuple(PlaceStatus(**each) for each in found["places"]),
            logs=tuple(LogStatus(**each) for each in found["logs"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a shipping status: {error}") from None


def write_json(path: Path, value: object) -> None:
    """Replace a file by a value, whole or not at all. Raises OSError."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    scratch.replace(path)
