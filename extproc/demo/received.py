"""What cells say that they received, by their own access logs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from extproc.core.ids import RegionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One inference request that reached a cell, by the cell's own account."""

    region: RegionId
    decision: str | None
    status: int
    at: datetime


def read_received(path: Path, region: RegionId) -> Iterator[Received]:
    """Read the account of a region's cell; nothing where it has received nothing yet."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        yield Received(
            region=region,
            decision=entry["decision"],
            status=entry["status"],
            at=datetime.fromisoformat(entry["time"]),
        )
