"""What a configuration holds beside one file: discovered routes and endpoints, Istio's names, and peers over TLS."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from mesh.check.breaking import TYPES, endpoint, first_route, tls_socket
from mesh.check.rendered import Rendered, config_of
from mesh.example import mesh_of

from extproc.core.ids import RegionId
from extproc.mesh.check.finding import Finding
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules import (
    check_cluster,
    check_decision,
    check_edge,
    check_envoy,
    check_route,
    scope_alone,
)
from extproc.mesh.check.view import managers_of
from extproc.mesh.istio.section import IstioMesh
from extproc.mesh.section import PeerTls, TcpAddress

ISTIO = IstioMesh()


def named(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.rule.id, one.path) for one in findings]


def _in_istio() -> Rendered:
    """Rename regions' clusters as Istio does, and make an aggregate of each plan."""
    rendered = Rendered()
    rendered.mesh = replace(rendered.mesh, istio=ISTIO)
    for index in range(3):
        own = rendered.cluster(f"c{index}")
        plan = copy.deepcopy(rendered.cluster("c0>c1"))
        plan["name"] = own["name"]
        own["name"] = ISTIO.cluster_of(RegionId(f"r{index}"))
        plan["cluster_type"]["typed_config"]["clusters"] = [own["name"]]
        rendered.clusters.append(plan)
    for cluster in rendered.clusters:
        if ">" in cluster["name"]:
            members = [ISTIO.cluster_of(RegionId(f"r{name[1]}")) for name in cluster["name"].split(">")]
            cluster["cluster_type"]["typed_config"]["clusters"] = members
    return rendered


def _discovered(rendered: Rendered, **assignments: Mapping[str, Any]) -> list[Finding]:
    """Take the endpoints of the first region out of its cluster, and give others."""
    own = next(one for one in rendered.clusters if one["name"].startswith("outbound|") and "r0" in one["name"])
    own.pop("load_assignment")
    own.update(type="EDS", eds_cluster_config={"service_name": "r0"})
    endpoints = {name: Node(value, f"endpoints.{name}") for name, value in assignments.items()}
    return list(check_envoy(config_of(rendered.fields, endpoints=endpoints), rendered.expected))


def _localities(*ports: int, priority: int = 0) -> Mapping[str, Any]:
    return {
        "endpoints": [
            {"locality": {"zone": str(port)}, "priority": priority, "lb_endpoints": [endpoint(port)]} for port in ports
        ]
    }


def test_in_istio_plans_are_aggregates_of_its_own_clusters() -> None:
    rendered = _in_istio()
    assert list(check_envoy(config_of(rendered.fields), rendered.expected)) == []
    plan = rendered.cluster("c0")
    plan["cluster_type"]["typed_config"]["clusters"] = [ISTIO.cluster_of(RegionId("r2"))]
    found = list(check_envoy(config_of(rendered.fields), rendered.expected))
    assert [one.rule.id for one in found] == ["plan-members"]
    assert "region r2" in found[0].message


def test_a_route_straight_to_a_region_is_found_by_istios_name() -> None:
    rendered = _in_istio()
    first_route(cluster=ISTIO.cluster_of(RegionId("r1")))(rendered)
    found = list(check_envoy(config_of(rendered.fields), rendered.expected))
    assert [one.rule.id for one in found] == ["route-to-region"]


def test_several_localities_of_one_region_are_all_right() -> None:
    rendered = _in_istio()
    first = rendered.mesh.regions[RegionId("r0")]
    more = replace(first, endpoints=(*first.endpoints, TcpAddress(address="127.0.0.1", port=9011)))
    rendered.mesh = replace(rendered.mesh, regions={**rendered.mesh.regions, RegionId("r0"): more})
    assert _discovered(rendered, r0=_localities(9001, 9011)) == []


def test_discovered_endpoints_are_compared_too() -> None:
    assert named(_discovered(_in_istio(), r0=_localities(9001, 9003))) == [
        ("two-regions", "endpoints.r0.endpoints[1].lb_endpoints[0].endpoint.address")
    ]
    assert named(_discovered(_in_istio(), r0=_localities(9001, priority=1))) == [
        ("locality-failover", "endpoints.r0.endpoints[0].priority")
    ]
    assert named(_discovered(_in_istio(), r0={"endpoints": [{"leds_cluster_locality_config": {}}]})) == [
        ("region-endpoints", "endpoints.r0.endpoints[0].leds_cluster_locality_config"),
        ("cells-missing", "endpoints.r0"),
    ]
    assert [one.rule.id for one in _discovered(_in_istio())] == ["unread"]


