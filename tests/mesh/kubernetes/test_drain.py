"""A pod that ends: a real Envoy, started as it is rendered, goes on serving and sends its clients elsewhere."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mesh.example import LOOPBACK, READING, mesh_of, tables_of
from mesh.kubernetes.rendered import containers, pods, rendering
from mesh.world import TELL, Cell, ToldSidecar, free_port, rendered, wait_for

from extproc.mesh.kubernetes import drain
from extproc.mesh.section import Mesh, UnixSocket


@contextlib.contextmanager
def running_pod(binary: Path, folder: Path) -> Iterator[Mesh]:
    """Run an Envoy with the arguments of the rendered container, a cell, and a sidecar that does as it is told."""
    cell, sidecar = Cell(), ToldSidecar(folder / "s.sock")
    place = UnixSocket(unix=str(folder / "s.sock"))
    mesh = mesh_of([cell.port], listener=free_port(), admin=free_port(), sidecar=place)
    config = folder / "envoy.yaml"
    config.write_text(rendered(tables_of(1), READING, mesh))
    gateway = next(pod for name, _, pod in pods(rendering()) if name == "gateway/statefulset.yaml")
    words = [str(config) if word == "/etc/envoy/envoy.yaml" else word for word in containers(gateway)[1]["args"]]
    with (folder / "log").open("wb") as log, subprocess.Popen([binary, *words], stdout=log, stderr=log) as process:
        try:
            wait_for("the listener, which is what Kubernetes waits for", lambda: _accepts(mesh.listener.port))
            yield mesh
        finally:
            process.kill()
            sidecar.close()
            cell.close()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("binary", ["envoy_binary", "oldest_envoy"])
def test_envoy_ends_connections_and_refuses_nobody(binary: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with running_pod(request.getfixturevalue(binary), tmp_path) as mesh, httpx.Client() as client:
        url = f"http://{mesh.listener}/v2/models/digits/infer"
        # When the port is open Envoy is ready, and has nobody refused for want of a cell.
        assert client.get(url, headers={TELL: "route c0"}).headers.get("connection") is None
        subprocess.run([sys.executable, "-m", drain.__name__, "--admin", str(mesh.admin)], check=True, timeout=30)
        for _ in range(20):  # each on a connection of its own, which is still taken
            answer = client.get(url, headers={TELL: "route c0"})
            assert answer.status_code == httpx.codes.OK
            assert answer.headers["connection"] == "close"


def test_an_envoy_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert drain.main(["--admin", f"127.0.0.1:{free_port()}"]) == 1
    assert "cannot drain: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "answered 503"), (b"no HTTP\r\n\r\n", "no answer of Envoy's")],
)
def test_an_answer_that_is_no_yes_is_told(answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = (
            "import socket, sys\n"
            "c = socket.socket(fileno=int(sys.argv[1])).accept()[0]\n"
            f"c.recv(4096); c.sendall({answer!r}); c.close()\n"
        )
        command = [sys.executable, "-c", code, str(server.fileno())]
        with (
            subprocess.Popen(command, pass_fds=[server.fileno()]),
            pytest.raises(OSError, match=said),
        ):
            drain.drain(f"127.0.0.1:{port}")
