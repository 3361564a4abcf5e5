"""Whatever a client sends, the answer is a 4xx that says what to change, and the cell serves on."""

import json
import socket
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.testing import CellProcess

DIGITS = "/v2/models/digits/infer"
PIXELS = [0.0] * 64


def image(**changes: object) -> bytes:
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 64], "data": PIXELS, **changes}
    return json.dumps({"inputs": [tensor]}).encode()


def message(**members: object) -> bytes:
    good = json.loads(image())
    return json.dumps({**good, **members}).encode()


def index(*values: object, datatype: str = "INT64") -> bytes:
    tensor = {"name": "index", "datatype": datatype, "shape": [len(values)], "data": list(values)}
    return json.dumps({"inputs": [tensor]}).encode()


# name: path, body, status, words that the message has
BODIES: dict[str, tuple[str, bytes, int, str]] = {
    "empty": (DIGITS, b"", 400, "not JSON"),
    "cut": (DIGITS, image()[:-9], 400, "not JSON"),
    "not UTF-8": (DIGITS, b'{"id":"\xff\xfe"}', 400, "not JSON"),
    "not UTF-8 with NaN": (DIGITS, b'{"id":"\xff", "x": NaN}', 400, "not JSON"),
    "nested beyond reason": (DIGITS, b"[" * 100_000, 400, "not JSON"),
    "nested beyond reason with NaN": (DIGITS, b"[" * 100_000 + b"NaN", 400, "not JSON"),
    "an array": (DIGITS, b"[]", 400, "JSON object"),
    "null": (DIGITS, b"null", 400, "JSON object"),
    "no inputs": (DIGITS, b"{}", 400, "image"),
    "inputs not a list": (DIGITS, message(inputs={}), 400, "image"),
    "inputs empty": (DIGITS, message(inputs=[]), 400, "image"),
    "input not an object": (DIGITS, message(inputs=[1]), 400, "image"),
    "input without name": (DIGITS, image(name=None), 400, "image"),
    "input unknown": (DIGITS, image(name="picture"), 400, "picture"),
    "input name a surrogate": (DIGITS, b'{"x":NaN,"inputs":[{"name":"\\ud800"}]}', 400, "ud800"),
    "input twice": (DIGITS, message(inputs=json.loads(image())["inputs"] * 2), 400, "image"),
    "datatype missing": (DIGITS, image(datatype=None), 400, "image"),
    "datatype unknown": (DIGITS, image(datatype="FP12"), 400, "image"),
    "datatype of another": (DIGITS, image(datatype="FP64"), 400, "image"),
    "shape missing": (DIGITS, image(shape=None), 400, "image"),
    "shape of floats": (DIGITS, image(shape=[1.0, 64.0]), 400, "image"),
    "shape of truth values": (DIGITS, image(shape=[True, 64]), 400, "image"),
    "shape negative": (DIGITS, image(shape=[-1, 64]), 400, "image"),
    "shape zero": (DIGITS, image(shape=[0, 64], data=[]), 400, "image"),
    "shape huge": (DIGITS, image(shape=[2**62, 64]), 400, "image"),
    "shape huge with NaN": (DIGITS, b'{"x":NaN,' + image(shape=[10**400, 64])[1:], 400, "image"),
    "shape of wrong rank": (DIGITS, image(shape=[64]), 400, "image"),
    "shape of wrong width": (DIGITS, image(shape=[1, 63], data=PIXELS[1:]), 400, "image"),
    "data missing": (DIGITS, image(data=None), 400, "image"),
    "data a string": (DIGITS, image(data="AAAA"), 400, "image"),
    "data empty": (DIGITS, image(data=[]), 400, "image"),
    "data short": (DIGITS, image(data=PIXELS[1:]), 400, "image"),
    "data long": (DIGITS, image(data=[*PIXELS, 0]), 400, "image"),
    "data nested otherwise": (DIGITS, image(data=[[0] * 63, [0]]), 400, "image"),
    "data ragged": (DIGITS, image(data=[[0] * 63 + [[0]]]), 400, "image"),
    "data nested too deep": (DIGITS, image(data=[[PIXELS]]), 400, "image"),
    "data with a string": (DIGITS, image(data=[*PIXELS[1:], "0"]), 400, "image"),
    "data with null": (DIGITS, image(data=[*PIXELS[1:], None]), 400, "image"),
    "data with a truth value": (DIGITS, image(data=[*PIXELS[1:], True]), 400, "image"),
    "data beyond FP32": (DIGITS, image(data=[*PIXELS[1:], 1e300]), 400, "image"),
    "data beyond FP64": (DIGITS, b'{"x":NaN,' + image(data=[*PIXELS[1:], 10**400])[1:], 400, "image"),
    "integers as floats": ("/v2/models/gather/infer", index(1.0), 400, "index"),
    "integers beyond INT64": ("/v2/models/gather/infer", index(2**63), 400, "index"),
    "refused by the model": ("/v2/models/gather/infer", index(99), 400, "out of data bounds"),
    "fixed batch": ("/v2/models/fixed/infer", image(name="x", shape=[2, 2], data=[0] * 4), 400, "'x'"),
    "dimensions that disagree": (
        "/v2/models/divide/infer",
        message(
            inputs=[{"name": n, "datatype": "FP32", "shape": [s], "data": [1.0] * s} for n, s in (("a", 2), ("b", 3))]
        ),
        400,
        "refuses",
    ),
    "output unknown": (DIGITS, message(outputs=[{"name": "logits"}]), 400, "logits"),
    "output twice": (DIGITS, message(outputs=[{"name": "label"}] * 2), 400, "label"),
    "outputs not a list": (DIGITS, message(outputs="label"), 400, "label"),
    "id a number": (DIGITS, message(id=7), 400, "id"),
    "id a surrogate": (DIGITS, b'{"x":NaN,"id":"\\ud800"}', 400, "id"),
    "parameters a list": (DIGITS, message(parameters=[]), 400, "parameters"),
    "binary output asked for": (DIGITS, message(parameters={"binary_data_output": True}), 400, "binary_data_output"),
    "binary input announced": (DIGITS, image(parameters={"binary_data_size": 256}), 400, "image"),
    "body over the limit": (DIGITS, b" " * (16 * 2**20 + 1), 413, "16777216"),
    "no such model": ("/v2/models/nothing/infer", image(), 404, "digits"),
    "no such version": ("/v2/models/digits/versions/3/infer", image(), 404, "9, 10"),
    "version not a number": ("/v2/models/digits/versions/%00/infer", image(), 404, "9, 10"),
    "path not UTF-8": ("/v2/models/%ff%fe/infer", image(), 404, "digits"),
    "path unknown": ("/v2/models/digits/generate", image(), 404, "no such path"),
}

