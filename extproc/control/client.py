"""The commands' end of the control socket."""

import json
import socket
from collections.abc import Mapping
from http import HTTPStatus
from http.client import BadStatusLine, HTTPConnection, HTTPException, RemoteDisconnected
from pathlib import Path
from typing import Any, Final

from extproc.control.errors import ControlError, OrderError

UNIX: Final = "unix:"
ANSWER_S: Final = 30.0
"""How long an answer is awaited: longer than the sidecar itself lets an order take."""
_MOST_ANSWER: Final = 64 << 20


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("situs", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(str(self._path))


def ask(address: str, path: str, order: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Ask the sidecar at `address` (`unix:/path`) something, or with `order` give it one.

    Raises OrderError where the sidecar refuses it and nothing was changed, and ControlError where it cannot be asked or
    what came of it cannot be told.
    """
    if not address.startswith(UNIX):
        raise ControlError(f"{address} is no control socket. Mend: write unix:/path, as `situs serve --control` has it")
    file = Path(address.removeprefix(UNIX))
    connection = _UnixConnection(file)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise ControlError(_unreachable(file, error)) from error
    try:
        status, body = _exchange(connection, path, order)
    except TimeoutError as error:
        raise ControlError(f"{address} did not answer within {ANSWER_S:g} s. Mend: {_UNKNOWN}") from error
    except BadStatusLine as error:
        if isinstance(error, RemoteDisconnected):
            raise ControlError(f"{address} broke off: {error}. Mend: {_UNKNOWN}") from error
        raise ControlError(f"{address} does not speak HTTP. Mend: {_ANOTHER}") from error
    except (OSError, HTTPException) as error:
        raise ControlError(f"{address} broke off: {error!r}. Mend: {_UNKNOWN}") from error
    finally:
        connection.close()
    return _answer_of(address, status, body)


_ANOTHER: Final = "name the sidecar's control socket, which is not the one on which Envoy calls it"
_UNKNOWN: Final = "see what the sidecar says in its event log; an order may have been written nevertheless"


def _exchange(connection: HTTPConnection, path: str, order: Mapping[str, object] | None) -> tuple[int, bytes]:
    try:
        if order is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(order).encode(), {"content-type": "application/json"})
    except (BrokenPipeError, ConnectionResetError):
        pass  # a refusal comes before all was read, and says why
    response = connection.getresponse()
    if response.length is None or response.length > _MOST_ANSWER:
        raise HTTPException("no answer of a length that can be taken")
    return response.status, response.read()


def _answer_of(address: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"{address} does not answer in JSON. Mend: {_ANOTHER}") from error
    if not isinstance(document, dict):
        raise ControlError(f"{address} answers something else. Mend: {_ANOTHER}")
    if status == HTTPStatus.OK:
        return document
    said = _shown(str(document.get("error", f"it answers {status}")))
    if status == HTTPStatus.BAD_REQUEST:
        raise OrderError(said)
    raise ControlError(f"{address}: {said}")


def _shown(text: str) -> str:
    """Give words of another process without what a terminal takes for commands."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def _unreachable(file: Path, error: OSError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            mend = "no sidecar listens there. Mend: name what `situs serve --control` was given, or start it with that"
        case ConnectionRefusedError():
            mend = "its sidecar has ended. Mend: start it, or give the order with --overrides"
        case PermissionError():
            mend = (
                "you may not open it. Mend: be root or the sidecar's user, or have the sidecar started with "
                "--control-user and be in the socket's group"
            )
        case BlockingIOError() | TimeoutError():
            mend = "too many wait there. Mend: try again, or give the order with --overrides"
        case _:
            mend = f"it cannot be opened ({error}). Mend: name what `situs serve --control` was given"
    return f"{file}: {mend}"
