"""What the commands say of a socket that does not answer as a sidecar does."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.control import client
from extproc.control.client import ask
from extproc.control.errors import ControlError


def _answers(path: Path, data: bytes, *, reads: bool = True) -> threading.Thread:
    """Listen, and answer the first who asks by `data`."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(1)

    def serve() -> None:
        with listening:
            connection, _ = listening.accept()
            with connection:
                if reads:
                    connection.recv(1 << 16)
                connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def _ok(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "broke off"),
        (b"SSH-2.0\r\n", "does not speak HTTP. Mend: name the sidecar's control socket"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "broke off"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "no answer of a length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}", "no answer of a length"),
        (_ok(b"<html>"), "does not answer in JSON"),
        (_ok(b"[" * 100_000), "does not answer in JSON"),
        (_ok(b"[]"), "answers something else"),
        (b"HTTP/1.1 418 I\r\ncontent-length: 2\r\n\r\n{}", "it answers 418"),
        (b'HTTP/1.1 503 X\r\ncontent-length: 20\r\n\r\n{"error":"a\\u001bb"}', r"a\?b"),
    ],
)
def test_what_is_no_answer_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "c.sock"
    thread = _answers(path, data)
    with pytest.raises(ControlError, match=said):
        ask(f"unix:{path}", "/v1/status")
    thread.join()


def test_silence_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.05)
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)
        with pytest.raises(ControlError, match="did not answer within"):
            ask(f"unix:{path}", "/v1/suspend", {"reason": "x" * 1000})


def _stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))


def _file(path: Path) -> None:
    path.write_text("a letter")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "no sidecar listens there"),
        (_stale, "its sidecar has ended"),
        (_file, "its sidecar has ended"),
    ],
)
def test_a_socket_that_cannot_be_opened_is_told_with_the_mend(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "c.sock"
    make(path)
    with pytest.raises(ControlError, match=f"{said}.*Mend: "):
        ask(f"unix:{path}", "/v1/status")


def test_a_path_that_no_socket_can_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"cannot be opened.*Mend: "):
        ask(f"unix:{tmp_path / ('x' * 200)}", "/v1/status")