HEADERS: dict[str, tuple[dict[str, str], int]] = {
    "form": ({"content-type": "application/x-www-form-urlencoded"}, 415),
    "octets": ({"content-type": "application/octet-stream"}, 415),
    "compressed": ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    "binary extension": ({"inference-header-content-length": "10"}, 415),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_a_4xx_that_says_what_to_change(client: httpx.Client, name: str) -> None:
    path, body, status, words = BODIES[name]
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert words in response.json()["error"]
    assert len(response.content) < 600


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_a_4xx(client: httpx.Client, name: str) -> None:
    headers, status = HEADERS[name]
    response = client.post(DIGITS, content=image(), headers=headers)
    assert (response.status_code, "error" in response.json()) == (status, True)


def test_a_chunked_body_over_the_limit_is_a_413(client: httpx.Client) -> None:
    assert client.post(DIGITS, content=(b" " * 2**20 for _ in range(17))).status_code == 413


@pytest.mark.parametrize(("method", "path", "allow"), [("GET", DIGITS, "POST"), ("DELETE", "/v2", "GET, HEAD")])
def test_a_wrong_method_names_the_right_ones(client: httpx.Client, method: str, path: str, allow: str) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)


def raw(cell: CellProcess, sent: bytes) -> bytes:
    """Send bytes that no client library would, and return all that comes back until the cell closes."""
    with socket.create_connection((cell.host, cell.port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


RAW = {
    "not HTTP": b"\x16\x03\x01\x00\xff\x00\r\n\r\n",
    "a path that is not ASCII": b"GET /v2/\xff HTTP/1.1\r\nconnection: close\r\n\r\n",
    "both lengths": b"POST /v2 HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length beyond numbers": b"POST /v2 HTTP/1.1\r\ncontent-length: " + b"9" * 400 + b"\r\n\r\n",
    "a broken chunk": b"POST " + DIGITS.encode() + b" HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "an upgrade": b"POST " + DIGITS.encode() + b" HTTP/1.1\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n"
    b"content-length: 2\r\n\r\n{}",
    "a tunnel": b"CONNECT elsewhere:443 HTTP/1.1\r\nconnection: close\r\n\r\n",
    "a path of 64 KiB": b"POST /v2/models/" + b"a" * 65_500 + b"/infer HTTP/1.1\r\nconnection: close\r\n\r\n",
    "a path beyond 64 KiB": b"POST /v2/models/" + b"a" * 200_000 + b"/infer HTTP/1.1\r\nconnection: close\r\n\r\n",
    "a body that never comes": b"POST " + DIGITS.encode() + b" HTTP/1.1\r\ncontent-length: 9\r\n\r\n{",
}


@pytest.mark.parametrize("name", RAW)
@pytest.mark.slow
def test_hostile_bytes_get_an_answer(cell: CellProcess, name: str) -> None:
    assert raw(cell, RAW[name]).startswith(b"HTTP/1.1 4")


@pytest.mark.slow
def test_a_client_that_leaves_is_logged_and_harms_nobody(
    cell: CellProcess, client: httpx.Client, access_log: Path
) -> None:
    head = f"POST {DIGITS} HTTP/1.1\r\nx-situs-decision: gone\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    with socket.create_connection((cell.host, cell.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")  # the cell now waits for the body
    while '"status":499,"decision":"gone"' not in access_log.read_text():
        assert client.get("/v2/health/ready").status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["index", "a", "b", "x"]) | JSON,
        "datatype": st.sampled_from(["INT64", "FP32"]) | JSON,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
        "data": st.lists(st.integers(-9, 9) | st.floats(), max_size=6) | JSON,
        "parameters": JSON,
    },
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(TENSOR, max_size=3) | JSON,
        "outputs": st.lists(TENSOR, max_size=2) | JSON,
        "id": JSON,
    },
)
BODY = (
    st.binary(max_size=200)
    | MESSAGE.map(lambda sent: json.dumps(sent).encode())
    | JSON.map(lambda sent: json.dumps(sent).encode())
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(body=BODY, model=st.sampled_from(["gather", "divide", "fixed", "echo"]))
def test_no_body_gets_a_5xx(client: httpx.Client, body: bytes, model: str) -> None:
    response = client.post(f"/v2/models/{model}/infer", content=body)
    assert response.status_code in (200, 400), response.text
