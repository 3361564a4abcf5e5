"""What Envoy sends to the sidecar for the ladder's requests, as bytes, for the benchmarks without an Envoy."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue, Metadata
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogCommon, HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from envoy.service.ext_proc.v3.external_processor_pb2 import HttpHeaders, ProcessingRequest
from google.protobuf.struct_pb2 import Struct

from bench.traffic import PATH, addresses
from extproc.core.decide import Decision
from extproc.core.steering import Steer
from extproc.names import (
    ATTRIBUTES_NAMESPACE,
    DECISION_HEADER,
    JWT_NAMESPACE,
    JWT_PAYLOAD,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    SOURCE_ADDRESS,
)

CLAIMS: Final[Mapping[str, object]] = {
    "iss": "https://issuer.demo.invalid",
    "aud": "situs-demo",
    "sub": "someone",
    "iat": 1_800_000_000,
    "exp": 1_800_003_600,
    "tenant": "acme",
}
"""What jwt_authn makes of a token of the tenant acme-bank."""


def processing_requests(*, claims: Mapping[str, object] | None = None) -> list[bytes]:
    """Give one `ProcessingRequest` for each address: only the path is forwarded, and the address as an attribute."""
    return [_processing_request(f"{address}:0", claims) for address in addresses()]


def _processing_request(address: str, claims: Mapping[str, object] | None) -> bytes:
    message = ProcessingRequest(
        request_headers=HttpHeaders(headers=HeaderMap(headers=[HeaderValue(key=":path", raw_value=PATH.encode())]))
    )
    message.attributes[ATTRIBUTES_NAMESPACE].CopyFrom(_struct({SOURCE_ADDRESS: address}))
    if claims is not None:
        payload = _struct({JWT_PAYLOAD: dict(claims)})
        message.metadata_context.CopyFrom(Metadata(filter_metadata={JWT_NAMESPACE: payload}))
    serialised: bytes = message.SerializeToString()
    return serialised


def access_log_message(log: str, decisions: Sequence[Decision]) -> bytes:
    """Give one message of Envoy's access log: each decision was followed at the first attempt."""
    message = StreamAccessLogsMessage()
    message.identifier.log_name = log
    message.http_logs.log_entry.extend(_entry(decision) for decision in decisions)
    serialised: bytes = message.SerializeToString()
    return serialised


def _entry(decision: Decision) -> Any:  # noqa: ANN401 - an unstubbed protobuf message
    steering = decision.steering
    common = AccessLogCommon(
        upstream_cluster=steering.plan[0] if isinstance(steering, Steer) else "", upstream_request_attempt_count=1
    )
    common.start_time.FromNanoseconds(int(decision.decided_at_s * 1e9))
    common.duration.FromMicroseconds(1800)
    for address in (common.downstream_remote_address, common.upstream_remote_address, common.upstream_local_address):
        address.socket_address.address = "127.0.0.1"
        address.socket_address.port_value = 40_000
    for moment in (
        common.time_to_last_rx_byte,
        common.time_to_first_upstream_rx_byte,
        common.time_to_last_upstream_rx_byte,
    ):
        moment.FromMicroseconds(1500)
    noted = _struct({METADATA_DECISION: decision.id})
    common.metadata.filter_metadata[METADATA_NAMESPACE].CopyFrom(noted)
    entry = HTTPAccessLogEntry(common_properties=common)
    entry.request.path = PATH
    entry.request.authority = "inference.example"
    entry.request.user_agent = "bench/1"
    entry.request.request_headers[DECISION_HEADER] = decision.id
    entry.response.response_code.value = 200
    return entry


def _struct(values: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(values)
    return made
