"""Builders of the messages that Envoy sends, as Envoy 1.40 fills them."""

from collections.abc import Mapping, Sequence
from typing import Any

from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue, Metadata
from envoy.service.ext_proc.v3.external_processor_pb2 import HttpHeaders, ProcessingRequest
from google.protobuf.struct_pb2 import Struct

from extproc.names import (
    ATTRIBUTES_NAMESPACE,
    CREDENTIALS_NAMESPACE,
    JWT_NAMESPACE,
    JWT_PAYLOAD,
    PEER_IDENTITY,
    SOURCE_ADDRESS,
)


def struct(values: Mapping[str, Any]) -> Struct:
    made = Struct()
    made.update(values)
    return made


def processing_request(  # noqa: PLR0913 - the parts of a request
    *,
    path: bytes | None = b"/v2/models/digits/infer",
    headers: Sequence[tuple[str, bytes]] = (),
    address: str | None = "31.0.0.7:0",
    claims: Mapping[str, object] | None = None,
    credentials: bool = False,
    peer: str | None = None,
) -> bytes:
    """Make a request as Envoy sends it in the request-headers phase; None leaves a part out."""
    pseudo = [(":method", b"POST")] + ([(":path", path)] if path is not None else [])
    message = ProcessingRequest(
        request_headers=HttpHeaders(
            headers=HeaderMap(headers=[HeaderValue(key=k, raw_value=v) for k, v in (*pseudo, *headers)])
        )
    )
    attributes = {SOURCE_ADDRESS: address, PEER_IDENTITY: peer}
    if given := {name: value for name, value in attributes.items() if value is not None}:
        message.attributes[ATTRIBUTES_NAMESPACE].CopyFrom(struct(given))
    namespaces = {}
    if claims is not None:
        namespaces[JWT_NAMESPACE] = struct({JWT_PAYLOAD: dict(claims)})
    if credentials:
        namespaces[CREDENTIALS_NAMESPACE] = struct({"presented": "yes"})
    if namespaces:
        message.metadata_context.CopyFrom(Metadata(filter_metadata=namespaces))
    serialised: bytes = message.SerializeToString()
    return serialised
