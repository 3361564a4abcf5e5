"""The linter is silent on everything that is rendered, for any policy and mesh file."""

import json
from dataclasses import replace
from importlib.resources import as_file, files
from typing import Any

import pytest
from mesh.check.breaking import HTTP, TYPES, Break, one_more_listener
from mesh.check.rendered import CLAIMS, JWT, PAYLOAD, Rendered, config_of, findings
from mesh.example import READING, mesh_of, tables_of
from mesh.istio.proxies import PORTS, istio_of, proxy_config
from mesh.test_validate import NO_KEYS

from extproc.core.ids import DataClass, RegionId, TenantId
from extproc.core.payload import Detector, PayloadReading
from extproc.core.reading import Reading
from extproc.mesh.check.config import Expected
from extproc.mesh.check.rules import check_envoy
from extproc.mesh.istio.section import IstioMesh, Tokens
from extproc.mesh.parse import load_mesh
from extproc.mesh.section import Endpoints, EnvoyVersion, Retries, SidecarAddress, TcpAddress, UnixSocket
from extproc.policy.load import load_policy

MESHES = ("demo.yaml", "tls.yaml", "gateway-api.yaml")


@pytest.mark.parametrize(
    ("regions", "plan_length", "hops", "sidecar", "workers"),
    [
        (1, 1, 0, UnixSocket(unix="/run/situs.sock"), 1),
        (1, 3, 1, TcpAddress(address="127.0.0.1", port=8000), 64),
        (2, 1, 2, TcpAddress(address="sidecar.internal", port=9000), 1),
        (3, 3, 0, TcpAddress(address="::1", port=9000), 2),
        (4, 2, 2, UnixSocket(unix="/run/situs.sock"), 3),
    ],
)
@pytest.mark.parametrize("reading", [READING, CLAIMS, PAYLOAD], ids=["plain", "claims", "payload"])
def test_it_is_silent_on_what_is_rendered(  # noqa: PLR0913 - one for each thing that varies
    *, regions: int, plan_length: int, hops: int, sidecar: SidecarAddress, workers: int, reading: Reading
) -> None:
    mesh = mesh_of([9001 + i for i in range(regions)], sidecar=sidecar)
    mesh = replace(mesh, workers=workers, jwt=JWT if reading is CLAIMS else None)
    tables = tables_of(regions, plan_length=plan_length)
    assert findings(Rendered(reading=replace(reading, trusted_hops=hops), mesh=mesh, tables=tables)) == []


def test_it_is_silent_on_addresses_of_all_kinds_and_no_retries() -> None:
    places = ("Cells.internal.", "0:0::1", "127.0.0.1")
    endpoints = Endpoints(endpoints=tuple(TcpAddress(address=place, port=9001) for place in places))
    mesh = replace(mesh_of([9001]), retries=Retries(at_least=0, statuses=(), budget_percent=0, budget_floor=0))
    mesh = replace(mesh, regions={RegionId("r0"): endpoints})
    assert findings(Rendered(mesh=mesh, tables=tables_of(1))) == []


def test_it_is_silent_on_what_reads_payloads_for_the_oldest_envoy_and_on_no_other_script() -> None:
    rendered = Rendered(reading=PAYLOAD, mesh=replace(mesh_of([9001, 9002, 9003]), oldest_envoy=EnvoyVersion.V1_36))
    assert findings(rendered) == []
    script = rendered.filter("lua")["typed_config"]["default_source_code"]
    script["inline_string"] = script["inline_string"].replace("clear", "other")
    assert {one.rule.id for one in findings(rendered)} == {"filter-behind-decision", "reroute-missing"}


def _their_filters(rendered: Rendered) -> None:
    filters = rendered.manager["http_filters"]
    for name in ("cors.v3.Cors", "ratelimit.v3.RateLimit", "lua.v3.Lua", "ext_authz.v3.ExtAuthz", "oauth2.v3.OAuth2"):
        filters.insert(0, {"name": name, "typed_config": {"@type": f"{HTTP}.{name}"}})
    fault = {"@type": f"{HTTP}.fault.v3.HTTPFault", "upstream_cluster": "c0"}
    filters.insert(-1, {"name": "fault", "typed_config": fault})
    for name in ("compressor.v3.Compressor", "rbac.v3.RBAC", "grpc_stats.v3.FilterConfig"):
        filters.insert(-1, {"name": name, "typed_config": {"@type": f"{HTTP}.{name}"}})


