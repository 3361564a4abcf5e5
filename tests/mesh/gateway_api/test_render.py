"""The rendered resources of Envoy Gateway, without one."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from mesh.example import LOOPBACK
from mesh.gateway_api.gateway_example import example, patches_of, place_of, placed, rendered, resources_of, shipped

from extproc.core.ids import RegionId
from extproc.core.tables import Region
from extproc.mesh.envoy import fields_of, render_bootstrap
from extproc.mesh.gateway_api.patches import LARGEST_POLICY
from extproc.mesh.gateway_api.render import render_gateway_api
from extproc.mesh.gateway_api.section import NameScheme, ProxyPod, ServiceType
from extproc.mesh.pod.section import FileSource, SourceKind
from extproc.mesh.section import Endpoints, ListenerTls, Mesh, PeerTls, TcpAddress, UnixSocket

TLS = ListenerTls(certificate="/c.pem", key="/c.key", clients="/ca.pem", required=True)
PEERS = PeerTls(
    certificate="/etc/peers/tls.crt",
    key="/etc/peers/tls.key",
    authorities="/etc/peers/ca.crt",
    identity="spiffe://acme.example/gateway",
)


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Give what a YAML file would give back."""
    return json.loads(json.dumps(value))


def refused(change: Callable[[Mesh], Mesh]) -> str:
    policy, mesh = example()
    with pytest.raises(ValueError, match="Mend: ") as caught:
        render_gateway_api(policy, change(mesh), "")
    return str(caught.value)


def test_each_file_is_one_resource_with_the_heading() -> None:
    policy, mesh = example()
    rendering = render_gateway_api(policy, mesh, "Rendered from here.")
    kinds = [yaml.load(text, yaml.CSafeLoader)["kind"] for text in rendering.files.values()]
    assert kinds == [
        "GatewayClass",
        "EnvoyProxy",
        "Gateway",
        "HTTPRouteFilter",
        "HTTPRoute",
        "ClientTrafficPolicy",
        "EnvoyPatchPolicy",
        "EnvoyPatchPolicy",
    ]
    assert all(text.startswith("# Rendered from here.\n") for text in rendering.files.values())


def test_without_the_patches_nothing_leads_anywhere() -> None:
    resources = rendered()
    rules = resources["http-route"]["spec"]["rules"]
    assert [set(rule) for rule in rules] == [{"matches", "filters"}]
    assert resources["http-route-filter"]["spec"]["directResponse"]["statusCode"] == 503


def test_what_happens_to_a_request_is_one_operation_and_the_bootstraps() -> None:
    policy, mesh = example()
    [patch] = shipped()["patch-listener"]["spec"]["jsonPatches"]
    assert patch["name"] == "situs-system/situs/models"
    assert (patch["operation"]["op"], patch["operation"]["path"]) == ("replace", "/typed_config")
    bootstrap = plain(fields_of(render_bootstrap(policy.tables, policy.reading, mesh)))
    [chain] = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    assert patch["operation"]["value"] == chain["filters"][0]["typed_config"]


def test_the_clusters_are_the_bootstraps() -> None:
    policy, mesh = example()
    added = [each for each in patches_of(shipped()) if each["type"].endswith("Cluster")]
    bootstrap = plain(fields_of(render_bootstrap(policy.tables, policy.reading, mesh)))
    assert [each["operation"]["value"] for each in added] == bootstrap["static_resources"]["clusters"]
    assert all(each["operation"]["op"] == "add" and each["operation"]["path"] == "" for each in added)
    assert all(each["name"] == each["operation"]["value"]["name"] for each in added)


@pytest.mark.slow
def test_many_clusters_are_spread_over_resources_that_can_be_stored() -> None:
    policy, mesh = example()
    names = [RegionId(f"r{i}") for i in range(24)]
    regions = tuple(
        Region(id=name, country=policy.tables.regions[0].country, cluster=name, models={}) for name in names
    )
    many = replace(policy, tables=replace(policy.tables, regions=regions))
    endpoints = {name: Endpoints(endpoints=(TcpAddress(address=LOOPBACK, port=9000),)) for name in names}
    resources = resources_of(many, replace(mesh, regions=endpoints))
    policies = [resource for name, resource in resources.items() if name.startswith("patch-clusters-")]
    assert [resource["metadata"]["name"] for resource in policies] == ["situs-clusters-0", "situs-clusters-1"]
    sizes = [sum(len(str(patch)) for patch in resource["spec"]["jsonPatches"]) for resource in policies]
    assert all(size < 1.1 * LARGEST_POLICY for size in sizes)
    clusters = [each for each in patches_of(resources) if each["type"].endswith("Cluster")]
    assert len({each["name"] for each in clusters}) == len(clusters) == 24 + 24 * 23 + 1


