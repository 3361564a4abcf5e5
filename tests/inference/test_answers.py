import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest

from inference.store import list_store, load_artifact

IDENTITY = {"x-situs-cell": "cell-a", "x-situs-region": "eu-central-1", "x-situs-jurisdiction": "DE"}


def images_request(images: list[list[float]], **more: object) -> dict[str, object]:
    tensor = {"name": "image", "datatype": "FP32", "shape": [len(images), 64], "data": list(chain(*images))}
    return {"inputs": [tensor], **more}


def vector(name: str, datatype: str, data: list[Any]) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


@pytest.fixture(scope="session")
def oracle(digits_store: Path) -> Callable[[list[list[float]]], tuple[Any, Any]]:
    """onnxruntime itself, on the same bytes."""
    content = (digits_store / "digits" / "1" / "model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: tuple(session.run(None, {"image": np.array(images, dtype=np.float32)}))


@pytest.mark.slow
def test_answers_are_onnxruntimes_own_bit_for_bit(
    client: httpx.Client, samples: dict[str, Any], oracle: Callable[[list[list[float]]], tuple[Any, Any]]
) -> None:
    images = [sample["image"] for sample in samples["samples"]]
    singles = [[image] for image in images]
    with ThreadPoolExecutor(16) as pool:  # together, so that the cell batches them
        answers = list(pool.map(lambda group: post(client, images_request(group)), [*singles, images]))
    for group, answer in zip([*singles, images], answers, strict=True):
        label, probabilities = oracle(group)
        outputs = {output["name"]: output for output in answer["outputs"]}
        assert outputs["label"]["data"] == label.tolist()
        assert outputs["probabilities"]["shape"] == [len(group), 10]
        assert np.array(outputs["probabilities"]["data"], np.float32).tobytes() == probabilities.tobytes()


def post(client: httpx.Client, message: object, model: str = "digits") -> dict[str, Any]:
    response = client.post(f"/v2/models/{model}/infer", json=message)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_most_samples_are_recognised(client: httpx.Client, samples: dict[str, Any]) -> None:
    answer = post(client, images_request([sample["image"] for sample in samples["samples"]]))
    labels = [sample["label"] for sample in samples["samples"]]
    right = sum(given == label for given, label in zip(answer["outputs"][0]["data"], labels, strict=True))
    assert right >= 0.9 * len(labels)


def test_every_datatype_comes_back_as_sent(client: httpx.Client) -> None:
    sent: dict[str, tuple[str, list[Any]]] = {
        "bool": ("BOOL", [True, False]),
        "uint8": ("UINT8", [0, 255]),
        "int8": ("INT8", [-128, 127]),
        "int64": ("INT64", [-(2**63), 2**63 - 1]),
        "uint64": ("UINT64", [1, 2**64 - 1]),
        "fp16": ("FP16", [0.5, 65504.0]),
        "fp32": ("FP32", [0.10000000149011612, 3.4028234663852886e38]),
        "fp64": ("FP64", [0.1, 1.7976931348623157e308]),
        "bytes": ("BYTES", ["", "Straße \U0001f680"]),
    }
    answer = post(client, {"inputs": [vector(name, *tensor) for name, tensor in sent.items()]}, "echo")
    assert {output["name"]: (output["datatype"], output["data"]) for output in answer["outputs"]} == {
        f"{name}_out": tensor for name, tensor in sent.items()
    }


def test_data_may_be_nested_and_answers_echo_the_id(client: httpx.Client, samples: dict[str, Any]) -> None:
    image = samples["samples"][0]["image"]
    nested = {"name": "image", "datatype": "FP32", "shape": [1, 64], "data": [image]}
    flat = post(client, images_request([image], id="r-1"))
    assert flat["id"] == "r-1"
    assert post(client, {"inputs": [nested], "id": "r-1"}) == flat


def test_outputs_are_answered_as_chosen(client: httpx.Client, samples: dict[str, Any]) -> None:
    chosen = {"outputs": [{"name": "probabilities", "parameters": {"binary_data": False}}]}
    answer = post(client, images_request([samples["samples"][0]["image"]]) | chosen)
    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]