def test_istios_way_to_anywhere_is_its_own_unless_our_requests_can_take_it() -> None:
    rendered = _in_istio()
    rendered.clusters.append({"name": "PassthroughCluster", "type": "ORIGINAL_DST"})
    passes = {"match": {"prefix": "/"}, "route": {"cluster": "PassthroughCluster"}}
    hosts = rendered.manager["route_config"]["virtual_hosts"]
    hosts.append({"name": "allow_any", "domains": ["*"], "routes": [passes]})
    assert list(check_envoy(config_of(rendered.fields), rendered.expected)) == []
    rendered.host["routes"].append(passes)
    found = list(check_envoy(config_of(rendered.fields), rendered.expected))
    assert [one.rule.id for one in found] == ["open-destination"]


def test_routes_that_come_apart_are_looked_at() -> None:
    rendered = Rendered()
    first_route(cluster="c1")(rendered)
    routes = rendered.manager.pop("route_config")
    rendered.manager["rds"] = {"routeConfigName": "situs"}
    config = config_of(rendered.fields, routes={"situs": Node(routes, "routes.situs")})
    assert named(list(check_envoy(config, rendered.expected))) == [
        ("route-to-region", "routes.situs.virtual_hosts[0].routes[0].route.cluster")
    ]


def test_a_manager_whose_routes_lead_to_no_region_is_none_of_ours() -> None:
    rendered = Rendered()
    rendered.clusters.append({"name": "web"})
    other = {
        "@type": rendered.manager["@type"],
        "route_config": {"virtual_hosts": [{"routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]}]},
        "http_filters": [],
    }
    chain = {"filters": [{"name": "x", "typed_config": other}]}
    rendered.fields["static_resources"]["listeners"].append({"name": "web", "default_filter_chain": chain})
    config = config_of(rendered.fields)
    assert len(list(managers_of(config))) == 2
    assert list(check_envoy(config, rendered.expected)) == []


def test_a_listener_without_a_port_counts_too() -> None:
    """An API listener, or an internal one, is fed by programs and other listeners."""
    rendered = Rendered()
    manager = copy.deepcopy(rendered.manager)
    manager["http_filters"].pop(0)
    listener = {"name": "inside", "api_listener": {"api_listener": manager}}
    rendered.fields["static_resources"]["listeners"].append(listener)
    assert named(list(check_envoy(config_of(rendered.fields), rendered.expected))) == [
        ("decision-missing", "static_resources.listeners[1].api_listener.api_listener.http_filters")
    ]


def test_another_virtual_host_may_go_undecided_where_it_leads_to_no_region() -> None:
    rendered = Rendered()
    rendered.clusters.append({"name": "web"})
    route = {"match": {"prefix": "/"}, "route": {"cluster": "web"}}
    off = {
        "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
        "disabled": True,
    }
    host = {
        "name": "web",
        "domains": ["web.example"],
        "routes": [route],
        "typed_per_filter_config": {"envoy.filters.http.ext_proc": off},
    }
    rendered.manager["route_config"]["virtual_hosts"].append(host)
    assert list(check_envoy(config_of(rendered.fields), rendered.expected)) == []
    route["route"] = {"cluster": "c0"}
    found = {one.rule.id for one in check_envoy(config_of(rendered.fields), rendered.expected)}
    assert found == {"route-to-region", "decision-disabled"}


def test_a_sidecar_is_known_by_its_address_under_any_name() -> None:
    """Envoy Gateway and Istio name clusters as they like."""
    rendered = Rendered()
    rendered.cluster("situs_sidecar")["name"] = "somebody"
    service = {"envoy_grpc": {"cluster_name": "somebody"}}
    rendered.decision["grpc_service"] = service
    for log in (rendered.manager["access_log"][0], rendered.filter("router")["typed_config"]["upstream_log"][0]):
        log["typed_config"]["common_config"]["grpc_service"] = service
    assert list(check_envoy(config_of(rendered.fields), rendered.expected)) == []


def _secured(change: Mapping[str, Any]) -> list[str]:
    rendered = Rendered()
    identity = "spiffe://acme.example/cells/{}".format
    rendered.mesh = replace(
        rendered.mesh,
        tls=PeerTls(certificate="/c", key="/k", authorities="/a", identity="spiffe://acme.example/envoy"),
        regions={r: replace(held, identity=identity(r)) for r, held in rendered.mesh.regions.items()},
    )
    for index in range(3):
        rendered.cluster(f"c{index}")["transport_socket"] = tls_socket(identity(f"r{index}"))
    rendered.cluster("c0").update(change)
    return [one.rule.id for one in check_envoy(config_of(rendered.fields), rendered.expected)]


RIGHT = "spiffe://acme.example/cells/r0"
WRONG = "spiffe://acme.example/cells/r1"
SUFFIX = [{"san_type": "URI", "matcher": {"suffix": "r0"}}]
BOTH = [{"san_type": "URI", "matcher": {"exact": name}} for name in (RIGHT, WRONG)]
BY_DNS = [{"san_type": "DNS", "matcher": {"exact": RIGHT}}]
ANY_CASE = [{"san_type": "URI", "matcher": {"exact": RIGHT, "ignore_case": True}}]
VALIDATOR = f"{TYPES}envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"
SPIFFE = {"name": "own", "typed_config": {"@type": VALIDATOR}}
BY_SNI = tls_socket(RIGHT)
BY_SNI["typed_config"]["auto_sni_san_validation"] = True
PLAIN = {"transport_socket_matches": [{"name": "x", "match": {}, "transport_socket": {"name": "raw"}}]}


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({}, []),
        ({"transport_socket": tls_socket(WRONG)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, match_typed_subject_alt_names=SUFFIX)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, match_typed_subject_alt_names=BOTH)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, match_typed_subject_alt_names=BY_DNS)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, match_typed_subject_alt_names=[])}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, trusted_ca=None)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, trust_chain_verification="ACCEPT_UNTRUSTED")}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, trust_chain_verification="accept_untrusted")}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, trust_chain_verification=1)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, allow_expired_certificate=True)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, match_typed_subject_alt_names=ANY_CASE)}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, custom_validator_config={"name": "own"})}, ["peer-identity"]),
        ({"transport_socket": tls_socket(RIGHT, custom_validator_config=SPIFFE)}, []),
        ({"transport_socket": BY_SNI}, ["peer-identity"]),
        (PLAIN, ["peer-identity"]),
    ],
)
def test_a_cell_is_believed_by_its_own_identity_alone(change: Mapping[str, Any], rules: list[str]) -> None:
    assert _secured(change) == rules


