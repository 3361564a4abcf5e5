"""What a cell says of its load, in the header that proxies know.

A report comes from a cell, so it is tolerated and never trusted: what cannot be read says nothing, and what can be read
only ever lowers the budget of the cell's own region.

SPEC: xds.data.orca.v3.OrcaLoadReport; the header `endpoint-load-metrics` as Envoy reads it: `TEXT name=value,...`,
`JSON {...}` (proto3's JSON) or `BIN <base64>`.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import orjson
from google.protobuf.message import DecodeError
from xds.data.orca.v3.orca_load_report_pb2 import OrcaLoadReport

from extproc.core.routing.load import LoadReport

HEADER: Final = "endpoint-load-metrics"
LONGEST: Final = 4096
"""Characters of a header that are read; a longer one says nothing."""

_QUEUE: Final = "queue_depth"
_DECIMAL: Final = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)

_Metrics: TypeAlias = Mapping[str, float]
"""By the names of the text form: `application_utilization`, `named_metrics.queue_depth`."""


def parse_load(header: str, *, at_s: float) -> LoadReport | None:
    """Read a header that was received at `at_s`; None where it says nothing that is understood."""
    if not header or len(header) > LONGEST:
        return None
    form, _, rest = header.partition(" ")
    try:
        match form:
            case "TEXT":
                metrics = _parse_text(rest)
            case "JSON":
                metrics = _parse_json(rest)
            case "BIN":
                metrics = _parse_binary(rest)
            case _:
                return None
    except ValueError:
        return None
    utilization = _utilization(metrics)
    queued = metrics.get(f"named_metrics.{_QUEUE}")
    if utilization is None and queued is None:
        return None
    return LoadReport(utilization=utilization, queued=queued, at_s=at_s)


def _utilization(metrics: _Metrics) -> float | None:
    """Take the application's own word, else the processors': zero is what a report without a word of it holds too."""
    said = metrics.get("application_utilization")
    return said or metrics.get("cpu_utilization", said)


def _parse_text(written: str) -> _Metrics:
    metrics: dict[str, float] = {}
    for item in written.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals or not name or name in metrics:
            raise ValueError(item)
        metrics[name] = _number(value)
    return metrics


def _parse_json(written: str) -> _Metrics:
    report = orjson.loads(written)
    if not isinstance(report, dict):
        raise ValueError(written)  # noqa: TRY004 - a header that says nothing, not a fault of the caller's
    metrics = {}
    for name, spelled in (("application_utilization", "applicationUtilization"), ("cpu_utilization", "cpuUtilization")):
        value = report.get(name, report.get(spelled))
        if value is not None:
            metrics[name] = _number(value)
    named = report.get("named_metrics", report.get("namedMetrics"))
    if isinstance(named, dict) and _QUEUE in named:
        metrics[f"named_metrics.{_QUEUE}"] = _number(named[_QUEUE])
    return metrics


def _parse_binary(written: str) -> _Metrics:
    try:
        report = OrcaLoadReport.FromString(base64.b64decode(written, validate=True))
    except (binascii.Error, DecodeError) as error:
        raise ValueError(written) from error
    # SPEC: in proto3 a zero and a field that is not there are the same.
    said = {name: getattr(report, name) for name in ("application_utilization", "cpu_utilization")}
    metrics = {name: _number(value) for name, value in said.items() if value}
    if _QUEUE in report.named_metrics:
        metrics[f"named_metrics.{_QUEUE}"] = _number(report.named_metrics[_QUEUE])
    return metrics


def _number(value: object) -> float:
    """Give a number that is none or more. Raises ValueError for all else, what is no number at all included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)  # noqa: TRY004 - as above
    if isinstance(value, str) and _DECIMAL.fullmatch(value) is None:
        raise ValueError(value)
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(value) from error
    if not math.isfinite(number) or number < 0:
        raise ValueError(value)
    return number