def _their_shop(rendered: Rendered) -> None:
    copies = {"cluster": "shop", "request_mirror_policies": [{"cluster": "shadow"}], "prefix_rewrite": "/x"}
    shop = {"name": "shop", "domains": ["shop.example"], "routes": [{"match": {"prefix": "/"}, "route": copies}]}
    rendered.manager["route_config"]["virtual_hosts"].append(shop)
    rendered.clusters.extend([{"name": "shop"}, {"name": "shadow"}])


def _their_logs(rendered: Rendered) -> None:
    traces = {"grpc_service": {"envoy_grpc": {"cluster_name": "otel"}}}
    rendered.manager["tracing"] = {"provider": {"name": "otel", "typed_config": traces}}
    only = {"extension_filter": {"typed_config": {"expression": "xds.cluster_name == 'c2'"}}}
    rendered.manager["access_log"].insert(0, {"name": "file", "filter": only, "typed_config": {"path": "/dev/stdout"}})


def _resolved_by_type(rendered: Rendered) -> None:
    rendered.cluster("c0").pop("type", None)
    resolves = {"@type": f"{TYPES}envoy.extensions.clusters.dns.v3.DnsCluster"}
    rendered.cluster("c0")["cluster_type"] = {"name": "any", "typed_config": resolves}


def _one_more_address(rendered: Rendered) -> None:
    rendered.fields["static_resources"]["listeners"].append({**rendered.listener, "name": "v6"})
    redirects = {"match": {"prefix": "/"}, "redirect": {"https_redirect": True}}
    hosts = [{"name": "all", "domains": ["*"], "routes": [redirects]}]
    manager = {"@type": rendered.manager["@type"], "route_config": {"virtual_hosts": hosts}}
    one_more_listener(**manager)(rendered)


@pytest.mark.parametrize("change", [_their_filters, _their_shop, _their_logs, _resolved_by_type, _one_more_address])
def test_it_is_silent_on_what_an_operator_has_beside_ours(change: Break) -> None:
    rendered = Rendered()
    change(rendered)
    assert findings(rendered) == []


def _reads_all(reading: Reading) -> Reading:
    payload = PayloadReading(
        limit_bytes=64 * 1024,
        unreadable=DataClass("personal"),
        detectors={Detector.IBAN: DataClass("personal")},
    )
    bindings = replace(
        reading.bindings,
        by_host={"clinic.api.example": TenantId("clinic")},
        below_spiffe={"spiffe://acme.example/": TenantId("mesh")},
    )
    return replace(reading, payload=payload, bindings=bindings)


@pytest.mark.slow
@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("reads_all", [False, True], ids=["as-it-is", "reads-all"])
def test_it_is_silent_on_the_examples(name: str, *, reads_all: bool) -> None:
    with (
        as_file(files("extproc.policy") / "examples" / "demo.yaml") as policy_file,
        as_file(files("extproc.mesh") / "examples" / name) as mesh_file,
    ):
        policy = load_policy(policy_file)
        mesh = load_mesh(mesh_file, policy.tables, policy.reading)
    reading = _reads_all(policy.reading) if reads_all else policy.reading
    verifies = mesh.listener_tls is not None and mesh.listener_tls.clients is not None
    if reads_all and not verifies:
        reading = replace(reading, bindings=replace(reading.bindings, below_spiffe={}))
    assert findings(Rendered(reading=reading, mesh=mesh, tables=policy.tables)) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gateway", "outbound"])
def test_it_is_silent_on_what_istio_makes_of_the_rendering(kind: str) -> None:
    mesh = replace(mesh_of([9001, 9002, 9003], listener=PORTS[kind]), jwt=JWT)
    tables = tables_of(3)
    proxy: dict[str, Any] = json.loads(proxy_config(kind, NO_KEYS)(tables, CLAIMS, mesh))
    istio: IstioMesh = istio_of(kind, PORTS[kind], tokens=Tokens(jwks=NO_KEYS))
    expected = Expected(tables=tables, reading=CLAIMS, mesh=replace(mesh, istio=istio))
    assert list(check_envoy(config_of(proxy), expected)) == []


def test_a_mesh_file_with_a_section_for_istio_may_be_rendered_for_envoy_alone() -> None:
    rendered = Rendered()
    rendered.mesh = replace(rendered.mesh, istio=IstioMesh())
    assert findings(rendered) == []
