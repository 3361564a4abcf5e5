"""From a decision to the bytes of a `ProcessingResponse`.

Answers repeat: there are as many as plans and refusals, and only the decision id differs. So each answer is
serialised once with a placeholder of the id's own length, and the id is put in by replacing bytes.

SPEC: envoy.service.ext_proc.v3.ProcessingResponse; RFC 9457 for the body of a refusal.
"""

import json
from typing import Final

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.ext_proc.v3.external_processor_pb2 import (
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
from extproc.names import DECISION_HEADER, METADATA_DECISION, METADATA_NAMESPACE, REFUSAL_CONTENT_TYPE, ROUTE_HEADER
from extproc.wire.refusals import REFUSALS

_PLACEHOLDER: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_PLACEHOLDER_BYTES: Final = _PLACEHOLDER.encode()
_MOST_TEMPLATES: Final = 4096
"""Plans of length two over sixty regions fit; a cache beyond that is started anew."""


class Responder:
    """Turns steering into answers, with one serialised template for each distinct one."""

    def __init__(self) -> None:
        self._templates: dict[Steering, bytes] = {}

    def respond(self, steering: Steering, decision_id: DecisionId) -> bytes:
        """Give the serialised `ProcessingResponse` of one decision."""
        template = self._templates.get(steering)
        if template is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            template = _template(steering)
            self._templates[steering] = template
        return template.replace(_PLACEHOLDER_BYTES, decision_id.encode())


def _template(steering: Steering) -> bytes:
    response = _steer(steering) if isinstance(steering, Steer) else _deny(steering)
    metadata = Struct()
    metadata.update({METADATA_NAMESPACE: {METADATA_DECISION: _PLACEHOLDER}})
    response.dynamic_metadata.CopyFrom(metadata)
    serialised: bytes = response.SerializeToString(deterministic=True)
    return serialised


def _steer(steer: Steer) -> ProcessingResponse:
    return ProcessingResponse(
        request_headers=HeadersResponse(
            response=CommonResponse(
                header_mutation=HeaderMutation(
                    set_headers=[_header(ROUTE_HEADER, steer.route), _header(DECISION_HEADER, _PLACEHOLDER)]
                ),
                # ENVOY: a `cluster_header` route is resolved when the route is cached, before this header was there.
                clear_route_cache=True,
            )
        )
    )


def _deny(deny: Deny) -> ProcessingResponse:
    answer = REFUSALS[deny.refusal]
    problem = {
        "type": f"urn:situs:refusal:{deny.refusal.value}",
        "title": answer.title,
        "status": answer.status.value,
        "detail": answer.detail,
        "reason": deny.refusal.value,
        "decision": _PLACEHOLDER,
    }
    headers = [
        _header("content-type", REFUSAL_CONTENT_TYPE),
        _header("cache-control", "no-store"),  # RFC 7725: a 451 is cacheable by default; a decision is not
        _header(DECISION_HEADER, _PLACEHOLDER),
    ]
    if deny.retry_after_s is not None:
        headers.append(_header("retry-after", str(deny.retry_after_s)))
    return ProcessingResponse(
        immediate_response=ImmediateResponse(
            status=HttpStatus(code=answer.status.value),
            headers=HeaderMutation(set_headers=headers),
            body=json.dumps(problem).encode(),
            details=f"situs_{deny.refusal.value}",
        )
    )


def _header(name: str, value: str) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, raw_value=value.encode()),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
