"""What a selection shows of its entries, held against the entries themselves.

People read `entries.jsonl`, and proofs are of the bytes beside it: without this, one could say what the other does not.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from extproc.archive import Archive
from extproc.audit.check_proof import ENTRY_SUFFIX, SELECTION, CheckedSelection, Failed
from extproc.audit.handout import project
from extproc.audit.tlog_proof import SUFFIX

PROJECTION: Final = "entries.jsonl"


def check_shown(archive: Archive, found: CheckedSelection) -> Iterator[Failed]:
    """Give each line that shows an entry otherwise than it is, or one that is not proven. Raises ArchiveError."""
    if not archive.exists(PROJECTION):
        return
    origins = {name: checked.origin for name, checked in found.checked.items()}
    shown: set[str] = set()
    for number, line in enumerate(archive.read(PROJECTION).split(b"\n"), 1):
        if not line:
            continue
        try:
            said: dict[str, Any] = json.loads(line)
            log, index = str(said.pop("log")), int(said.pop("index"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield _failed(number, "does not show an entry")
            continue
        stem = f"{SELECTION}/{log}/{index}"
        if not log:
            # Of a log that is itself the place it was selected from, the folder has the name.
            stem = next((f"{SELECTION}/{each}/{index}" for each in sorted(set(origins.values()))), stem)
        if stem + SUFFIX not in origins:
            yield _failed(number, f"shows entry {index} of {log!r}, which is not proven here")
            continue
        shown.add(stem + SUFFIX)
        if json.loads(json.dumps(project(archive.read(stem + ENTRY_SUFFIX)))) != said:
            yield _failed(number, f"shows entry {index} of {log!r} otherwise than it is")
    for name in origins:
        if name not in shown:
            yield _failed(0, f"does not show the entry of {name}")


def _failed(number: int, reason: str) -> Failed:
    where = f"{PROJECTION}: line {number}" if number else PROJECTION
    return Failed(file=where, reason=reason, trust=False)
