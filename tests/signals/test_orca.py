"""Load reports: what cells write, and what anybody could."""

import base64
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from xds.data.orca.v3.orca_load_report_pb2 import OrcaLoadReport

from extproc.core.routing.load import LoadReport
from extproc.names import LOAD_HEADER
from extproc.signals.orca import HEADER, LONGEST, parse_load

AT_S = 1_800_000_000.0


def read(header: str) -> tuple[float | None, float | None] | None:
    report = parse_load(header, at_s=AT_S)
    if report is None:
        return None
    assert report == LoadReport(utilization=report.utilization, queued=report.queued, at_s=AT_S)
    return report.utilization, report.queued


def binary(**metrics: float) -> str:
    queued = {"queue_depth": metrics.pop("queued")} if "queued" in metrics else {}
    return "BIN " + base64.b64encode(OrcaLoadReport(named_metrics=queued, **metrics).SerializeToString()).decode()


def test_the_name_is_the_one_that_envoy_logs() -> None:
    assert HEADER == LOAD_HEADER


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("TEXT application_utilization=0.5,named_metrics.queue_depth=3", (0.5, 3.0)),
        ("TEXT named_metrics.queue_depth=3, application_utilization=1.25", (1.25, 3.0)),
        ("TEXT application_utilization=0", (0.0, None)),
        ("TEXT cpu_utilization=0.1", (0.1, None)),
        ("TEXT cpu_utilization=0.1,application_utilization=0.7,mem_utilization=0.9", (0.7, None)),
        ("TEXT cpu_utilization=0.1,application_utilization=0", (0.1, None)),
        ("TEXT application_utilization=5e-1,eps=0,named_metrics.kv=1", (0.5, None)),
        ('JSON {"application_utilization": 0.5, "named_metrics": {"queue_depth": 3}}', (0.5, 3.0)),
        ('JSON {"applicationUtilization": 0.5, "namedMetrics": {"queue_depth": 3}}', (0.5, 3.0)),
        ('JSON {"cpuUtilization": "0.25"}', (0.25, None)),
        (binary(application_utilization=0.5, queued=3), (0.5, 3.0)),
        (binary(cpu_utilization=0.25), (0.25, None)),
    ],
)
def test_what_is_understood(header: str, expected: tuple[float | None, float | None]) -> None:
    assert read(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "TEXT",
        "TEXT ",
        "text application_utilization=0.5",
        "application_utilization=0.5",
        "TEXT rps=10",
        "TEXT application_utilization",
        "TEXT application_utilization=",
        "TEXT =0.5",
        "TEXT application_utilization=NaN",
        "TEXT application_utilization=inf",
        "TEXT application_utilization=1e999",
        "TEXT application_utilization=-0.5",
        "TEXT application_utilization=0x1",
        "TEXT application_utilization=1_0",
        "TEXT application_utilization=٣",
        "TEXT application_utilization=0.1,application_utilization=0.9",
        "TEXT application_utilization=0.5,",
        f"TEXT application_utilization=0.5,eps={'0' * LONGEST}",
        "JSON",
        "JSON []",
        "JSON null",
        "JSON {}",
        'JSON {"application_utilization": true}',
        'JSON {"application_utilization": []}',
        'JSON {"application_utilization": NaN}',
        'JSON {"application_utilization": "Infinity"}',
        'JSON {"application_utilization": -1}',
        f'JSON {{"application_utilization": {"9" * 400}}}',
        f"JSON {'[' * 4000}",
        'JSON {"named_metrics": {"queue_depth": -1}}',
        "BIN",
        "BIN !!!",
        "BIN AAAA",
        binary(application_utilization=0),
        binary(application_utilization=math.nan),
        binary(application_utilization=-1.0),
        "JSON \ud800",
        "BIN \ud800",
    ],
)
def test_what_says_nothing(header: str) -> None:
    assert read(header) is None


_NUMBERS = st.floats(min_value=1e-300, allow_nan=False, allow_infinity=False)


@given(_NUMBERS, _NUMBERS)
def test_each_form_of_a_report_says_the_same(utilization: float, queued: float) -> None:
    text = f"TEXT application_utilization={utilization!r},named_metrics.queue_depth={queued!r}"
    as_json = json.dumps({"application_utilization": utilization, "named_metrics": {"queue_depth": queued}})
    forms = (text, f"JSON {as_json}", binary(application_utilization=utilization, queued=queued))
    assert [read(form) for form in forms] == [(utilization, queued)] * 3


@given(
    st.sampled_from(["TEXT ", "JSON ", "BIN ", ""]), st.text() | st.binary().map(lambda b: base64.b64encode(b).decode())
)
@example("JSON ", '{"application_utilization": 1e308, "named_metrics": 3}')
def test_nothing_that_is_written_is_an_exception_or_no_number(form: str, rest: str) -> None:
    report = parse_load(form + rest, at_s=AT_S)
    if report is not None:
        for said in (report.utilization, report.queued):
            assert said is None or (math.isfinite(said) and said >= 0)
