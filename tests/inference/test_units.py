"""Parsers, tables and the command line: what needs no cell."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import cli
from inference.errors import STATUS, RequestError, RetryLaterError
from inference.identity import parse_jurisdiction, parse_region
from inference.routes import METHODS, Endpoint, parse_route
from inference.tensors import ONNX_TYPES, TensorSpec, format_tensor, parse_tensor

EXPECTED_STATUS = {
    "InvalidRequestError": 400,
    "InvalidTensorError": 400,
    "RefusedInputError": 400,
    "UnknownResourceError": 404,
    "UnsupportedMethodError": 405,
    "SlowBodyError": 408,
    "TooLargeError": 413,
    "UnsupportedMediaError": 415,
    "MisdirectedError": 421,
    "ClientGoneError": 499,
    "FaultError": 500,
    "OverloadedError": 503,
    "DrainingError": 503,
}


def subclasses(of: type[RequestError]) -> Iterator[type[RequestError]]:
    for child in of.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_request_error_has_its_status() -> None:
    assert {error.__name__: status for error, status in STATUS.items()} == EXPECTED_STATUS
    assert set(subclasses(RequestError)) - {RetryLaterError} == set(STATUS)


def test_every_endpoint_has_methods() -> None:
    assert set(METHODS) == set(Endpoint)
    route = parse_route("/v2/models/m/versions/2/infer")
    assert (route.endpoint, route.model, route.version) == (Endpoint.INFER, "m", "2")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_fp32_survives_json_bit_for_bit(values: list[float]) -> None:
    spec = TensorSpec(name="x", datatype=ONNX_TYPES["tensor(float)"], shape=(-1,))
    array = np.array(values, dtype=np.float32)
    tensor = orjson.loads(orjson.dumps(format_tensor(spec, array), option=orjson.OPT_SERIALIZE_NUMPY))
    assert parse_tensor(spec, tensor).tobytes() == array.tobytes()


@pytest.mark.parametrize("text", ["", "-eu", "eu/west", "eu west", "e" * 65, "eu\n", "äu"])
def test_a_region_is_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        parse_region(text)


@pytest.mark.parametrize("text", ["", "de", "DEU", "D1", "ÄÖ"])
def test_a_jurisdiction_is_two_capitals(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 3166-1"):
        parse_jurisdiction(text)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--region", "a b"],
        ["--jurisdiction", "Germany"],
        ["--listen", "8080"],
        ["--listen", "localhost:99999"],
        ["--drain", "nan"],
        ["--max-batch", "0"],
        ["--device", "tpu"],
        ["--unknown"],
    ],
)
def test_a_wrong_command_line_exits_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--region", "eu", "--jurisdiction", "DE", "--models", "m", *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_help_teaches_options_units_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for taught in ("--drain SECONDS", "(default: 25)", "examples:", "exit codes:", "78", "16777216", "python -m"):
        assert taught in shown


@pytest.mark.slow
def test_a_cell_knows_nothing_of_the_sidecar() -> None:
    listed = "import sys, inference.server, inference.cli; print([m for m in sys.modules if m.startswith('extproc')])"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