def test_the_sidecar_is_ready_before_envoy_and_shares_its_socket() -> None:
    deployment = rendered()["envoy-proxy"]["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    [sidecar] = deployment["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert sidecar["args"][:3] == ["serve", "--policy", "/etc/situs/policy/policy.yaml"]
    assert sidecar["args"][sidecar["args"].index("--listen") + 1] == "unix:/run/situs/situs.sock"
    shared = {"name": "situs-socket", "mountPath": "/run/situs"}
    assert shared in sidecar["volumeMounts"]
    assert shared in deployment["container"]["volumeMounts"]
    assert {"name": "situs-state", "mountPath": "/var/lib/situs", "subPathExpr": "$(POD_NAME)"} in sidecar[
        "volumeMounts"
    ]
    mounted = {mount["name"] for mount in [*sidecar["volumeMounts"], *deployment["container"]["volumeMounts"]]}
    assert mounted == {volume["name"] for volume in deployment["pod"]["volumes"]}


def test_keys_of_envoy_are_not_the_sidecars_and_the_log_is_not_envoys() -> None:
    deployment = rendered(placed(proxy=replace(place_of(example()[1]).proxy, image="envoy:v1.39.1")))["envoy-proxy"][
        "spec"
    ]["provider"]["kubernetes"]["envoyDeployment"]
    envoy = {mount["name"] for mount in deployment["container"]["volumeMounts"]}
    sidecar = {mount["name"] for mount in deployment["initContainers"][0]["volumeMounts"]}
    assert envoy & sidecar == {"situs-socket"}
    assert deployment["container"]["image"] == "envoy:v1.39.1"


def test_files_come_from_secrets_config_maps_and_claims() -> None:
    source = FileSource(kind=SourceKind.SECRET, name="keys")
    jwks = place_of(example()[1]).proxy.files
    pod = rendered(placed(proxy=replace(place_of(example()[1]).proxy, files={**jwks, "/etc/keys": source})))[
        "envoy-proxy"
    ]["spec"]["provider"]["kubernetes"]["envoyDeployment"]["pod"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["envoy-0"] == {"name": "envoy-0", "configMap": {"name": "situs-jwks"}}
    assert volumes["envoy-1"] == {"name": "envoy-1", "secret": {"secretName": "keys", "defaultMode": 0o440}}
    assert volumes["situs-files-3"]["persistentVolumeClaim"] == {"claimName": "situs-geo", "readOnly": True}


def test_a_log_that_is_shipped_may_lie_in_the_pod() -> None:
    sidecar = place_of(example()[1]).sidecar
    assert sidecar is not None
    shipped = replace(sidecar, log_claim=None, arguments=(*sidecar.arguments, "--ship", "/etc/situs/ship.yaml"))
    deployment = rendered(placed(sidecar=shipped))["envoy-proxy"]["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    assert {"name": "situs-state", "emptyDir": {}} in deployment["pod"]["volumes"]
    assert {"name": "situs-state", "mountPath": "/var/lib/situs"} in deployment["initContainers"][0]["volumeMounts"]


def test_a_sidecar_elsewhere_is_not_in_the_pod() -> None:
    def change(mesh: Mesh) -> Mesh:
        moved = replace(mesh, sidecar=TcpAddress(address="10.0.0.9", port=9000))
        return placed(sidecar=None, proxy=place_of(moved).proxy)(moved)

    deployment = rendered(change)["envoy-proxy"]["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    assert "initContainers" not in deployment
    assert [mount["name"] for mount in deployment["container"]["volumeMounts"]] == ["envoy-0"]


def test_clients_keep_their_addresses() -> None:
    service = rendered()["envoy-proxy"]["spec"]["provider"]["kubernetes"]["envoyService"]
    assert service == {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    inside = rendered(placed(service=ServiceType.CLUSTER_IP))
    assert inside["envoy-proxy"]["spec"]["provider"]["kubernetes"]["envoyService"] == {"type": "ClusterIP"}


def test_envoy_gateways_own_log_is_off() -> None:
    assert rendered()["envoy-proxy"]["spec"]["telemetry"] == {"accessLog": {"disable": True}}


def test_with_tls_the_certificate_and_the_clients_authorities_are_the_gateways() -> None:
    def change(mesh: Mesh) -> Mesh:
        return placed(certificate="models-tls", clients="models-clients")(replace(mesh, listener_tls=TLS))

    resources = rendered(change)
    [listener] = resources["gateway"]["spec"]["listeners"]
    assert listener["protocol"] == "HTTPS"
    assert listener["tls"]["certificateRefs"] == [{"group": "", "kind": "Secret", "name": "models-tls"}]
    validation = resources["client-traffic-policy"]["spec"]["tls"]["clientValidation"]
    assert validation["mode"] == "RequireAndVerify"
    assert validation["caCertificateRefs"] == [{"group": "", "kind": "ConfigMap", "name": "models-clients"}]


def test_a_client_without_a_certificate_may_come_where_none_is_required() -> None:
    def change(mesh: Mesh) -> Mesh:
        tls = replace(TLS, required=False)
        mesh = replace(mesh, listener_tls=tls, timeouts=replace(mesh.timeouts, headers_s=1.5))
        return placed(certificate="models-tls", clients="models-clients")(mesh)

    spec = rendered(change)["client-traffic-policy"]["spec"]
    assert spec["tls"]["clientValidation"]["mode"] == "VerifyIfGiven"
    assert spec["tls"]["minVersion"] == "1.3"
    assert spec["timeout"] == {"tcp": {"tlsHandshakeTimeout": "1500ms"}}


def test_without_client_certificates_there_is_tls_alone() -> None:
    tls = replace(TLS, clients=None, required=False)
    resources = rendered(lambda mesh: placed(certificate="models-tls")(replace(mesh, listener_tls=tls)))
    assert resources["client-traffic-policy"]["spec"]["tls"] == {"minVersion": "1.2"}


def test_mutual_tls_is_told_by_files_where_the_proxies_run() -> None:
    def change(mesh: Mesh) -> Mesh:
        files = {**place_of(mesh).proxy.files, "/etc/peers": FileSource(kind=SourceKind.SECRET, name="peers")}
        regions = {
            name: replace(each, identity=f"spiffe://acme.example/cells/{name}") for name, each in mesh.regions.items()
        }
        mesh = replace(mesh, tls=PEERS, regions=regions)
        return placed(proxy=ProxyPod(files=files), proxy_namespace="proxies")(mesh)

    resources = rendered(change)
    told = resources["envoy-secrets"]
    assert told["metadata"] == {"name": "situs-envoy", "namespace": "proxies"}
    assert set(told["data"]) == {"sds-peer.yaml", "sds-authorities.yaml"}
    assert "/etc/peers/tls.key" in told["data"]["sds-peer.yaml"]
    deployment = resources["envoy-proxy"]["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    mount = {"name": "envoy-secrets", "mountPath": "/etc/envoy", "readOnly": True}
    assert mount in deployment["container"]["volumeMounts"]
    assert {"name": "envoy-secrets", "configMap": {"name": "situs-envoy"}} in deployment["pod"]["volumes"]
    clusters = [each["operation"]["value"] for each in patches_of(resources) if each["name"] == "eu-fra"]
    assert "/etc/envoy/sds-peer.yaml" in str(clusters[0]["transport_socket"])


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        (("*",), None),
        (
            ("models.acme.example", "models.acme.example:8443", "*.acme.example"),
            ["models.acme.example", "*.acme.example"],
        ),
        (("models.acme.example", "*:8443"), None),
    ],
)
def test_the_route_has_our_hosts(hosts: tuple[str, ...], names: list[str] | None) -> None:
    resources = rendered(lambda mesh: replace(mesh, hosts=hosts))
    assert resources["http-route"]["spec"].get("hostnames") == names


def test_listeners_may_be_named_by_port() -> None:
    [patch] = rendered(placed(listener_names=NameScheme.PORT))["patch-listener"]["spec"]["jsonPatches"]
    assert patch["name"] == "tcp-10000"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda mesh: replace(mesh, gateway_api=None), "no section 'gateway_api'"),
        (placed(sidecar=None), "nothing says what it is made of"),
        (lambda mesh: replace(mesh, sidecar=UnixSocket(unix="/situs.sock")), "lies in /"),
        (placed(certificate="models-tls"), "gateway_api.certificate say different things"),
        (lambda mesh: replace(mesh, listener_tls=TLS), "gateway_api.certificate say different things"),
        (
            lambda mesh: placed(certificate="models-tls")(replace(mesh, listener_tls=TLS)),
            "gateway_api.clients say different things",
        ),
        (placed(clients="models-clients"), "gateway_api.clients say different things"),
        (placed(proxy=replace(place_of(example()[1]).proxy, files={})), "jwt.jwks_file: Envoy's container has no"),
        (
            lambda mesh: placed(proxy=ProxyPod(files={"/etc/envoy": FileSource(kind=SourceKind.SECRET, name="x")}))(
                replace(mesh, tls=PEERS)
            ),
            "/etc/envoy is the mesh file's 'directory'",
        ),
        (
            lambda mesh: replace(mesh, tls=PEERS),
            "tls.certificate: Envoy's container has no /etc/peers/tls.crt. Mend: add '/etc/peers: ",
        ),
    ],
)
def test_what_the_target_lacks_is_refused(change: Callable[[Mesh], Mesh], problem: str) -> None:
    assert problem in refused(change)