def test_nan_and_infinities_are_read_and_written(client: httpx.Client) -> None:
    body = json.dumps(
        {"inputs": [vector("a", "FP32", [1, 0, float("nan")]), vector("b", "FP32", [0, 0, 1])], "id": "n"}
    )
    response = client.post(
        "/v2/models/divide/infer", content=body, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert response.status_code == 200
    assert response.text.endswith('"data":[Infinity,NaN,NaN]}]}')


@pytest.mark.parametrize(
    ("path", "version"),
    [("/v2/models/digits", "10"), ("/v2/models/digits/versions/9", "9"), ("/v2/models/digits/versions/9/ready", "9")],
)
def test_every_answer_of_a_model_says_who_answered(client: httpx.Client, store: Path, path: str, version: str) -> None:
    ref = next(ref for ref in list_store(store) if ref.model == "digits")
    expected = {
        **IDENTITY,
        "x-situs-model": "digits",
        "x-situs-model-version": version,
        "x-situs-model-digest": load_artifact(ref).digest,
        "x-situs-provider": "CPUExecutionProvider",
    }
    response = client.get(path)
    refused = client.post(path.removesuffix("/ready") + "/infer", content=b"{")
    assert (response.status_code, refused.status_code) == (200, 400)
    for answer in (response, refused):
        assert {name: answer.headers[name] for name in expected} == expected


def test_metadata_and_health(client: httpx.Client) -> None:
    metadata = client.get("/v2/models/digits").json()
    assert metadata == {
        "name": "digits",
        "versions": ["9", "10"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 64]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
        ],
    }
    assert client.get("/v2").json()["name"] == "situs-cell"
    assert client.get("/v2/health/live").json() == {"live": True}
    ready = client.get("/v2/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert {name: ready.headers[name] for name in IDENTITY} == IDENTITY
    assert client.head("/v2/health/ready").status_code == 200


def test_another_expected_region_is_refused_before_the_body_is_read(client: httpx.Client) -> None:
    wrong = client.post("/v2/models/digits/infer", content=b"{", headers={"x-situs-expect-region": "us-east-1"})
    assert wrong.status_code == 421
    assert "eu-central-1" in wrong.json()["error"]
    twice = [("x-situs-expect-region", "eu-central-1"), ("x-situs-expect-region", "us-east-1")]
    assert client.post("/v2/models/digits/infer", content=b"{", headers=twice).status_code == 421
    right = client.post("/v2/models/digits/infer", content=b"{", headers={"x-situs-expect-region": "eu-central-1"})
    assert right.status_code == 400


def test_every_inference_request_has_its_line(client: httpx.Client, access_log: Path) -> None:
    lines_before = len(access_log.read_text().splitlines())
    requests = [
        ("POST", "/v2/models/gather/infer", json.dumps({"inputs": [vector("index", "INT64", [3])]}), {}, 200),
        ("POST", "/v2/models/gather/infer", "{", {"content-type": "text/plain"}, 415),
        ("POST", "/v2/models/gather/infer", "{", {"x-situs-expect-region": "us"}, 421),
        ("GET", "/v2/models/gather/infer", "", {}, 405),
        ("POST", "/v2/models/secret-name/infer", "{}", {}, 404),
        ("GET", "/v2/models/gather/ready", "", {}, 200),
    ]
    for number, (method, path, body, headers, status) in enumerate(requests):
        sent = {"x-situs-decision": f"decision-{number}", **headers}
        assert client.request(method, path, content=body, headers=sent).status_code == status
    client.post("/v2/models/gather/infer", content=b"")
    lines = [json.loads(line) for line in access_log.read_text().splitlines()[lines_before:]]
    assert [(line["status"], line["decision"], line["model"], line["version"]) for line in lines] == [
        (200, "decision-0", "gather", 1),
        (415, "decision-1", "gather", 1),
        (421, "decision-2", "gather", 1),
        (405, "decision-3", "gather", 1),
        (404, "decision-4", None, None),
        (400, None, "gather", 1),
    ]
    assert {(line["cell"], line["region"]) for line in lines} == {("cell-a", "eu-central-1")}
    assert set(lines[0]) == {"time", "region", "cell", "model", "version", "status", "decision", "duration_s"}
