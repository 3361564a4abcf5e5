"""The access logs by which the sidecar learns what really happened: one entry a request, one an attempt."""

from typing import Final

from extproc.mesh.envoy.api import access_log, core, grpc_log, packed, seconds
from extproc.mesh.envoy.sidecar import sidecar_service
from extproc.names import ATTEMPT_LOG, DECISION_HEADER, LOAD_HEADER

FLUSH_S: Final = 0.05
"""Short, because an attempt's entry is the promptest sign of a region's health; long enough to send batches."""


def sidecar_log(name: str) -> access_log.AccessLog:
    """Give a log that goes to the sidecar under `name`, with the decision id and no other header of a request.

    Attempts also bear what the cell said of its load.
    """
    config = grpc_log.HttpGrpcAccessLogConfig(
        common_config=grpc_log.CommonGrpcAccessLogConfig(
            log_name=name,
            grpc_service=sidecar_service(),
            transport_api_version=core.ApiVersion.V3,
            buffer_flush_interval=seconds(FLUSH_S),
        ),
        additional_request_headers_to_log=[DECISION_HEADER],
        additional_response_headers_to_log=[LOAD_HEADER] if name == ATTEMPT_LOG else [],
    )
    return access_log.AccessLog(name="envoy.access_loggers.http_grpc", typed_config=packed(config))
