"""One HTTP request from the first header to the last byte: a bare ASGI callable.

Owns the order of the checks and the answer's shape. Does not own sockets, signals or drain time (`server`), nor what a
tensor must look like (`tensors`, `protocol`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from typing import Any, Final, TypeAlias, assert_never

import orjson
from structlog.typing import FilteringBoundLogger

from inference import headers
from inference.access_log import AccessEntry, AccessLog, now, parse_decision
from inference.errors import (
    STATUS,
    ClientGoneError,
    DrainingError,
    FaultError,
    MisdirectedError,
    RequestError,
    RetryLaterError,
    SlowBodyError,
    TooLargeError,
    UnknownResourceError,
    UnsupportedMediaError,
    UnsupportedMethodError,
)
from inference.identity import CellIdentity
from inference.load import together
from inference.protocol import format_infer_response, parse_infer_request
from inference.routes import METHODS, Endpoint, Route, parse_route
from inference.served import ModelTable, ServedModel

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Fields: TypeAlias = list[tuple[bytes, bytes]]

_JSON: Final = (headers.CONTENT_TYPE, b"application/json")
_LOADED: Final = (Endpoint.INFER, Endpoint.READY)
"""Whose answers bear the cell's load: those that who sends requests here sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Bounds of one request's body: `size` in bytes, and `time_s` seconds for all of it to arrive."""

    size: int = 16 * 2**20
    time_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer, less the headers that every answer of the cell carries."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What a request is for. `error` is set where the path names nothing that the cell has."""

    route: Route | None = None
    served: ServedModel | None = None
    error: RequestError | None = None


