"""EnvoyFilters and Envoy Gateway's policies: what their patches put in, and what they take away."""

from typing import Any

import pytest
from mesh.check.istio_readable import EXPECTED, broken, found_in, patch, rendered
from mesh.check.readable import judged, problems_of

EXT_PROC = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"
AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
R0 = "outbound|8080||r0.cells.situs.internal"
R1 = "outbound|8080||r1.cells.situs.internal"
OF_R0 = {"cluster": {"name": R0}}
BY_SERVICE = {"cluster": {"service": "r0.cells.situs.internal"}}


def sub_filter(name: str) -> dict[str, Any]:
    return {"listener": {"filterChain": {"filter": {"name": "hcm", "subFilter": {"name": name}}}}}


def merged(**more: object) -> dict[str, Any]:
    return {"name": "x", "typed_config": {"@type": EXT_PROC, **more}}


def cluster_at(port: int, name: str = "side") -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def plan(*members: str) -> dict[str, Any]:
    kind = {"name": "envoy.clusters.aggregate", "typed_config": {"@type": AGGREGATE, "clusters": list(members)}}
    return {"name": "c0>c1", "connect_timeout": "1s", "cluster_type": kind, "lb_policy": "CLUSTER_PROVIDED"}


@pytest.mark.parametrize(
    ("given", "rule", "path"),
    [
        (patch("HTTP_FILTER", "MERGE", merged(failure_mode_allow=True)), "failure-mode-allow", "failure_mode_allow"),
        (patch("HTTP_FILTER", "MERGE", merged(failureModeAllow=True)), "failure-mode-allow", "failure_mode_allow"),
        (patch("HTTP_FILTER", "MERGE", merged(observability_mode=True)), "observability-mode", "observability_mode"),
        (
            patch("HTTP_FILTER", "MERGE", merged(disable_immediate_response=True)),
            "refusals-dropped",
            "disable_immediate_response",
        ),
        (
            patch("HTTP_FILTER", "MERGE", merged(request_attributes=["xds.node"])),
            "attribute-unneeded",
            "request_attributes[0]",
        ),
        (
            patch("HTTP_ROUTE", "MERGE", {"route": {"request_mirror_policies": [{"cluster": "x"}]}}),
            "mirror",
            "request_mirror_policies[0]",
        ),
        (patch("HTTP_ROUTE", "MERGE", {"route": {"cluster": R1}}), "route-to-region", "route.cluster"),
        (patch("HTTP_ROUTE", "INSERT_FIRST", {"route": {"cluster": "c0>c1"}}), "route-to-region", "route.cluster"),
        (
            patch("VIRTUAL_HOST", "ADD", {"routes": [{"route": {"weighted_clusters": {"clusters": [{"name": R1}]}}}]}),
            "route-to-region",
            "clusters[0].name",
        ),
        (
            patch("HTTP_ROUTE", "INSERT_FIRST", {"route": {"cluster_header": "x-region"}}),
            "cluster-header",
            "route.cluster_header",
        ),
        (
            patch("HTTP_ROUTE", "MERGE", {"typed_per_filter_config": {"x": {"@type": PER_ROUTE, "disabled": True}}}),
            "decision-disabled",
            "disabled",
        ),
        (
            patch("CLUSTER", "MERGE", {"common_lb_config": {"healthy_panic_threshold": {"value": 50}}}, OF_R0),
            "panic",
            "healthy_panic_threshold.value",
        ),
        (
            patch("CLUSTER", "MERGE", {"common_lb_config": {"zone_aware_lb_config": {}}}, BY_SERVICE),
            "locality-failover",
            "zone_aware_lb_config",
        ),
        (patch("CLUSTER", "MERGE", {"type": "ORIGINAL_DST"}, OF_R0), "open-cluster", "value.type"),
        (
            patch("CLUSTER", "MERGE", {"lb_subset_config": {"fallback_policy": "ANY_ENDPOINT"}}, OF_R0),
            "subset",
            "lb_subset_config",
        ),
        (patch("CLUSTER", "MERGE", cluster_at(9002, ""), OF_R0), "region-endpoints", "load_assignment"),
        (patch("CLUSTER", "ADD", cluster_at(9002)), "region-endpoints", "load_assignment"),
        (patch("CLUSTER", "ADD", plan(R0, "outbound|80||shop")), "plan-members", "clusters[1]"),
        (patch("CLUSTER", "REMOVE", None, OF_R0), "istio-filter-removed", "patch.operation"),
        (patch("CLUSTER", "REMOVE"), "istio-filter-removed", "patch.operation"),
        (
            patch("HTTP_FILTER", "REMOVE", None, sub_filter("envoy.filters.http.ext_proc")),
            "istio-filter-removed",
            "patch.operation",
        ),
        (
            patch("HTTP_FILTER", "REPLACE", {"name": "x"}, sub_filter("envoy.filters.http.ext_proc")),
            "istio-filter-removed",
            "patch.operation",
        ),
        (patch("HTTP_FILTER", "REMOVE"), "istio-filter-removed", "patch.operation"),
        (patch("HTTP_ROUTE", "REMOVE"), "istio-filter-removed", "patch.operation"),
        (
            patch("HTTP_ROUTE", "REMOVE", None, {"routeConfiguration": {"vhost": {"route": {"name": "undecided"}}}}),
            "istio-filter-removed",
            "patch.operation",
        ),
        (patch("NETWORK_FILTER", "REMOVE"), "istio-filter-removed", "patch.operation"),
    ],
)
def test_each_fault_of_a_patch(given: dict[str, Any], rule: str, path: str) -> None:
    findings = [finding for finding in found_in(given) if finding.rule.id == rule]
    assert findings
    assert findings[0].path.startswith("EnvoyFilter istio-ingress/given: spec.configPatches[0].patch.")
    assert findings[0].path.endswith(path)