def test_parts_are_judged_alone() -> None:
    rendered = Rendered()
    scope = scope_alone("patch.yaml", rendered.expected)
    assert list(check_decision(Node(rendered.decision, "value"), scope)) == []
    assert list(check_edge(Node(rendered.manager, "value"), scope)) == []
    assert list(check_route(Node(rendered.by_plan, "value"), scope)) == []
    assert list(check_route(Node(rendered.host["routes"][-1], "value"), scope)) == []
    for cluster in rendered.clusters:
        assert list(check_cluster(Node(cluster, "value"), scope)) == []
    straight = {"match": {"prefix": "/"}, "route": {"cluster": "c0"}}
    assert named(list(check_route(Node(straight, "value"), scope))) == [("route-to-region", "value.route.cluster")]


def test_names_in_camel_case_are_the_same_fields() -> None:
    rendered = Rendered(mesh=mesh_of([9001, 9002, 9003]))
    decision = rendered.decision
    decision["failureModeAllow"] = True
    found = list(check_envoy(config_of(rendered.fields), rendered.expected))
    assert [one.rule.id for one in found] == ["failure-mode-allow"]


def test_what_could_not_be_read_is_said() -> None:
    rendered = Rendered()
    config = replace(config_of(rendered.fields), unread=((Node({}, "dynamic_resources.lds_config"), "comes by ADS"),))
    found = list(check_envoy(config, rendered.expected))
    assert named(found) == [("unread", "dynamic_resources.lds_config")]
    assert found[0].message == "comes by ADS"


def test_a_fault_that_many_see_is_said_once() -> None:
    rendered = Rendered()
    rendered.decision["failure_mode_allow"] = True
    twice = copy.deepcopy(rendered.listener["filter_chains"][0])
    rendered.listener["default_filter_chain"] = twice
    found = list(check_envoy(config_of(rendered.fields), rendered.expected))
    assert [one.rule.id for one in found] == ["failure-mode-allow", "failure-mode-allow"]
    assert len({one.path for one in found}) == 2
    written = twice["filters"][0]["typed_config"]["route_config"]
    written["virtual_hosts"][0]["routes"][0]["route"]["request_mirror_policies"] = [{"cluster": "c2"}]
    for chain in (rendered.listener["filter_chains"][0], twice):
        manager = chain["filters"][0]["typed_config"]
        manager.pop("route_config")
        manager["rds"] = {"route_config_name": "situs"}
        manager["http_filters"][0]["typed_config"]["failure_mode_allow"] = False
    config = config_of(rendered.fields, routes={"situs": Node(written, "routes.situs")})
    assert [one.rule.id for one in check_envoy(config, rendered.expected)] == ["mirror"]
