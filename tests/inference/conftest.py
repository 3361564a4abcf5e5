"""Real cells on loopback, serving the digits model and a few small graphs that provoke what digits cannot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inference.testing import CellProcess, StartCell, running_cell

REPOSITORY = Path(__file__).parents[2]
REGION = ["--region", "eu-central-1", "--jurisdiction", "DE"]

ECHOED = {
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int64": TensorProto.INT64,
    "uint64": TensorProto.UINT64,
    "fp16": TensorProto.FLOAT16,
    "fp32": TensorProto.FLOAT,
    "fp64": TensorProto.DOUBLE,
    "bytes": TensorProto.STRING,
}


@pytest.fixture(scope="session")
def samples(digits_store: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((digits_store / "digits" / "samples.json").read_bytes())
    return loaded


@pytest.fixture(scope="session")
def store(digits_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits twice, as versions 9 and 10, and the small graphs."""
    folder = tmp_path_factory.mktemp("store")
    content = (digits_store / "digits" / "1" / "model.onnx").read_bytes()
    graphs = {"gather": gather(), "divide": divide(), "echo": echo(), "fixed": fixed(), "mean": mean(), "slow": slow()}
    for name, data in {"digits/9": content, "digits/10": content, **{f"{k}/1": v for k, v in graphs.items()}}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "model.onnx").write_bytes(data)
    (folder / "digits" / "samples.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def start(store: Path) -> StartCell:
    return lambda *arguments: running_cell([*REGION, "--models", str(store), *arguments])


@pytest.fixture(scope="session")
def access_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.jsonl"


@pytest.fixture(scope="session")
def cell(start: StartCell, access_log: Path) -> Iterator[CellProcess]:
    """One cell for every test that does not stop it."""
    with start("--cell", "cell-a", "--access-log", str(access_log), "--body-timeout", "0.2") as running:
        yield running


@pytest.fixture(scope="session")
def client(cell: CellProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cell.url, timeout=10) as opened:
        yield opened


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> bytes:
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def value(name: str, kind: int, *shape: int | str) -> Any:  # noqa: ANN401 - onnx has no types
    return helper.make_tensor_value_info(name, kind, list(shape))


def gather() -> bytes:
    """Four numbers to index: any other index is the model's own refusal."""
    table = numpy_helper.from_array(np.arange(4, dtype=np.float32), "table")
    return graph(
        [helper.make_node("Gather", ["table", "index"], ["y"])],
        [value("index", TensorProto.INT64, "N")],
        [value("y", TensorProto.FLOAT, "N")],
        [table],
    )


def divide() -> bytes:
    """A / B, which is NaN or infinite for B = 0."""
    inputs = [value("a", TensorProto.FLOAT, "N"), value("b", TensorProto.FLOAT, "N")]
    return graph([helper.make_node("Div", ["a", "b"], ["y"])], inputs, [value("y", TensorProto.FLOAT, "N")], [])


def echo() -> bytes:
    """Every datatype that JSON can carry, through and back."""
    return graph(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ECHOED],
        [value(name, kind, "N") for name, kind in ECHOED.items()],
        [value(f"{name}_out", kind, "N") for name, kind in ECHOED.items()],
        [],
    )


def fixed() -> bytes:
    """A model whose batch size is fixed, so that it bypasses batching."""
    x, y = value("x", TensorProto.FLOAT, 1, 2), value("y", TensorProto.FLOAT, 1, 2)
    return graph([helper.make_node("Relu", ["x"], ["y"])], [x], [y], [])


def mean() -> bytes:
    """A model whose rows are not independent and whose output shows it."""
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=1)
    return graph([node], [value("x", TensorProto.FLOAT, "N")], [value("y", TensorProto.FLOAT, "M")], [])


def slow() -> bytes:
    """As many multiplications of 256 x 256 matrices as the request says: roughly a millisecond each."""
    weights = numpy_helper.from_array(np.eye(256, dtype=np.float32), "weights")
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["state", "weights"], ["next"]),
        ],
        "body",
        [value("i", TensorProto.INT64), value("go", TensorProto.BOOL), value("state", TensorProto.FLOAT, 256, 256)],
        [value("go_on", TensorProto.BOOL), value("next", TensorProto.FLOAT, 256, 256)],
    )
    nodes = [
        helper.make_node("Squeeze", ["times", "axis"], ["count"]),
        helper.make_node("Loop", ["count", "", "weights"], ["last"], body=body),
        helper.make_node("ReduceMean", ["last"], ["y"], keepdims=0),
    ]
    axis = numpy_helper.from_array(np.array([0]), "axis")
    return graph(nodes, [value("times", TensorProto.INT64, 1)], [value("y", TensorProto.FLOAT)], [weights, axis])