class Cell:
    """The ASGI application of one cell.

    Set `draining` to make readiness 503 and every answer ask its client to close the connection.
    """

    def __init__(
        self,
        *,
        identity: CellIdentity,
        models: ModelTable,
        access_log: AccessLog,
        events: FilteringBoundLogger,
        limits: BodyLimits,
    ) -> None:
        self.draining = False
        self._models = models
        self._access_log = access_log
        self._events = events
        self._limits = limits
        self._region = identity.region.encode()
        self._headers = [_JSON, *identity.as_headers()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. An inference request has its line in the access log before its answer leaves."""
        at, started = now(), time.perf_counter()
        target = self._resolve(scope["path"])
        answer = await self._answer(target, scope, receive)
        if target.route is not None and target.route.endpoint is Endpoint.INFER:
            answer = self._record(target, answer, scope, at=at, duration_s=time.perf_counter() - started)
        fields = [*self._headers, *answer.headers, (headers.CONTENT_LENGTH, b"%d" % len(answer.body))]
        if target.served is not None:
            fields += target.served.headers
        if target.route is not None and target.route.endpoint in _LOADED:
            fields.append((headers.LOAD, together(served.batcher.load() for served in self._models).as_text()))
        if self.draining:
            fields.append((headers.CONNECTION, b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})

    def _resolve(self, path: str) -> _Target:
        route = None
        try:
            route = parse_route(path)
            served = None if route.model is None else self._models.find(route.model, route.version)
        except UnknownResourceError as error:
            return _Target(route=route, error=error)
        return _Target(route=route, served=served)

    async def _answer(self, target: _Target, scope: Scope, receive: Receive) -> Answer:
        try:
            self._check_region(scope["headers"])
            route = _known_route(target)
            _check_method(route.endpoint, scope["method"])
            if target.served is None:
                return self._answer_server(route.endpoint)
            return await self._answer_model(route.endpoint, target.served, scope["headers"], receive)
        except RequestError as error:
            return self._refuse(error)
        except asyncio.CancelledError:
            return self._refuse(DrainingError("the cell is stopping; send the request again, elsewhere"))
        except Exception as error:  # noqa: BLE001 - nothing may leave a request without an answer and a line
            return self._refuse(FaultError.of(error))

    def _answer_server(self, endpoint: Endpoint) -> Answer:
        if endpoint is Endpoint.SERVER:
            return _json(200, {"name": "situs-cell", "version": metadata.version("situs"), "extensions": []})
        if endpoint is Endpoint.LIVE:
            return _json(200, {"live": True})
        return _json(503 if self.draining else 200, {"ready": not self.draining})

    async def _answer_model(self, endpoint: Endpoint, served: ServedModel, fields: Fields, receive: Receive) -> Answer:
        match endpoint:
            case Endpoint.INFER:
                return await self._infer(served, fields, receive)
            case Endpoint.MODEL:
                return self._describe(served)
            case Endpoint.MODEL_READY:
                body = {"name": served.model.identity.model, "ready": not self.draining}
                return _json(503 if self.draining else 200, body)
            case Endpoint.SERVER | Endpoint.LIVE | Endpoint.READY:
                raise UnknownResourceError("no such path")
            case _:
                assert_never(endpoint)

    async def _infer(self, served: ServedModel, fields: Fields, receive: Receive) -> Answer:
        # 1. What the headers alone decide, so that a body which will not be used is not read.
        _check_media(fields)
        # 2. The body, within its bounds of size and time.
        body = await self._read_body(fields, receive)
        # 3. Bytes to arrays: every mistake of the client's ends here, with the tensor's name.
        model = served.model
        request = parse_infer_request(body, model.signature)
        # 4. Compute, with whoever else waits.
        results = await served.batcher.run(request.feed)
        # 5. Arrays to bytes.
        response = format_infer_response(
            model=model.identity.model,
            version=model.identity.version,
            request=request,
            signature=model.signature,
            results=results,
        )
        return Answer(status=200, body=response)

    def _describe(self, served: ServedModel) -> Answer:
        identity, signature = served.model.identity, served.model.signature
        return _json(
            200,
            {
                "name": identity.model,
                "versions": self._models.versions(identity.model),
                "platform": "onnxruntime_onnx",
                "inputs": [spec.as_metadata() for spec in signature.inputs],
                "outputs": [spec.as_metadata() for spec in signature.outputs],
            },
        )

    def _check_region(self, fields: Fields) -> None:
        if any(name == headers.EXPECT_REGION and value != self._region for name, value in fields):
            raise MisdirectedError(
                f"this cell is in region {self._region.decode()}, not in the one that x-situs-expect-region names; "
                "send the request to a cell of that region"
            )

    async def _read_body(self, fields: Fields, receive: Receive) -> bytes:
        declared = _first(fields, headers.CONTENT_LENGTH)
        if declared is not None and int(declared) > self._limits.size:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.time_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError("the client left before its request was complete")
                    parts.append(message["body"])
                    size += len(message["body"])
                    if size > self._limits.size:
                        raise self._too_large()
                    more = message["more_body"]
        except TimeoutError as error:
            raise SlowBodyError(
                f"the body did not arrive within {self._limits.time_s:g} seconds; send it faster"
            ) from error
        return b"".join(parts)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is larger than {self._limits.size} bytes; send fewer rows in each request")

    def _refuse(self, error: RequestError) -> Answer:
        extra: tuple[tuple[bytes, bytes], ...] = ()
        if isinstance(error, UnsupportedMethodError):
            extra = ((headers.ALLOW, error.allow.encode()),)
        elif isinstance(error, RetryLaterError):
            extra = ((headers.RETRY_AFTER, b"%d" % error.retry_after_s),)
        elif isinstance(error, SlowBodyError):
            extra = ((headers.CONNECTION, b"close"),)
        elif isinstance(error, FaultError):
            self._events.error("fault", detail=error.detail)
        return Answer(status=STATUS[type(error)], body=orjson.dumps({"error": str(error)}), headers=extra)

    def _record(self, target: _Target, answer: Answer, scope: Scope, *, at: datetime, duration_s: float) -> Answer:
        """Write the request's line; an answer that cannot be accounted for is not given."""
        identity = None if target.served is None else target.served.model.identity
        try:
            self._access_log.write(
                AccessEntry(
                    at=at,
                    model=None if identity is None else identity.model,
                    version=None if identity is None else identity.version,
                    status=answer.status,
                    decision=parse_decision(_first(scope["headers"], headers.DECISION)),
                    duration_s=duration_s,
                )
            )
        except OSError as error:
            return self._refuse(FaultError(f"access log: {error.strerror}"))
        return answer


def _json(status: int, body: object) -> Answer:
    return Answer(status=status, body=orjson.dumps(body))


def _first(fields: Fields, name: bytes) -> bytes | None:
    return next((value for field, value in fields if field == name), None)


def _known_route(target: _Target) -> Route:
    if target.error is not None:
        raise target.error
    if target.route is None:
        raise UnknownResourceError("no such path")
    return target.route


def _check_method(endpoint: Endpoint, method: str) -> None:
    allowed = METHODS[endpoint]
    if method not in allowed:
        raise UnsupportedMethodError(
            f"this path does not take the method sent; send {allowed[0]}", allow=", ".join(allowed)
        )


def _check_media(fields: Fields) -> None:
    media = _first(fields, headers.CONTENT_TYPE)
    if media is not None and media.split(b";", 1)[0].strip().lower() != _JSON[1]:
        raise UnsupportedMediaError("the body's media type is not application/json; send JSON tensors")
    coding = _first(fields, headers.CONTENT_ENCODING)
    if coding is not None and coding.strip().lower() not in (b"", b"identity"):
        raise UnsupportedMediaError("the body has a content-encoding; send it as it is")
    if _first(fields, headers.BINARY_HEADER_LENGTH) is not None:
        raise UnsupportedMediaError("the binary tensor extension is not served here; send JSON tensors")
