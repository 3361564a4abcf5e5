"""The sidecar as a gRPC service, for decisions and access logs alike."""

from typing import Final

from extproc.mesh.envoy.api import core, packed, previous_hosts, seconds
from extproc.names import SIDECAR_CLUSTER

_RETRIES: Final = 2
_PICKS: Final = 16
"""As for regions of several cells."""


def sidecar_service() -> core.GrpcService:
    """Give the service by Envoy's own gRPC client, which is faster than the one that wraps grpc's library."""
    return core.GrpcService(envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=SIDECAR_CLUSTER))


def decision_service(workers: int) -> core.GrpcService:
    """Give the service that decides. Of several workers, another is asked when one dies before it answered."""
    service = sidecar_service()
    if workers > 1:
        service.retry_policy = core.RetryPolicy(
            retry_on="connect-failure,refused-stream,reset",
            num_retries=_RETRIES,
            retry_host_predicate=[
                core.RetryPolicyRetryHostPredicate(
                    name="envoy.retry_host_predicates.previous_hosts",
                    typed_config=packed(previous_hosts.PreviousHostsPredicate()),
                )
            ],
            host_selection_retry_max_attempts=_PICKS,
            retry_back_off=core.BackoffStrategy(base_interval=seconds(0.005), max_interval=seconds(0.01)),
        )
    return service
