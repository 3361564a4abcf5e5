"""Faults of clusters."""

from collections.abc import Iterator

from mesh.check.breaking import (
    C0,
    PLAN,
    SIDECAR,
    TYPES,
    Fault,
    aggregate,
    c0,
    drop,
    forget_a_cell,
    no_cluster,
    no_region,
    one_more_cell,
    put,
    tls_in_the_mesh,
    unplain,
    with_workers,
)


def clusters() -> Iterator[Fault]:
    lb = "common_lb_config"
    yield Fault(rule="region-missing", path="clusters", breaks=no_region)
    yield Fault(
        rule="two-regions",
        path=f"{C0}.load_assignment.endpoints[1].lb_endpoints[0].endpoint.address",
        breaks=one_more_cell("c0", 9002),
    )
    yield Fault(
        rule="region-endpoints",
        path=f"{C0}.load_assignment.endpoints[1].lb_endpoints[0].endpoint.address",
        breaks=one_more_cell("c0", 9999),
    )
    yield Fault(rule="cells-missing", path=f"{C0}.load_assignment", breaks=forget_a_cell)
    yield Fault(
        rule="locality-failover",
        path=f"{C0}.load_assignment.endpoints[0].priority",
        breaks=lambda r: r.cluster("c0")["load_assignment"]["endpoints"][0].update(priority=1),
    )
    yield Fault(
        rule="locality-failover",
        path=f"{C0}.{lb}.zone_aware_lb_config",
        breaks=lambda r: r.cluster("c0")[lb].update(zone_aware_lb_config={"min_cluster_size": 1}),
    )
    weighted = f"{TYPES}envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality"
    yield Fault(
        rule="locality-failover",
        path=f"{C0}.load_balancing_policy.policies[0]",
        breaks=put(
            c0,
            load_balancing_policy={
                "policies": [{"typed_extension_config": {"name": "x", "typed_config": {"@type": weighted}}}]
            },
        ),
    )
    yield Fault(
        rule="panic",
        path=f"{C0}.{lb}.healthy_panic_threshold",
        breaks=lambda r: r.cluster("c0")[lb].pop("healthy_panic_threshold"),
    )
    yield Fault(
        rule="panic",
        path=f"{C0}.{lb}.healthy_panic_threshold",
        breaks=lambda r: r.cluster("c0")[lb].update(healthy_panic_threshold={"value": 50}),
    )
    yield Fault(
        rule="subset",
        path=f"{C0}.lb_subset_config",
        breaks=put(c0, lb_subset_config={"fallback_policy": "ANY_ENDPOINT"}),
    )
    host = f"{TYPES}envoy.extensions.load_balancing_policies.override_host.v3.OverrideHost"
    policies = [{"typed_extension_config": {"name": "x", "typed_config": {"@type": host}}}]
    yield Fault(
        rule="balancer",
        path=f"{C0}.load_balancing_policy.policies[0]",
        breaks=put(c0, load_balancing_policy={"policies": policies}),
    )
    yield Fault(rule="open-cluster", path=f"{C0}.type", breaks=put(c0, type="ORIGINAL_DST"))
    forward = f"{TYPES}envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig"
    yield Fault(
        rule="open-cluster",
        path=f"{C0}.cluster_type",
        breaks=put(c0, cluster_type={"name": "x", "typed_config": {"@type": forward}}),
    )
    yield Fault(rule="plan-missing", path="clusters", breaks=no_cluster("c1>c2"))
    members = f"{PLAN}.cluster_type.typed_config.clusters"
    yield Fault(rule="plan-members", path=f"{members}[1]", breaks=aggregate("c0", "c2"))
    yield Fault(rule="plan-members", path=f"{members}[1]", breaks=aggregate("c0", "c1>c2"))
    yield Fault(rule="plan-members", path=f"{PLAN}.type", breaks=lambda r: r.cluster("c0>c1").pop("cluster_type"))
    yield Fault(rule="plan-order", path=members, breaks=aggregate("c1", "c0"))
    yield Fault(rule="sidecar-missing", path="clusters", breaks=no_cluster("situs_sidecar"))
    yield Fault(
        rule="sidecar-missing",
        path=f"{SIDECAR}.load_assignment",
        breaks=lambda r: r.cluster("situs_sidecar")["load_assignment"]["endpoints"][0]["lb_endpoints"].pop(),
        mesh=with_workers,
    )
    yield Fault(
        rule="sidecar-endpoints",
        path=f"{SIDECAR}.load_assignment.endpoints[1].lb_endpoints[0].endpoint.address",
        breaks=one_more_cell("situs_sidecar", 9999),
    )
    yield Fault(rule="peer-identity", path=f"{C0}.transport_socket", breaks=tls_in_the_mesh)
    yield Fault(rule="tunnel", path=f"{C0}.transport_socket", breaks=unplain)
    yield Fault(rule="default-breaker", path=f"{C0}.circuit_breakers.thresholds", breaks=drop(c0, "circuit_breakers"))
    yield Fault(rule="default-timeout", path=f"{C0}.connect_timeout", breaks=drop(c0, "connect_timeout"))