@pytest.mark.parametrize(
    "given",
    [
        patch(
            "CLUSTER",
            "MERGE",
            {"common_lb_config": {"healthy_panic_threshold": {"value": 50}}},
            {"cluster": {"name": "x"}},
        ),
        patch("CLUSTER", "REMOVE", None, {"cluster": {"name": "outbound|80||shop.example"}}),
        patch("HTTP_FILTER", "REMOVE", None, sub_filter("envoy.filters.http.cors")),
        patch("HTTP_ROUTE", "REMOVE", None, {"routeConfiguration": {"vhost": {"name": "shop.example:80"}}}),
        patch("HTTP_ROUTE", "MERGE", {"route": {"cluster": "outbound|80||shop.example"}}),
        patch("HTTP_FILTER", "MERGE", merged(message_timeout="2s")),
        patch("CLUSTER", "ADD", cluster_at(7777)),
    ],
)
def test_a_patch_of_something_else_is_silent(given: dict[str, Any]) -> None:
    assert found_in(given) == ()


def test_a_fault_in_our_own_filter_has_its_place() -> None:
    def change(spec: dict[str, Any]) -> None:
        for each in spec["configPatches"]:
            if each["applyTo"] == "HTTP_FILTER" and "ext_proc" in each["patch"]["value"]["name"]:
                each["patch"]["value"]["typed_config"]["failure_mode_allow"] = True

    (finding,) = broken("EnvoyFilter", "situs-gateway", change)
    assert finding.rule.id == "failure-mode-allow"
    assert finding.path.startswith("EnvoyFilter istio-ingress/situs-gateway: spec.configPatches[")
    assert finding.path.endswith(".patch.value.typed_config.failure_mode_allow")


def gateway_policy(kind: str, spec: object) -> dict[str, Any]:
    metadata = {"name": "given", "namespace": "situs-system"}
    return {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        (gateway_policy("EnvoyExtensionPolicy", {"extProc": [{"failOpen": True}]}), {"gateway-fails-open"}),
        (gateway_policy("EnvoyExtensionPolicy", {"extProc": [{"failOpen": False}]}), set()),
        (
            gateway_policy("EnvoyPatchPolicy", {"jsonPatches": [{"operation": {"op": "remove", "path": "/ext_proc"}}]}),
            {"istio-filter-removed"},
        ),
        (
            gateway_policy(
                "EnvoyPatchPolicy",
                {"jsonPatches": [{"operation": {"op": "add", "value": merged(failure_mode_allow=True)}}]},
            ),
            {"failure-mode-allow"},
        ),
    ],
)
def test_each_fault_of_envoy_gateways_policies(given: dict[str, Any], rules: set[str]) -> None:
    assert {finding.rule.id for finding in judged(given, expected=EXPECTED).findings} == rules


def test_without_a_section_in_the_mesh_file_istio_cannot_be_judged() -> None:
    (problem,) = problems_of(lambda: judged(rendered()[0]))
    assert "the mesh file has no section istio" in problem.message


def _manager_of(filters: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what is merged into the connection manager of the gateway."""
    gateway = next(each for each in filters if each["metadata"]["name"] == "situs-gateway")
    values = (
        each["patch"]["value"] for each in gateway["spec"]["configPatches"] if each["applyTo"] == "NETWORK_FILTER"
    )
    config: dict[str, Any] = next(value["typed_config"] for value in values if "use_remote_address" in str(value))
    return config


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("use_remote_address", False, "remote-address"),
        ("early_header_mutation_extensions", [], "early-strip"),
        ("merge_slashes", False, "path-spelling"),
    ],
)
def test_the_edge_of_an_attachment_is_judged(name: str, value: object, rule: str) -> None:
    resources = rendered()
    config = _manager_of([each for each in resources if each.get("kind") == "EnvoyFilter"])
    config[name] = value
    assert rule in {finding.rule.id for finding in found_in(*resources)}


def test_an_attachment_without_an_edge_is_named() -> None:
    resources = rendered()
    for each in resources:
        if each.get("kind") == "EnvoyFilter":
            patches = each["spec"]["configPatches"]
            each["spec"]["configPatches"] = [one for one in patches if one["applyTo"] != "NETWORK_FILTER"]
    assert "early-strip" in {finding.rule.id for finding in found_in(*resources)}
