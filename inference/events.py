"""What the cell says about itself: JSON lines on standard error (started, listening, draining, stopped, faults)."""

import sys
from typing import Any, cast

import structlog
from structlog.typing import FilteringBoundLogger


def open_events(**always: Any) -> FilteringBoundLogger:  # noqa: ANN401 - any JSON value may be bound
    """Return the event log, each line carrying `always`. Never pass it payloads, addresses or header values."""
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        **always,
    )
    return cast("FilteringBoundLogger", logger)
