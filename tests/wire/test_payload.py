"""The stream of a request with a payload, through a real gRPC server and without an Envoy."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    HttpBody,
    HttpHeaders,
    HttpTrailers,
    ProcessingRequest,
    ProcessingResponse,
)
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import DecisionId, RegionId
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny, Steer
from extproc.names import DECISION_HEADER, EXT_PROC_SERVICE, METADATA_DECISION, METADATA_NAMESPACE, ROUTE_HEADER
from extproc.wire.payload import Body, payload_stream
from extproc.wire.response import Phase, Responder
from extproc.wire.server import LogStream, PayloadServer, WireServer

_ID = DecisionId("01890a5d-ac96-774b-bcce-b302099a8057")
_STEER = Steer(plan=(RegionId("eu-fra"),), route="eu-fra")


def headers_message(*headers: tuple[str, bytes], ends: bool = False) -> bytes:
    values = [HeaderValue(key=key, raw_value=value) for key, value in ((":path", b"/"), *headers)]
    message = HttpHeaders(headers=HeaderMap(headers=values), end_of_stream=ends)
    serialised: bytes = ProcessingRequest(request_headers=message).SerializeToString()
    return serialised


def body_message(data: bytes, *, ends: bool = True) -> bytes:
    serialised: bytes = ProcessingRequest(request_body=HttpBody(body=data, end_of_stream=ends)).SerializeToString()
    return serialised


TRAILERS: bytes = ProcessingRequest(request_trailers=HttpTrailers()).SerializeToString()


@dataclass
class Asked:
    """Remembers what was asked, and answers as the hop does."""

    calls: list[tuple[bytes, Body | None]] = field(default_factory=list)
    responder: Responder = field(default_factory=Responder)
    refusal: bytes | None = None

    async def preview(self, _headers: bytes) -> bytes | None:
        return self.refusal

    async def __call__(self, headers: bytes, body: Body | None) -> bytes:
        self.calls.append((headers, body))
        return self.responder.respond(_STEER, _ID, Phase.HEADERS if body is None else Phase.BODY)


async def converse(asked: Asked, messages: Sequence[bytes]) -> list[Any]:
    async def sent() -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    return [ProcessingResponse.FromString(answer) async for answer in payload_stream(asked, asked.preview)(sent())]


async def test_what_no_payload_could_change_is_answered_before_it_is_sent() -> None:
    asked = Asked(refusal=Responder().respond(Deny(refusal=Refusal.WRONG_INGRESS), _ID, Phase.HEADERS))
    (answer,) = await converse(asked, [headers_message(), body_message(b"{}")])
    assert answer.WhichOneof("response") == "immediate_response"
    assert asked.calls == []


async def test_a_request_without_a_body_has_one_answer() -> None:
    asked = Asked()
    message = headers_message(ends=True)
    (answer,) = await converse(asked, [message])
    assert asked.calls == [(message, None)]
    assert answer.WhichOneof("response") == "request_headers"
    assert answer.request_headers.response.header_mutation.set_headers


@pytest.mark.parametrize("ends", [True, False], ids=["whole", "partial"])
async def test_the_body_is_awaited_and_the_answer_is_to_the_body(*, ends: bool) -> None:
    asked = Asked()
    message = headers_message()
    first, second = await converse(asked, [message, body_message(b"{}", ends=ends)])
    assert asked.calls == [(message, Body(data=b"{}", complete=ends, encoded=False))]
    assert first.WhichOneof("response") == "request_headers"
    assert not first.request_headers.HasField("response")
    assert second.WhichOneof("response") == "request_body"
    assert second.dynamic_metadata[METADATA_NAMESPACE][METADATA_DECISION] == _ID


@pytest.mark.parametrize(
    ("values", "encoded"),
    [
        ([], False),
        ([b""], False),
        ([b"identity"], False),
        ([b" Identity "], False),
        ([b"gzip"], True),
        ([b"identity", b"br"], True),
        ([b"identity, gzip"], True),
        ([b"\xff"], True),
    ],
)
async def test_a_content_coding_is_seen(values: list[bytes], *, encoded: bool) -> None:
    asked = Asked()
    await converse(asked, [headers_message(*(("content-encoding", v) for v in values)), body_message(b"{}")])
    assert asked.calls[0][1] == Body(data=b"{}", complete=True, encoded=encoded)


@pytest.mark.parametrize("unreadable", [b"", b"\xff\xff", body_message(b"{}"), TRAILERS])
async def test_what_is_not_headers_is_passed_on_without_a_body(unreadable: bytes) -> None:
    asked = Asked()
    assert len(await converse(asked, [unreadable, body_message(b"{}")])) == 1
    assert asked.calls == [(unreadable, None)]


@pytest.mark.parametrize("instead", [[], [b"\xff\xff"], [b""], [TRAILERS], [headers_message()]])
async def test_what_is_not_a_body_is_never_answered(instead: list[bytes]) -> None:
    asked = Asked()
    (answer,) = await converse(asked, [headers_message(), *instead])
    assert not answer.request_headers.HasField("response")
    assert asked.calls == []


async def test_nothing_sent_is_nothing_asked() -> None:
    asked = Asked()
    assert await converse(asked, []) == []
    assert asked.calls == []


@given(st.lists(st.binary(max_size=60), max_size=4))
async def test_no_bytes_make_it_fail_or_ask_twice(messages: list[bytes]) -> None:
    asked = Asked()
    await converse(asked, messages)
    assert len(asked.calls) <= 1


def test_a_body_does_not_show_what_is_in_it() -> None:
    assert "secret" not in repr(Body(data=b"secret", complete=True, encoded=False))


def test_the_answers_to_both_phases_say_the_same() -> None:
    responder = Responder()
    answers = {phase: ProcessingResponse.FromString(responder.respond(_STEER, _ID, phase)) for phase in Phase}
    for phase, answer in answers.items():
        assert answer.WhichOneof("response") == ("request_headers" if phase is Phase.HEADERS else "request_body")
    common = answers[Phase.BODY].request_body.response
    assert common == answers[Phase.HEADERS].request_headers.response
    set_to = {option.header.key: option.header.raw_value for option in common.header_mutation.set_headers}
    assert set_to == {ROUTE_HEADER: b"eu-fra", DECISION_HEADER: _ID.encode()}
    assert answers[Phase.BODY].dynamic_metadata == answers[Phase.HEADERS].dynamic_metadata


def test_a_refusal_is_the_same_in_both_phases() -> None:
    deny = Deny(refusal=Refusal.NO_PERMITTED_REGION)
    responder = Responder()
    assert responder.respond(deny, _ID, Phase.BODY) == responder.respond(deny, _ID, Phase.HEADERS)


async def _refuse_unary(_message: bytes) -> bytes:
    raise AssertionError("the unary handler was called")


async def test_the_server_streams_where_payloads_are_read(tmp_path: Path) -> None:
    asked = Asked()
    server = await WireServer.start(
        f"unix:{tmp_path / 's'}",
        process=_refuse_unary,
        open_log=lambda: LogStream(take=lambda _message: None),
        payloads=PayloadServer(process=asked, preview=asked.preview),
    )
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            method: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
            method = channel.stream_stream(f"/{EXT_PROC_SERVICE}/Process")
            call = method(timeout=10)
            await call.write(headers_message())
            first = ProcessingResponse.FromString(await call.read())
            assert asked.calls == []
            await call.write(body_message(b"x" * (3 << 20), ends=False))
            second = ProcessingResponse.FromString(await call.read())
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
    finally:
        await server.drain(0)
    assert (first.WhichOneof("response"), second.WhichOneof("response")) == ("request_headers", "request_body")
    assert [len(body.data) for _, body in asked.calls if body is not None] == [3 << 20]


async def test_a_failure_ends_the_stream_without_an_answer(tmp_path: Path) -> None:
    async def fail(_headers: bytes, _body: Body | None) -> bytes:
        raise RuntimeError("on purpose")

    server = await WireServer.start(
        f"unix:{tmp_path / 's'}",
        process=_refuse_unary,
        open_log=lambda: LogStream(take=lambda _message: None),
        payloads=PayloadServer(process=fail, preview=Asked().preview),
    )
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            method: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
            method = channel.stream_stream(f"/{EXT_PROC_SERVICE}/Process")
            call = method(iter([headers_message(ends=True)]), timeout=10)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
    finally:
        await server.drain(0)
    assert caught.value.code() is grpc.StatusCode.UNKNOWN


async def test_the_server_is_unary_without(tmp_path: Path) -> None:
    async def echo(message: bytes) -> bytes:
        return message

    server = await WireServer.start(
        f"unix:{tmp_path / 's'}", process=echo, open_log=lambda: LogStream(take=lambda _message: None)
    )
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
            method = channel.unary_unary(f"/{EXT_PROC_SERVICE}/Process")
            assert await method(b"as it is", timeout=10) == b"as it is"
    finally:
        await server.drain(0)
