"""The stream of one request whose payload the policy reads: headers, then the body, then one answer.

Owns the order of the messages and nothing else: what is in the headers is for :mod:`extproc.wire.request`, what is in
the body for whoever is called. Used only where the policy reads payloads; without, `Process` is a unary method, which
costs half as much.

What a real Envoy 1.40 does with `request_body_mode: BUFFERED_PARTIAL`, as measured (and tested in
`tests/wire/test_payload_envoy.py`):

* The headers come first, with `end_of_stream` where there is no body, and then no body message follows. Otherwise
  Envoy waits for an answer to the headers, and sends the body in one message once it is whole or over the limit.
* `end_of_stream` of the body message says whether it is whole. One that is not may be up to twice as long as the limit.
  A body that is followed by trailers is never called whole.
* Attributes and metadata come with the headers message only; mutations and metadata may be in the last answer.
* The message timer runs for each message that Envoy sent, not while a client is slow to send its body.

SPEC: envoy.service.ext_proc.v3.ProcessingRequest.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from envoy.service.ext_proc.v3.external_processor_pb2 import HeadersResponse, ProcessingRequest, ProcessingResponse
from google.protobuf.message import DecodeError

from extproc.names import CONTENT_ENCODING

_PLAIN: Final = (b"", b"identity")
_CONTINUE: Final[bytes] = ProcessingResponse(request_headers=HeadersResponse()).SerializeToString(deterministic=True)
"""Go on, and send the body. ENVOY: it holds the request's headers back until the body was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What Envoy sent of a request's body: all of it if `complete`, else its beginning.

    `encoded` is set if the request names a content coding (gzip and the like), so that the bytes are not the content.
    """

    data: bytes
    complete: bool
    encoded: bool

    def __repr__(self) -> str:
        # A payload has no place in a log or in the message of an error.
        return f"Body({len(self.data)} bytes, complete={self.complete}, encoded={self.encoded})"


ProcessStream = Callable[[bytes, Body | None], Awaitable[bytes]]
"""From a serialised `ProcessingRequest` with the headers, and the body if the request has one, to the answer.

With a body the answer is one for :attr:`extproc.wire.response.Phase.BODY`, without for `Phase.HEADERS`. Headers that
cannot be read are passed on without a body: refusing them is for whoever decides.
"""

Preview = Callable[[bytes], Awaitable[bytes | None]]
"""From a serialised `ProcessingRequest` with the headers to a refusal that no body could change, as the answer to the
headers, or None where the body is to be looked at. A client is then refused, or sent elsewhere, before it sends one."""

Stream = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
"""From the serialised messages of one request to the serialised answers."""


def payload_stream(process: ProcessStream, preview: Preview) -> Stream:
    """Give the handler of one request's stream, which calls `process` once, or never if Envoy gave the request up.

    Where there is a body, `preview` is asked before it; what it answers is the end.

    Whatever comes in place of a body ends the stream without an answer, and Envoy refuses the request with 503.
    """

    async def handle(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        headers = await anext(messages, None)
        if headers is None:
            return
        request = _parse(headers)
        if request is None or not request.HasField("request_headers") or request.request_headers.end_of_stream:
            yield await process(headers, None)
            return
        refusal = await preview(headers)
        if refusal is not None:
            yield refusal
            return
        yield _CONTINUE
        message = await anext(messages, None)
        answered = None if message is None else _parse(message)
        if answered is None or not answered.HasField("request_body"):
            return
        part = answered.request_body
        body = Body(data=part.body, complete=part.end_of_stream, encoded=_is_encoded(request.request_headers))
        yield await process(headers, body)

    return handle


def _parse(message: bytes) -> Any:  # noqa: ANN401 - an unstubbed protobuf message
    try:
        return ProcessingRequest.FromString(message)
    except DecodeError:
        return None


def _is_encoded(headers: Any) -> bool:  # noqa: ANN401 - an unstubbed protobuf message
    """Tell whether the request names a content coding. SPEC: RFC 9110 section 8.4."""
    return any(
        # ENVOY: raw_value is what current versions fill; value is the older, UTF-8 only field.
        (header.raw_value or header.value.encode()).strip().lower() not in _PLAIN
        for header in headers.headers.headers
        if header.key == CONTENT_ENCODING
    )
