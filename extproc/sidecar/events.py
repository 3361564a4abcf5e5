"""The sidecar's own event log: one JSON object per event on standard error, or lines for a person at a terminal.

It tells what the process does, and is not evidence. Losing a line of it must never cost a decision: where standard
error is a file on a disk that is full, writing to it fails, and that is ignored here and nowhere else.
"""

import contextlib
import logging
from functools import partial
from typing import TextIO

import structlog
from structlog.typing import EventDict


class _Unbreakable:
    """A stream whose failures are nobody's problem."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def configure_events(stream: TextIO, *, worker: int | None = None) -> None:
    """Send the events of this process to `stream`; those of one worker among others say which one it is."""
    renderer = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            partial(_with_worker, worker),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=_Unbreakable(stream)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


def _with_worker(worker: int | None, _logger: object, _method: str, event: EventDict) -> EventDict:
    if worker is not None:
        event["worker"] = worker
    return event
