"""From a decision to the bytes of a `ProcessingResponse`.

Answers repeat: there are as many as plans and refusals, and only the decision id differs. So each answer is
serialised once with a placeholder of the id's own length, and the id is put in by replacing bytes.

SPEC: envoy.service.ext_proc.v3.ProcessingResponse; RFC 9457 for the body of a refusal.
"""

import json
from enum import Enum
from http import HTTPStatus
from typing import Final

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    BodyResponse,
    CommonResponse,
    HeaderMutation,
    HeadersResponse,
    ImmediateResponse,
    ProcessingResponse,
)
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.struct_pb2 import Struct

from extproc.core.ids import DecisionId
from extproc.core.steering import Deny, Steer, Steering
from extproc.names import (
    DECISION_HEADER,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    ONCE_HEADER,
    REFUSAL_CONTENT_TYPE,
    ROUTE_HEADER,
)
from extproc.wire.refusals import REFUSALS

_PLACEHOLDER: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_PLACEHOLDER_BYTES: Final = _PLACEHOLDER.encode()
_MOST_TEMPLATES: Final = 4096
"""Plans of length two over sixty regions fit; a cache beyond that is started anew."""


class Phase(Enum):
    """Which message of Envoy's an answer is to; one to another is "spurious" to Envoy, which refuses the request."""

    HEADERS = "request_headers"
    BODY = "request_body"
    PART = "request_body_part"
    """A body of which that was not all, or which is followed by trailers: tried once, or Envoy may send it twice."""


class Responder:
    """Turns steering into answers, with one serialised template for each distinct one and phase."""

    def __init__(self) -> None:
        self._templates: dict[tuple[Phase, Steering], bytes] = {}

    def respond(
        self, steering: Steering, decision_id: DecisionId, phase: Phase = Phase.HEADERS, path: bytes = b""
    ) -> bytes:
        """Give the serialised `ProcessingResponse` of one decision, as the answer to the message of `phase`.

        `path` is the request's own, with its query; a redirect sends the client to the same one elsewhere.
        """
        if isinstance(steering, Deny) and steering.redirect_host is not None:
            # Each has a path of its own, so there is nothing to keep.
            return _template(phase, steering, path).replace(_PLACEHOLDER_BYTES, decision_id.encode())
        key = (phase, steering)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            template = _template(phase, steering)
            self._templates[key] = template
        return template.replace(_PLACEHOLDER_BYTES, decision_id.encode())


def _template(phase: Phase, steering: Steering, path: bytes = b"") -> bytes:
    response = _steer(phase, steering) if isinstance(steering, Steer) else _deny(steering, path)
    metadata = Struct()
    metadata.update({METADATA_NAMESPACE: {METADATA_DECISION: _PLACEHOLDER}})
    response.dynamic_metadata.CopyFrom(metadata)
    serialised: bytes = response.SerializeToString(deterministic=True)
    return serialised


def _steer(phase: Phase, steer: Steer) -> ProcessingResponse:
    headers = [_header(ROUTE_HEADER, steer.route), _header(DECISION_HEADER, _PLACEHOLDER)]
    if phase is Phase.PART:
        headers.append(_header(ONCE_HEADER, "1"))
    common = CommonResponse(
        header_mutation=HeaderMutation(set_headers=headers),
        # ENVOY: a `cluster_header` route is resolved when the route is cached, before this header was there.
        clear_route_cache=True,
    )
    if phase is not Phase.HEADERS:
        return ProcessingResponse(request_body=BodyResponse(response=common))
    return ProcessingResponse(request_headers=HeadersResponse(response=common))


def _deny(deny: Deny, path: bytes) -> ProcessingResponse:
    answer = REFUSALS[deny.refusal]
    # RFC 9110: 307 keeps method and body, of which no byte was taken yet.
    status = answer.status if deny.redirect_host is None else HTTPStatus.TEMPORARY_REDIRECT
    problem = {
        "type": f"urn:situs:refusal:{deny.refusal.value}",
        "title": answer.title,
        "status": status.value,
        "detail": answer.detail,
        "reason": deny.refusal.value,
        "decision": _PLACEHOLDER,
    }
    headers = [
        _header("content-type", REFUSAL_CONTENT_TYPE),
        _header("cache-control", "no-store"),  # RFC 7725: a 451 is cacheable by default; a decision is not
        _header(DECISION_HEADER, _PLACEHOLDER),
    ]
    if deny.redirect_host is not None:
        headers.append(_header("location", f"https://{deny.redirect_host}".encode() + path))
    if deny.retry_after_s is not None:
        headers.append(_header("retry-after", str(deny.retry_after_s)))
    return ProcessingResponse(
        immediate_response=ImmediateResponse(
            status=HttpStatus(code=status.value),
            headers=HeaderMutation(set_headers=headers),
            body=json.dumps(problem).encode(),
            details=f"situs_{deny.refusal.value}",
        )
    )


def _header(name: str, value: str | bytes) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, raw_value=value.encode() if isinstance(value, str) else value),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
