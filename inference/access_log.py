"""The cell's own account of every inference request that reached it: one JSON line, written before the answer.

A line is one unbuffered write to a file opened for appending, so once a client has its answer the line is with the
kernel, and killing the process cannot take it back. orjson writes it directly: a logging library would add more time
to each request than parsing it takes.

A line never holds payloads, addresses, or any header but the decision's identity.
"""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from inference.errors import ListenError
from inference.identity import CellIdentity

_DECISION_CHARACTERS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEntry:
    """One inference request. `model` and `version` are null where the path named none that the cell has.

    status: as sent; 499 if the client left before its request was complete, so that nothing could be sent.
    decision: value of the request header x-situs-decision, cut at 128 characters; null when absent.
    duration_s: seconds from the request's headers until its answer was ready to send.
    """

    at: datetime
    model: str | None
    version: int | None
    status: int
    decision: str | None
    duration_s: float


class AccessLog:
    """Where entries go. Owns its file descriptor, but never that of standard output."""

    def __init__(self, descriptor: int, identity: CellIdentity, *, owned: bool) -> None:
        self._descriptor = descriptor
        self._identity = identity
        self._owned = owned

    def write(self, entry: AccessEntry) -> None:
        """Append one line; OSError if it could not be written whole."""
        line = orjson.dumps(
            {
                "time": entry.at.isoformat(timespec="microseconds"),
                "region": self._identity.region,
                "cell": self._identity.cell,
                "model": entry.model,
                "version": entry.version,
                "status": entry.status,
                "decision": entry.decision,
                "duration_s": round(entry.duration_s, 6),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        """Give the file back."""
        if self._owned:
            os.close(self._descriptor)


def open_access_log(target: str, identity: CellIdentity) -> AccessLog:
    """Open the file `target` for appending, or standard output for "-"; ListenError if that is not possible."""
    if target == "-":
        return AccessLog(sys.stdout.fileno(), identity, owned=False)
    try:
        descriptor = os.open(Path(target), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ListenError(f"--access-log {target}: {error.strerror}; name a file that can be written") from error
    return AccessLog(descriptor, identity, owned=True)


def now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


def parse_decision(value: bytes | None) -> str | None:
    """Return a decision header's value as text, bounded; it is kept as sent, since only people and tests read it."""
    return None if value is None else value.decode("latin-1")[:_DECISION_CHARACTERS]
