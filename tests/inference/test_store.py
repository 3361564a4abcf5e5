from pathlib import Path

import pytest
from onnx import TensorProto, external_data_helper, helper

from inference.errors import StoreError
from inference.model import load_model
from inference.provider import PROBE, Device
from inference.store import list_store, load_artifact


def put(store: Path, path: str, content: bytes = b"x") -> Path:
    target = store / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def test_versions_are_numbers_in_order(tmp_path: Path) -> None:
    for path in ("b/10/model.onnx", "b/9/model.onnx", "a/1/model.onnx", "b/samples.json", ".hidden/x/model.onnx"):
        put(tmp_path, path)
    assert [(ref.model, ref.version) for ref in list_store(tmp_path)] == [("a", 1), ("b", 9), ("b", 10)]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("README", "no model"),
        ("m/model.onnx", "no version"),
        ("m/latest/model.onnx", "latest"),
        ("m/01/model.onnx", "01"),
        ("m/0/model.onnx", "positive"),
        ("bad name/1/model.onnx", "bad name"),
    ],
)
def test_what_was_not_understood_is_refused(tmp_path: Path, path: str, named: str) -> None:
    put(tmp_path, path)
    with pytest.raises(StoreError, match=named):
        list_store(tmp_path)


def test_the_digest_is_of_the_bytes_in_memory(tmp_path: Path) -> None:
    path = put(tmp_path, "m/1/model.onnx", b"abc")
    artifact = load_artifact(list_store(tmp_path)[0])
    path.write_bytes(b"changed")
    assert artifact.content == b"abc"
    assert artifact.digest == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("content", [b"", None])
def test_an_empty_or_missing_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = put(tmp_path, "m/1/model.onnx", content or b"")
    if content is None:
        path.unlink()
    with pytest.raises(StoreError, match=str(path)):
        load_artifact(list_store(tmp_path)[0])


def test_junk_is_no_model(tmp_path: Path) -> None:
    put(tmp_path, "m/1/model.onnx", b"junk")
    with pytest.raises(StoreError, match="cannot be loaded"):
        load_model(load_artifact(list_store(tmp_path)[0]), device=Device.CPU, threads=1)


def test_weights_outside_the_hashed_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4))
    external_data_helper.set_external_data(weights, "w.bin", 0, 4)
    weights.ClearField("raw_data")
    vector = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", vector[:1], vector[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    put(tmp_path, "m/1/model.onnx", model.SerializeToString())
    put(tmp_path, "m/1/w.bin", bytes(4))
    monkeypatch.chdir(tmp_path / "m" / "1")
    with pytest.raises(StoreError, match=r"w\.bin|external"):
        load_model(load_artifact(list_store(tmp_path)[0]), device=Device.CPU, threads=1)


def test_the_probe_is_a_model(tmp_path: Path) -> None:
    put(tmp_path, "m/1/model.onnx", PROBE)
    model = load_model(load_artifact(list_store(tmp_path)[0]), device=Device.CPU, threads=1)
    assert [spec.name for spec in model.signature.inputs] == ["x"]


def test_outputs_that_are_not_tensors_are_refused(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("SequenceConstruct", ["x"], ["y"])], "g", [x], [sequence])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    put(tmp_path, "m/1/model.onnx", model.SerializeToString())
    with pytest.raises(StoreError, match="zipmap"):
        load_model(load_artifact(list_store(tmp_path)[0]), device=Device.CPU, threads=1)
