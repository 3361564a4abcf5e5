"""One request of HTTP/1.1 on a connection, bounded, and its answer in JSON. The grammar of HTTP is h11's.

SPEC: RFC 9112
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NoReturn

import h11

MOST_HEAD: Final = 16 << 10
MOST_BODY: Final = 64 << 10
"""Bytes. The longest order has 5,000 characters, of six bytes each where all of them are escaped."""
_CHUNK: Final = 16 << 10


class BadRequestError(Exception):
    """What came is no request that can be answered. `status` says in which way."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. `path` is without the query."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered."""

    status: HTTPStatus
    document: Mapping[str, object]

    def __bytes__(self) -> bytes:
        """Give the whole answer, after which the connection is closed."""
        body = json.dumps(self.document, ensure_ascii=True).encode() + b"\n"
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


def refusal(status: HTTPStatus, message: str) -> Answer:
    """Make an answer that says what is wrong, and how to mend it."""
    return Answer(status=status, document={"error": message})


async def receive(reader: asyncio.StreamReader) -> Request | None:
    """Read one request, None where nobody asks anything. Raises BadRequestError, and OSError from the connection."""
    connection = h11.Connection(h11.SERVER, MOST_HEAD)
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = _next(connection)
        if event is h11.NEED_DATA:
            data = await reader.read(_CHUNK)
            if not data and head is None and not connection.trailing_data[0]:
                return None
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
            _check_length(int(dict(event.headers).get(b"content-length", b"0")))
        elif isinstance(event, h11.Data):
            body += event.data
            _check_length(len(body))
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            path = head.target.decode("ascii", "replace").partition("?")[0]
            return Request(method=head.method.decode("ascii"), path=path, body=bytes(body))
        else:
            return None


def parse_body(body: bytes) -> object:
    """Read JSON in which no key stands twice and no number is infinite. Raises BadRequestError."""
    try:
        return json.loads(body, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        message = f"the body is not JSON that can be used: {str(error)[:200]}. Mend: send one JSON object"
        raise BadRequestError(HTTPStatus.BAD_REQUEST, message) from error


def _next(connection: h11.Connection) -> object:
    try:
        return connection.next_event()
    except h11.RemoteProtocolError as error:
        message = f"not a request of HTTP/1.1: {error}. Mend: use `situs status` and its like, or curl"
        raise BadRequestError(HTTPStatus(error.error_status_hint), message) from error


def _check_length(length: int) -> None:
    if length > MOST_BODY:
        message = f"the body is longer than {MOST_BODY} bytes. Mend: send one order"
        raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _no_number(written: str) -> NoReturn:
    raise ValueError(f"{written} is no number")
