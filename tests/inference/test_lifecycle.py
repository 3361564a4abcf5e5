"""Start, drain, kill: what a cell promises to those who operate it."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from inference.testing import CellProcess, StartCell

pytestmark = pytest.mark.slow

IDENTITY = ["--region", "eu", "--jurisdiction", "DE"]
INFER = "/v2/models/gather/infer"
JSON = {"content-type": "application/json"}


def request(name: str, number: int) -> bytes:
    return json.dumps({"inputs": [{"name": name, "datatype": "INT64", "shape": [1], "data": [number]}]}).encode()


def serve_and_fail(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run `situs-cell serve` where it cannot start; return its exit status and what it says."""
    command = [sys.executable, "-m", "inference", "serve", *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=False, env={**os.environ, **environment}
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_drain_under_load_fails_no_request(start: StartCell, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    statuses: list[int] = []
    enough = threading.Event()

    def work(cell: CellProcess) -> None:
        """Send until the cell asks to close the connection, as a balancer does."""
        connection = http.client.HTTPConnection(cell.host, cell.port, timeout=10)
        closing = False
        while not closing:
            connection.request("POST", INFER, request("index", 1), JSON)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            closing = answer.getheader("connection") == "close"
            if len(statuses) > 200:
                enough.set()
        connection.close()

    with start("--drain", "2", "--access-log", str(log)) as cell:
        workers = [threading.Thread(target=work, args=(cell,)) for _ in range(6)]
        for worker in workers:
            worker.start()
        assert enough.wait(10)
        cell.process.send_signal(signal.SIGTERM)
        cell.next_event("draining")
        assert httpx.get(f"{cell.url}/v2/health/ready").status_code == 503
        assert httpx.get(f"{cell.url}/v2/models/gather/ready").status_code == 503
        assert httpx.get(f"{cell.url}/v2/health/live").status_code == 200
        for worker in workers:
            worker.join(10)
        assert cell.process.wait(3) == 0
    assert set(statuses) == {200}
    assert len(log.read_text().splitlines()) == len(statuses)


def begin_slow(cell: CellProcess, times: int) -> socket.socket:
    """Return a connection whose slow request the cell has begun to read."""
    body = request("times", times)
    head = (
        "POST /v2/models/slow/infer HTTP/1.1\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((cell.host, cell.port), timeout=10)
    connection.sendall(head.encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100")
    connection.sendall(body)
    return connection


def test_what_is_in_flight_finishes(start: StartCell) -> None:
    with start("--drain", "10") as cell, begin_slow(cell, 200) as connection:
        cell.process.send_signal(signal.SIGTERM)
        cell.process.send_signal(signal.SIGINT)  # a second signal skips the lingering, not the work
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert cell.process.wait(10) == 0


def test_what_outlasts_the_drain_time_is_cut_with_503(start: StartCell) -> None:
    with start("--drain", "0.5") as cell, begin_slow(cell, 10**9) as connection:
        cell.process.send_signal(signal.SIGTERM)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer
        assert cell.process.wait(5) == 0


def test_sigkill_keeps_the_line_of_every_answered_request(start: StartCell, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    with start("--access-log", str(log)) as cell, httpx.Client(base_url=cell.url) as client:
        for number in range(50):
            headers = {**JSON, "x-situs-decision": str(number)}
            assert client.post(INFER, content=request("index", 1), headers=headers).status_code == 200
        cell.process.kill()
        cell.process.wait()
    assert [json.loads(line)["decision"] for line in log.read_text().splitlines()] == [str(n) for n in range(50)]


def test_a_full_queue_is_503_with_retry_after(start: StartCell) -> None:
    with start("--max-queue", "1") as cell, ExitStack() as stack:
        # One computes, one waits, and the third, whichever the cell reads last, finds the queue full.
        connections = [stack.enter_context(begin_slow(cell, 10**9)) for _ in range(3)]
        answered, _, _ = select.select(connections, [], [], 10)
        answer = answered[0].recv(4096)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer


def test_a_gpu_that_is_not_there_is_refused_not_replaced(store: Path) -> None:
    status, said = serve_and_fail(*IDENTITY, "--models", str(store), "--device", "gpu", CUDA_VISIBLE_DEVICES="")
    assert status == 78
    assert "--device cpu" in said
    assert "listening" not in said


def test_both_onnxruntime_distributions_are_refused(store: Path, tmp_path: Path) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    status, said = serve_and_fail(*IDENTITY, "--models", str(store), PYTHONPATH=str(tmp_path))
    assert (status, "uninstall both" in said) == (78, True)


def test_a_store_that_cannot_be_served_is_named(tmp_path: Path) -> None:
    status, said = serve_and_fail(*IDENTITY, "--models", str(tmp_path / "none"))
    assert (status, str(tmp_path / "none") in said, "--models" in said) == (78, True, True)


def test_an_address_in_use_is_named(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, said = serve_and_fail(*IDENTITY, "--models", str(store), "--listen", address)
    assert (status, address in said) == (78, True)
