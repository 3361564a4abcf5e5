"""Each rule for Istio's resources: a resource that commits exactly that fault, and its place."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from mesh.check.istio_readable import EXPECTED, HOST, OTHER, broken, found_in, one, rendered, resource
from mesh.check.readable import judged

from extproc.strict_yaml import DocumentError

REMOTE = {"address": "192.0.2.7", "ports": {"http": 9001}}


@pytest.mark.slow
def test_what_is_rendered_is_silent() -> None:
    assert found_in(*rendered()) == ()


def policy(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["trafficPolicy"]
    return found


def outlier(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = policy(spec)["outlierDetection"]
    return found


LOCALITY = "spec.trafficPolicy.loadBalancer.localityLbSetting"


@pytest.mark.parametrize(
    ("kind", "change", "rule", "path"),
    [
        (
            "DestinationRule",
            lambda spec: policy(spec)["loadBalancer"].update(localityLbSetting={"enabled": True}),
            "locality-failover",
            f"{LOCALITY}.enabled",
        ),
        (
            "DestinationRule",
            lambda spec: policy(spec)["loadBalancer"].pop("localityLbSetting"),
            "locality-failover",
            f"{LOCALITY}.enabled",
        ),
        (
            "DestinationRule",
            lambda spec: policy(spec)["loadBalancer"]["localityLbSetting"].update(failover=[{"from": "a", "to": "b"}]),
            "locality-failover",
            f"{LOCALITY}.failover",
        ),
        (
            "DestinationRule",
            lambda spec: policy(spec)["loadBalancer"]["localityLbSetting"].update(distribute=[{"from": "*"}]),
            "locality-failover",
            f"{LOCALITY}.distribute",
        ),
        (
            "DestinationRule",
            lambda spec: policy(spec).update(portLevelSettings=[{"loadBalancer": {"simple": "RANDOM"}}]),
            "locality-failover",
            "spec.trafficPolicy.portLevelSettings[0].loadBalancer.localityLbSetting.enabled",
        ),
        (
            "DestinationRule",
            lambda spec: policy(spec).pop("outlierDetection"),
            "istio-outlier-detection",
            "spec.trafficPolicy.outlierDetection",
        ),
        (
            "DestinationRule",
            lambda spec: outlier(spec).update(minHealthPercent=50),
            "panic",
            "spec.trafficPolicy.outlierDetection.minHealthPercent",
        ),
        (
            "DestinationRule",
            lambda spec: spec.update(subsets=[{"name": "v2", "labels": {"v": "2"}}]),
            "istio-subset",
            "spec.subsets[0]",
        ),
        ("DestinationRule", lambda spec: spec.update(exportTo=["*"]), "", ""),
        ("ServiceEntry", lambda spec: spec.update(resolution="NONE"), "open-cluster", "spec.resolution"),
        ("ServiceEntry", lambda spec: spec.pop("resolution"), "open-cluster", "spec.resolution"),
        ("ServiceEntry", lambda spec: spec["hosts"].append("*.example"), "open-cluster", "spec.hosts[1]"),
        ("ServiceEntry", lambda spec: spec["hosts"].append(OTHER), "two-regions", "spec.hosts"),
        (
            "ServiceEntry",
            lambda spec: spec["endpoints"].append({"address": "127.0.0.1", "ports": {"http": 9002}}),
            "two-regions",
            "spec.endpoints",
        ),
        (
            "ServiceEntry",
            lambda spec: spec["endpoints"].append(REMOTE),
            "region-endpoints",
            "spec.endpoints[1].address",
        ),
        ("ServiceEntry", lambda spec: spec.update(endpoints=[]), "region-endpoints", "spec.endpoints"),
        (
            "ServiceEntry",
            lambda spec: spec.update(endpoints=[], workloadSelector={"labels": {"a": "b"}}),
            "region-endpoints",
            "spec.workloadSelector",
        ),
        ("ServiceEntry", lambda spec: spec.pop("exportTo"), "istio-export", "spec.exportTo"),
        ("ServiceEntry", lambda spec: spec.update(exportTo=["*"]), "istio-export", "spec.exportTo[0]"),
        ("ServiceEntry", lambda spec: spec.update(exportTo=["shop"]), "istio-export", "spec.exportTo[0]"),
    ],
)
def test_each_fault_of_a_regions_resources(
    kind: str, change: Callable[[dict[str, Any]], object], rule: str, path: str
) -> None:
    found = broken(kind, "r0", change)
    if not rule:
        assert found == ()
        return
    assert [finding.rule.id for finding in found] == [rule]
    assert found[0].path == f"{kind} situs-system/r0: {path}"
    assert found[0].message
    assert found[0].mend


def route(host: str, **more: object) -> dict[str, object]:
    return {"route": [{"destination": {"host": host}}], **more}


@pytest.mark.parametrize(
    ("hosts", "http", "namespace", "rules"),
    [
        (["shop"], route(HOST), "shop", {"route-to-region"}),
        (["*.example"], route("*"), "shop", {"route-to-region"}),
        (["models.example"], {"directResponse": {"status": 503}, "mirror": {"host": "x"}}, "istio-ingress", {"mirror"}),
        ([HOST], {"directResponse": {"status": 503}, "mirrors": [{"destination": {"host": "x"}}]}, "shop", {"mirror"}),
        (["shop"], route("shop", mirror={"host": OTHER}), "shop", {"mirror"}),
        ([HOST], {"directResponse": {"status": 503}, "retries": {"attempts": 3}}, "shop", {"istio-retries"}),
        ([HOST], {"directResponse": {"status": 503}, "fault": {"abort": {}}}, "shop", {"istio-retries"}),
        (["shop"], route("shop", mirror={"host": "shop2"}, retries={"attempts": 3}), "shop", set()),
        ([HOST], {"directResponse": {"status": 503}}, "shop", set()),
    ],
)
def test_each_fault_of_a_virtual_service(
    hosts: list[str], http: dict[str, object], namespace: str, rules: set[str]
) -> None:
    found = found_in(resource("VirtualService", {"hosts": hosts, "http": [http]}, namespace=namespace))
    assert {finding.rule.id for finding in found} == rules


def mesh_config(**more: object) -> dict[str, Any]:
    metadata = {"name": "istio", "namespace": "istio-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": json.dumps(more)}}


ONLY = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
FAILOVER = {"localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        (mesh_config(), {"istio-allow-any"}),
        (mesh_config(outboundTrafficPolicy={"mode": "ALLOW_ANY"}), {"istio-allow-any"}),
        (mesh_config(**ONLY), set()),
        (mesh_config(**ONLY, **FAILOVER), {"istio-mesh-locality"}),
        (mesh_config(**ONLY, localityLbSetting={"enabled": False, **FAILOVER["localityLbSetting"]}), set()),
        ({"meshConfig": {"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}, "pilot": {}}, {"istio-allow-any"}),
        (
            {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": {"meshConfig": {}}},
            {"istio-allow-any"},
        ),
        (resource("Sidecar", {"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}), {"istio-allow-any"}),
        (resource("Sidecar", {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}), set()),
        (resource("Sidecar", {"egress": [{"hosts": ["./*"]}]}), set()),
        (resource("Telemetry", {"accessLogging": [{"disabled": True}]}, group="telemetry"), {"istio-access-log"}),
        (
            resource("Telemetry", {"accessLogging": [{"filter": {"expression": "x"}}]}, group="telemetry"),
            {"istio-access-log"},
        ),
        (resource("Telemetry", {"accessLogging": [{"disabled": True}]}, group="telemetry", namespace="shop"), set()),
        (resource("Telemetry", {"accessLogging": [{"providers": [{"name": "x"}]}]}, group="telemetry"), set()),
        (resource("PeerAuthentication", {"mtls": {"mode": "PERMISSIVE"}}, group="security"), {"istio-mtls"}),
        (
            resource("PeerAuthentication", {"mtls": {"mode": "DISABLE"}}, group="security", namespace="istio-system"),
            {"istio-mtls"},
        ),
        (
            resource(
                "PeerAuthentication",
                {"mtls": {"mode": "STRICT"}, "portLevelMtls": {"8080": {"mode": "DISABLE"}}},
                group="security",
                namespace="cells",
            ),
            {"istio-mtls"},
        ),
        (resource("PeerAuthentication", {"mtls": {"mode": "STRICT"}}, group="security"), set()),
        (
            resource("PeerAuthentication", {"mtls": {"mode": "PERMISSIVE"}}, group="security", namespace="shop"),
            set(),
        ),
    ],
)
def test_each_fault_of_the_mesh(given: dict[str, Any], rules: set[str]) -> None:
    assert {finding.rule.id for finding in judged(given, expected=EXPECTED).findings} == rules


@pytest.mark.parametrize("kind", ["ServiceEntry", "DestinationRule"])
def test_a_namespace_that_does_not_agree(kind: str) -> None:
    resources = rendered()
    one(resources, kind, "r0")["metadata"]["namespace"] = "elsewhere"
    found = found_in(*resources)
    assert {finding.rule.id for finding in found} == {"istio-namespace"}
    assert found[0].path == f"{kind} elsewhere/r0: metadata.namespace"


def test_an_envoy_filter_in_another_namespace() -> None:
    resources = rendered()
    one(resources, "EnvoyFilter", "situs-gateway")["metadata"]["namespace"] = "elsewhere"
    assert {finding.rule.id for finding in found_in(*resources)} == {"istio-namespace"}


def test_an_entry_without_its_rule() -> None:
    resources = [each for each in rendered() if each != one(rendered(), "DestinationRule", "r1")]
    (finding,) = found_in(*resources)
    assert finding.rule.id == "istio-outlier-detection"
    assert OTHER in finding.message


def test_a_host_of_another_name_that_has_cells_of_a_region() -> None:
    spec = {
        "hosts": ["side.example"],
        "exportTo": ["apps"],
        "resolution": "STATIC",
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": 9002}}],
    }
    (finding,) = found_in(resource("ServiceEntry", spec, namespace="apps"))
    assert finding.rule.id == "region-endpoints"


def test_what_is_about_nothing_of_ours_is_silent() -> None:
    spec = {"hosts": ["*.example"], "resolution": "NONE", "ports": [{"number": 80, "name": "http"}]}
    rule = {"host": "shop.example", "subsets": [{"name": "a"}]}
    assert found_in(resource("ServiceEntry", spec), resource("DestinationRule", rule)) == ()


def test_settings_of_the_mesh_that_cannot_be_read_are_refused_with_their_place() -> None:
    broken_ = mesh_config(**ONLY)
    broken_["data"]["mesh"] = "a: ["
    with pytest.raises(DocumentError, match=r"ConfigMap istio-system/istio: data\.mesh:2:1: not YAML"):
        found_in(broken_)
