"""The clusters that hold endpoints: one for each region, and one for the sidecar."""

from datetime import timedelta
from typing import Final

from extproc.core.tables import Region
from extproc.mesh.envoy.addresses import assignment_of, discovery_of
from extproc.mesh.envoy.api import cluster, core, packed, seconds, types, upstream_http
from extproc.mesh.envoy.tls import region_socket, sidecar_socket
from extproc.mesh.section import Health, Limits, Mesh, Retries, TcpAddress
from extproc.names import EXT_PROC_SERVICE, SIDECAR_CLUSTER

_WORKER_CHECK_S: Final = 0.5
"""How often a worker of the sidecar is asked, and how long it may take: half of what a decision waits, so that a worker
that hangs is left out before many have waited for it."""

HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def region_cluster(region: Region, mesh: Mesh) -> cluster.Cluster:
    """Give the cluster of one region: its cells, all at one priority, HTTP/1.1 to each."""
    places = mesh.regions[region.id].endpoints
    secured = region_socket(mesh, mesh.regions[region.id])
    http = upstream_http.HttpProtocolOptions(
        common_http_protocol_options=core.HttpProtocolOptions(
            idle_timeout=seconds(mesh.timeouts.cell_idle_s), max_connection_duration=_longest(mesh, secured)
        ),
        explicit_http_config=upstream_http.HttpProtocolOptionsExplicitHttpConfig(
            http_protocol_options=core.Http1ProtocolOptions()
        ),
    )
    return cluster.Cluster(
        name=region.cluster,
        type=discovery_of(places),
        connect_timeout=seconds(mesh.timeouts.connect_s),
        per_connection_buffer_limit_bytes=mesh.limits.buffer_kib * 1024,
        lb_policy=cluster.ClusterLbPolicy.LEAST_REQUEST,
        load_assignment=assignment_of(region.cluster, places),
        common_lb_config=cluster.ClusterCommonLbConfig(
            healthy_panic_threshold=types.Percent(value=0.0),
            # ENVOY: by default a change of health waits up to 1 s for others to be told in one go.
            update_merge_window=seconds(0),
        ),
        health_checks=[_health_check(mesh.health, each_anew=secured is not None)],
        outlier_detection=_outlier_detection(mesh.health),
        circuit_breakers=breakers(mesh.limits, mesh.retries),
        typed_extension_protocol_options={HTTP_OPTIONS: packed(http)},
        transport_socket=secured,
    )


def sidecar_cluster(mesh: Mesh) -> cluster.Cluster:
    """Give the cluster of the sidecar, which takes decisions and access logs over HTTP/2.

    Of several workers, one that is gone or hangs is found by its health check, and left out while another is there.
    """
    places = mesh.sidecars()
    secured = sidecar_socket(mesh)
    longest = _longest(mesh, secured)
    http = upstream_http.HttpProtocolOptions(
        common_http_protocol_options=None
        if longest is None
        else core.HttpProtocolOptions(max_connection_duration=longest),
        explicit_http_config=upstream_http.HttpProtocolOptionsExplicitHttpConfig(
            http2_protocol_options=core.Http2ProtocolOptions(max_concurrent_streams=mesh.limits.in_flight)
        ),
    )
    # ENVOY: HTTP/2 keep-alive pings are left off: gRPC servers answer more than one in five minutes on a connection
    # without data with GOAWAY. The kernel's probes find a remote host that is gone.
    keepalive = cluster.UpstreamConnectionOptions(
        tcp_keepalive=core.TcpKeepalive(keepalive_probes=3, keepalive_time=10, keepalive_interval=5)
    )
    return cluster.Cluster(
        name=SIDECAR_CLUSTER,
        type=discovery_of(places),
        connect_timeout=seconds(mesh.timeouts.connect_s),
        load_assignment=assignment_of(SIDECAR_CLUSTER, places),
        common_lb_config=_any_worker() if mesh.workers > 1 else None,
        health_checks=[_worker_check()] if mesh.workers > 1 else [],
        circuit_breakers=breakers(mesh.limits, None, most_retries=0 if mesh.workers == 1 else mesh.limits.in_flight),
        upstream_connection_options=keepalive if isinstance(mesh.sidecar, TcpAddress) else None,
        typed_extension_protocol_options={HTTP_OPTIONS: packed(http)},
        transport_socket=secured,
    )


def breakers(limits: Limits, retries: Retries | None, *, most_retries: int = 0) -> cluster.CircuitBreakers:
    """Give circuit breakers for all that may be in flight; without `retries`, `most_retries` at a time are allowed."""
    budget = (
        None
        if retries is None
        else cluster.CircuitBreakersThresholdsRetryBudget(
            budget_percent=types.Percent(value=retries.budget_percent),
            min_retry_concurrency=retries.budget_floor,
        )
    )
    return cluster.CircuitBreakers(
        thresholds=[
            cluster.CircuitBreakersThresholds(
                max_connections=limits.in_flight,
                max_pending_requests=limits.in_flight,
                max_requests=limits.in_flight,
                max_retries=None if budget else most_retries,
                retry_budget=budget,
            )
        ]
    )


def _any_worker() -> cluster.ClusterCommonLbConfig:
    return cluster.ClusterCommonLbConfig(
        # ENVOY: only when none is healthy, ask any of them: then the check is late, or wrong, and the worst that can
        # come of it is a refusal.
        healthy_panic_threshold=types.Percent(value=1.0),
        update_merge_window=seconds(0),
    )


def _worker_check() -> core.HealthCheck:
    """Give the check of the sidecar's workers. SPEC: gRPC health checking protocol v1."""
    return core.HealthCheck(
        timeout=seconds(_WORKER_CHECK_S),
        interval=seconds(_WORKER_CHECK_S),
        no_traffic_interval=seconds(_WORKER_CHECK_S),
        unhealthy_threshold=1,
        healthy_threshold=1,
        grpc_health_check=core.HealthCheckGrpcHealthCheck(service_name=EXT_PROC_SERVICE),
    )


def _longest(mesh: Mesh, secured: core.TransportSocket | None) -> timedelta | None:
    """Give how long a connection may live: a bound only where something was proved when it was opened."""
    return None if secured is None else seconds(mesh.timeouts.connection_s)


def _health_check(health: Health, *, each_anew: bool) -> core.HealthCheck:
    return core.HealthCheck(
        timeout=seconds(health.timeout_s),
        interval=seconds(health.interval_s),
        unhealthy_interval=seconds(health.down_interval_s),
        # ENVOY: the default is 60 s for a cluster without traffic, which is what a backup region is, and there only
        # these two count: the first for a cell that is not healthy, the second for one that is.
        no_traffic_interval=seconds(health.down_interval_s),
        no_traffic_healthy_interval=seconds(health.interval_s),
        unhealthy_threshold=health.unhealthy,
        healthy_threshold=health.healthy,
        reuse_connection=False if each_anew else None,
        http_health_check=core.HealthCheckHttpHealthCheck(path=health.path),
    )


def _outlier_detection(health: Health) -> cluster.OutlierDetection:
    return cluster.OutlierDetection(
        interval=seconds(1),
        base_ejection_time=seconds(health.ejection_s),
        max_ejection_time=seconds(health.longest_ejection_s),
        max_ejection_percent=100,
        consecutive_gateway_failure=health.failures,
        enforcing_consecutive_gateway_failure=100,
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=health.failures,
        enforcing_consecutive_local_origin_failure=100,
        # Neither a 500 nor statistics about other hosts eject.
        enforcing_consecutive_5xx=0,
        enforcing_success_rate=0,
        enforcing_local_origin_success_rate=0,
    )
