"""The rendered resources: what they say, that they stay the same, and what a policy or a mesh file must not ask for."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import as_file, files
from typing import Any

import pytest
from mesh.example import READING, mesh_of, tables_of
from mesh.istio.proxies import captured, documents, istio_of

from extproc.core.georules import GeoRules
from extproc.core.ids import Jurisdiction, RegionId, TenantId
from extproc.core.reading import Reading, TenantBindings
from extproc.core.tables import PolicyTables
from extproc.mesh.istio.render import render_istio, render_tables
from extproc.mesh.istio.section import CellPods, GatewayAttachment, IstioMesh, OutboundAttachment, PeerProof, Tokens
from extproc.mesh.parse import load_mesh
from extproc.mesh.pod.section import FileSource, SidecarPod, SourceKind
from extproc.mesh.section import Endpoints, Jwt, ListenerTls, Mesh, PeerTls, TcpAddress, UnixSocket
from extproc.policy.load import load_policy

CLAIMS = replace(READING, bindings=TenantBindings(by_claim={"tenant": {"acme": TenantId("acme")}}))
CERTIFICATES = replace(READING, bindings=TenantBindings(by_spiffe={"spiffe://a.example/x": TenantId("a")}))
JWT = Jwt(issuer="https://id.example", audiences=("inference",), jwks_file="/etc/situs/jwks.json")
OUTBOUND = OutboundAttachment(namespaces=("shop", "till"), labels={"app": "shop"})
SIDECAR = SidecarPod(
    image="images.example/situs:1",
    arguments=("--policy=/etc/situs/policy.yaml",),
    files={"/etc/situs": FileSource(kind=SourceKind.CONFIG_MAP, name="situs")},
    log_claim="log",
)
KEYS = {"/etc/keys": FileSource(kind=SourceKind.SECRET, name="keys")}


def mesh_with(istio: IstioMesh | None, **changes: object) -> Mesh:
    mesh = replace(mesh_of([9001, 9002], listener=8443), istio=istio, jwt=JWT)
    return replace(mesh, **changes)  # type: ignore[arg-type]


def rendered(
    mesh: Mesh, reading: Reading = CLAIMS, tables: PolicyTables | None = None
) -> Mapping[str, list[Mapping[str, Any]]]:
    found = render_tables(tables or tables_of(2), reading, mesh, "Heading.").files
    return {name: documents(text) for name, text in found.items()}


def one(resources: list[Mapping[str, Any]], kind: str, name: str | None = None) -> Mapping[str, Any]:
    (found,) = [
        each for each in resources if each["kind"] == kind and (name is None or each["metadata"]["name"] == name)
    ]
    return found


def patches(resources: list[Mapping[str, Any]], to: str, operation: str) -> list[Mapping[str, Any]]:
    every = one(resources, "EnvoyFilter")["spec"]["configPatches"]
    return [each for each in every if each["applyTo"] == to and each["patch"]["operation"] == operation]


GATEWAY = IstioMesh(gateway=GatewayAttachment())


@pytest.mark.slow
def test_it_is_the_same_each_time_and_its_reasons_stand_beside_the_fields() -> None:
    mesh = mesh_with(replace(GATEWAY, outbound=OUTBOUND, sidecar=SIDECAR))
    texts = render_tables(tables_of(2), CLAIMS, mesh, "Heading.").files
    assert texts == render_tables(tables_of(2), CLAIMS, mesh, "Heading.").files
    assert all(text.startswith("# Heading.\n") for text in texts.values())
    assert "# Nobody but the deciding proxies knows this host" in texts["regions.yaml"]
    assert "# Retries do not ask the sidecar again" in texts["gateway.yaml"]


@pytest.mark.parametrize("kind", ["gateway", "outbound"])
def test_what_istiod_was_given_is_what_is_rendered(kind: str) -> None:
    """The captured configurations are evidence for today's resources only while these are the same.

    Mend, where a resource was changed on purpose: capture anew, as the README of extproc/mesh/istio says.
    """
    port = 10080 if kind == "gateway" else 8100
    hosts = [("10.0.0.1", 0), ("10.0.0.2", 1), ("10.0.0.3", 2), ("cells.r3.example", 3)]
    regions = {RegionId(f"r{i}"): Endpoints(endpoints=(TcpAddress(address=host, port=9001),)) for host, i in hosts}
    mesh = replace(mesh_of([1, 2, 3, 4], listener=port), regions=regions, istio=istio_of(kind, port), jwt=JWT)
    found = rendered(mesh, tables=tables_of(4))
    today = [each for each in found["regions.yaml"] + found[f"{kind}.yaml"] if each["kind"] != "EnvoyFilter"]
    assert today == captured(f"{kind}-resources")


def test_each_region_is_a_host_of_its_own_that_only_deciding_proxies_know() -> None:
    regions = rendered(mesh_with(replace(GATEWAY, outbound=OUTBOUND)))["regions.yaml"]
    entry = one(regions, "ServiceEntry", "r0")["spec"]
    assert entry["hosts"] == ["r0.cells.situs.internal"]
    assert entry["exportTo"] == ["istio-ingress", "shop", "till"]
    assert entry["endpoints"] == [{"address": "127.0.0.1", "ports": {"http": 9001}}]
    assert entry["resolution"] == "STATIC"


def test_a_region_with_names_is_resolved() -> None:
    endpoints = Endpoints(endpoints=(TcpAddress(address="cells.example", port=9001),))
    mesh = mesh_with(GATEWAY, regions={RegionId("r0"): endpoints, RegionId("r1"): endpoints})
    assert one(rendered(mesh)["regions.yaml"], "ServiceEntry", "r0")["spec"]["resolution"] == "DNS"


def test_nothing_of_istios_leads_a_request_to_another_region() -> None:
    policy = one(rendered(mesh_with(GATEWAY))["regions.yaml"], "DestinationRule", "r0")["spec"]["trafficPolicy"]
    assert policy["loadBalancer"]["localityLbSetting"] == {"enabled": False}
    assert policy["outlierDetection"]["minHealthPercent"] == 0
    assert policy["outlierDetection"]["consecutiveGatewayErrors"] == 5
    assert policy["outlierDetection"]["consecutive5xxErrors"] == 0
    assert policy["connectionPool"]["http"]["http1MaxPendingRequests"] == 10_000
    assert "tls" not in policy


@pytest.mark.parametrize("prove", list(PeerProof))
def test_a_cell_proves_its_region(prove: PeerProof) -> None:
    tls = PeerTls(certificate="/c.pem", key="/k.pem", authorities="/a.pem", identity="spiffe://a.example/envoy")
    mesh = mesh_with(replace(GATEWAY, prove=prove), tls=tls)
    named = {
        region: replace(endpoints, identity=f"spiffe://a.example/{region}")
        for region, endpoints in mesh.regions.items()
    }
    rules = rendered(replace(mesh, regions=named))["regions.yaml"]
    found = one(rules, "DestinationRule", "r1")["spec"]["trafficPolicy"]["tls"]
    assert found["subjectAltNames"] == ["spiffe://a.example/r1"]
    assert found["mode"] == ("ISTIO_MUTUAL" if prove is PeerProof.MESH else "MUTUAL")
    assert ("clientCertificate" in found) == (prove is PeerProof.FILES)


def test_every_plan_is_an_aggregate_of_istios_clusters_and_a_plan_of_one_region_too() -> None:
    added = patches(rendered(mesh_with(GATEWAY))["gateway.yaml"], "CLUSTER", "ADD")
    plans = {each["patch"]["value"]["name"]: each["patch"]["value"] for each in added}
    assert list(plans) == ["situs_sidecar", "c0", "c1", "c0>c1", "c1>c0"]
    names = ["outbound|8080||r1.cells.situs.internal", "outbound|8080||r0.cells.situs.internal"]
    assert plans["c1>c0"]["cluster_type"]["typed_config"]["clusters"] == names
    assert plans["c0"]["cluster_type"]["typed_config"]["clusters"] == names[1:]


def test_the_mesh_maps_the_names_that_the_access_log_tells() -> None:
    assert mesh_with(GATEWAY).names_of_clusters() == {
        "outbound|8080||r0.cells.situs.internal": "r0",
        "outbound|8080||r1.cells.situs.internal": "r1",
    }


def test_a_gateway_of_the_operators_is_used_and_none_is_rendered() -> None:
    istio = IstioMesh(gateway=GatewayAttachment(existing="edge/public", hosts=("a.example", "b.example")))
    resources = rendered(mesh_with(istio))["gateway.yaml"]
    assert [each["kind"] for each in resources] == ["VirtualService", "EnvoyFilter"]
    assert resources[0]["spec"]["gateways"] == ["edge/public"]
    routes = patches(resources, "HTTP_ROUTE", "INSERT_FIRST")
    hosts = [each["match"]["routeConfiguration"]["vhost"]["name"] for each in routes]
    assert hosts == ["a.example:8443"] * 2 + ["b.example:8443"] * 2


@pytest.mark.parametrize(
    ("tls", "mode"),
    [
        (ListenerTls(certificate="/c", key="/k"), "SIMPLE"),
        (ListenerTls(certificate="/c", key="/k", clients="/a"), "OPTIONAL_MUTUAL"),
        (ListenerTls(certificate="/c", key="/k", clients="/a", required=True), "MUTUAL"),
    ],
)
def test_the_listeners_tls_is_the_gateways(tls: ListenerTls, mode: str) -> None:
    server = one(rendered(mesh_with(GATEWAY, listener_tls=tls))["gateway.yaml"], "Gateway")["spec"]["servers"][0]
    assert server["port"]["protocol"] == "HTTPS"
    assert server["tls"]["mode"] == mode
    assert server["tls"]["serverCertificate"] == "/c"
    assert server["tls"].get("caCertificates") == tls.clients
    named = IstioMesh(gateway=GatewayAttachment(credential="edge"))
    server = one(rendered(mesh_with(named, listener_tls=tls))["gateway.yaml"], "Gateway")["spec"]["servers"][0]
    assert server["tls"] == {"mode": mode, "minProtocolVersion": "TLSV1_2", "credentialName": "edge"}


def test_a_service_of_another_port_is_what_gateway_and_routes_go_by() -> None:
    resources = rendered(mesh_with(IstioMesh(gateway=GatewayAttachment(service_port=80))))["gateway.yaml"]
    assert one(resources, "Gateway")["spec"]["servers"][0]["port"]["number"] == 80
    (manager,) = patches(resources, "NETWORK_FILTER", "MERGE")
    assert manager["match"]["listener"]["portNumber"] == 8443
    for route in patches(resources, "HTTP_ROUTE", "INSERT_FIRST"):
        assert route["match"]["routeConfiguration"] == {"portNumber": 80, "vhost": {"name": "*:80"}}


def test_the_filters_come_before_all_of_istios_in_our_order() -> None:
    inserted = patches(rendered(mesh_with(GATEWAY))["gateway.yaml"], "HTTP_FILTER", "INSERT_FIRST")
    names = [each["patch"]["value"]["name"] for each in reversed(inserted)]
    assert names == ["situs.credentials", "situs.tokens", "envoy.filters.http.ext_proc"]


def test_the_token_stays_for_istios_own_check_only_where_there_is_one() -> None:
    def forwards(istio: IstioMesh) -> bool:
        inserted = patches(rendered(mesh_with(istio))["gateway.yaml"], "HTTP_FILTER", "INSERT_FIRST")
        provider = inserted[1]["patch"]["value"]["typed_config"]["providers"]["situs_tokens"]
        return bool(provider.get("forward", False))

    assert not forwards(GATEWAY)
    assert forwards(replace(GATEWAY, tokens=Tokens(jwks_uri="https://id.example/keys")))


@pytest.mark.parametrize("tokens", [Tokens(jwks_uri="https://id.example/keys"), Tokens(jwks="{}")])
def test_istios_own_check_of_tokens_passes_nothing_on(tokens: Tokens) -> None:
    found = one(rendered(mesh_with(replace(GATEWAY, tokens=tokens)))["security.yaml"], "RequestAuthentication")
    (rule,) = found["spec"]["jwtRules"]
    assert rule["issuer"] == JWT.issuer
    assert rule["audiences"] == ["inference"]
    assert rule["forwardOriginalToken"] is False
    assert rule.get("jwksUri") == tokens.jwks_uri
    assert rule.get("jwks") == tokens.jwks


def test_cells_admit_deciding_proxies_only() -> None:
    cells = CellPods(namespace="cells", labels={"app": "cell"})
    found = rendered(mesh_with(replace(GATEWAY, outbound=OUTBOUND, cells=cells)))
    assert one(found["regions.yaml"], "ServiceEntry", "r0")["spec"]["location"] == "MESH_INTERNAL"
    strict = one(found["security.yaml"], "PeerAuthentication", "situs-cells")
    assert strict["spec"] == {"selector": {"matchLabels": {"app": "cell"}}, "mtls": {"mode": "STRICT"}}
    admitted = one(found["security.yaml"], "AuthorizationPolicy")["spec"]
    assert admitted["action"] == "ALLOW"
    (rule,) = admitted["rules"]
    assert [each["source"]["principals"] for each in rule["from"]] == [
        ["cluster.local/ns/istio-ingress/sa/istio-ingress"],
        ["cluster.local/ns/shop/sa/*", "cluster.local/ns/till/sa/*"],
    ]
    policy = one(found["network.yaml"], "NetworkPolicy", "situs-cells")["spec"]
    assert policy["ingress"][0]["from"][0] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-ingress"}},
        "podSelector": {"matchLabels": {"istio": "ingress"}},
    }
    assert len(policy["ingress"][0]["from"]) == 3


def test_the_network_lets_clients_reach_the_listener_and_no_admin_port() -> None:
    policy = one(rendered(mesh_with(GATEWAY))["network.yaml"], "NetworkPolicy", "situs-gateway")["spec"]
    assert [each["port"] for each in policy["ingress"][0]["ports"]] == [8443, 15021, 15020]


def test_a_sidecar_elsewhere_is_reached_by_deciding_proxies_only() -> None:
    mesh = mesh_with(GATEWAY, sidecar=TcpAddress(address="situs.situs-system.svc", port=9000), workers=2)
    policy = one(rendered(mesh)["network.yaml"], "NetworkPolicy", "situs-sidecar")
    assert policy["metadata"]["namespace"] == "situs-system"
    assert [each["port"] for each in policy["spec"]["ingress"][0]["ports"]] == [9000, 9001]


def test_applications_have_no_way_past_the_decision() -> None:
    resources = rendered(mesh_with(IstioMesh(outbound=OUTBOUND)))["outbound.yaml"]
    assert one(resources, "ServiceEntry")["spec"]["hosts"] == ["inference.situs.internal"]
    refused = one(resources, "VirtualService", "situs-regions")["spec"]
    assert refused["hosts"] == ["r0.cells.situs.internal", "r1.cells.situs.internal"]
    assert refused["http"][0]["directResponse"]["status"] == 503
    filters = [each for each in resources if each["kind"] == "EnvoyFilter"]
    assert [each["metadata"]["namespace"] for each in filters] == ["shop", "till"]
    removed = [each["match"] for each in filters[0]["spec"]["configPatches"] if each["patch"]["operation"] == "REMOVE"]
    assert removed == [
        {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"portNumber": 8100, "vhost": {"name": "allow_any"}}},
        {
            "context": "SIDECAR_OUTBOUND",
            "listener": {"portNumber": 8100, "filterChain": {"name": "PassthroughFilterChain"}},
        },
    ]


def test_the_sidecar_is_put_beside_the_proxy() -> None:
    mesh = mesh_with(
        replace(GATEWAY, sidecar=SIDECAR, proxy_files=KEYS), sidecar=UnixSocket(unix="/run/situs/situs.sock")
    )
    found = rendered(mesh, replace(CLAIMS, trusted_hops=2))
    pod = found["deployment-patch.yaml"][0]["spec"]["template"]
    (template,) = documents(found["injection.yaml"][0]["sidecarInjectorWebhook"]["templates"]["situs"])
    assert template == pod
    assert pod["metadata"]["annotations"]["proxy.istio.io/config"] == '{"gatewayTopology": {"numTrustedProxies": 2}}'
    (proxy,) = pod["spec"]["containers"]
    (situs,) = pod["spec"]["initContainers"]
    assert proxy["name"] == "istio-proxy"
    shared = {"name": "situs-socket", "mountPath": "/run/situs"}
    assert proxy["volumeMounts"][0] == situs["volumeMounts"][0] == shared
    assert situs["securityContext"]["runAsUser"] == 1337
    assert situs["securityContext"]["readOnlyRootFilesystem"] is True
    listen = situs["args"].index("--listen")
    assert situs["args"][listen + 1] == "unix:/run/situs/situs.sock"
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    mounted = {each["name"] for each in (*proxy["volumeMounts"], *situs["volumeMounts"])}
    assert mounted == set(volumes)
    assert volumes["situs-proxy-0"]["secret"]["secretName"] == "keys"


def test_without_a_claim_the_log_lies_in_the_pod() -> None:
    mesh = mesh_with(replace(GATEWAY, sidecar=replace(SIDECAR, log_claim=None)))
    mesh = replace(mesh, sidecar=UnixSocket(unix="/run/situs/situs.sock"))
    pod = rendered(mesh)["deployment-patch.yaml"][0]["spec"]["template"]["spec"]
    assert {"name": "situs-state", "emptyDir": {}} in pod["volumes"]


def test_a_claim_is_mounted_read_only() -> None:
    geo = FileSource(kind=SourceKind.CLAIM, name="geo")
    mesh = mesh_with(replace(GATEWAY, sidecar=replace(SIDECAR, files={"/geo": geo})))
    pod = rendered(mesh, tables=tables_of(2))["deployment-patch.yaml"][0]["spec"]["template"]["spec"]
    found = {"name": "situs-files-0", "persistentVolumeClaim": {"claimName": "geo", "readOnly": True}}
    assert found in pod["volumes"]


def refusal(mesh: Mesh, reading: Reading = CLAIMS, tables: PolicyTables | None = None) -> str:
    with pytest.raises(ValueError, match="Mend: ") as caught:
        render_tables(tables or tables_of(2), reading, mesh, "")
    return str(caught.value)


OUTBOUND_ONLY = IstioMesh(outbound=OUTBOUND)
NO_PLACE = replace(READING, geo=GeoRules())


@pytest.mark.parametrize(
    ("mesh", "reading", "said"),
    [
        (mesh_with(None), CLAIMS, "does not say where in Istio"),
        (mesh_with(replace(GATEWAY, tokens=Tokens(jwks="{}")), jwt=None), READING, "nothing says whose"),
        (mesh_with(GATEWAY), CERTIFICATES, "nothing verifies client certificates"),
        (mesh_with(OUTBOUND_ONLY), replace(CLAIMS, trusted_hops=1), "counts 1 proxies in front"),
        (mesh_with(OUTBOUND_ONLY), CERTIFICATES, "an application shows no certificate"),
        (mesh_with(OUTBOUND_ONLY), NO_PLACE, "every request would be refused"),
        (
            mesh_with(replace(GATEWAY, sidecar=SIDECAR), sidecar=TcpAddress(address="10.0.0.1", port=9000)),
            CLAIMS,
            "puts the sidecar beside the proxy",
        ),
        (
            mesh_with(replace(GATEWAY, sidecar=SIDECAR), sidecar=UnixSocket(unix="/situs.sock")),
            CLAIMS,
            "cannot be shared between containers",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(mesh: Mesh, reading: Reading, said: str) -> None:
    assert said in refusal(mesh, reading)


def test_policy_and_mesh_have_the_same_regions() -> None:
    assert "differ in regions: r2" in refusal(mesh_with(GATEWAY), tables=tables_of(3))


def test_an_assumed_place_will_do_for_applications() -> None:
    tables = replace(tables_of(2), assume=(Jurisdiction("DE"),))
    assert "outbound.yaml" in rendered(mesh_with(OUTBOUND_ONLY), NO_PLACE, tables)


@pytest.mark.slow
def test_the_example_renders() -> None:
    with (
        as_file(files("extproc.policy") / "examples" / "demo.yaml") as policy_file,
        as_file(files("extproc.mesh") / "examples" / "istio.yaml") as mesh_file,
    ):
        policy = load_policy(policy_file)
        mesh = load_mesh(mesh_file, policy.tables, policy.reading)
    found = render_istio(policy, mesh, "The example.").files
    assert list(found) == [
        "regions.yaml",
        "gateway.yaml",
        "security.yaml",
        "network.yaml",
        "injection.yaml",
        "deployment-patch.yaml",
    ]
    manager = patches(documents(found["gateway.yaml"]), "NETWORK_FILTER", "MERGE")[0]["patch"]["value"]["typed_config"]
    assert manager["xff_num_trusted_hops"] == policy.reading.trusted_hops == 1
    # Only where no proxy is counted does the header go.
    assert len(manager["early_header_mutation_extensions"]) == 1
