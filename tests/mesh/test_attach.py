"""The attachment to an Envoy that is there already: what is theirs stays, and what asks for a model is decided."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from mesh.example import READING, mesh_of, tables_of
from mesh.world import Cell, World, running_world, wait_for

from extproc.core.ids import RegionId
from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.envoy.attach import AttachError, attach
from extproc.mesh.envoy.fragment import PLACES, render_fragment
from extproc.mesh.section import Jwt, Mesh
from extproc.names import ATTEMPT_LOG, REQUEST_LOG
from extproc.wire.access_log import AccessLogReader

MODELS = "models.acme.example"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

THEIRS = """\
# The front door of Acme. Ask the network team before you change it.
static_resources:
  listeners:
    - name: front
      address: {{socket_address: {{address: 127.0.0.1, port_value: {listener}}}}}
      filter_chains:
        - filters:
            - name: web
              typed_config:
                "@type": {manager}
                stat_prefix: front   # dashboards know it by this name
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: shop
                      domains: [{domains}]
                      routes:
                        - match: {{prefix: /}}
                          route: {{cluster: shop}}
  clusters:
    - name: shop
      connect_timeout: 1s
      load_assignment:
        cluster_name: shop
        endpoints:
          - lb_endpoints:
              - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {shop}}}}}}}
admin:
  address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}
"""


def theirs(path: Path, *, listener: int = 10000, admin: int = 9901, shop: int = 8080, domains: str = '"*"') -> Path:
    path.write_text(THEIRS.format(listener=listener, admin=admin, shop=shop, domains=domains, manager=MANAGER))
    return path


def attached(path: Path, *listeners: str, mesh: Mesh | None = None) -> str:
    mesh = mesh or replace(mesh_of([9001, 9002]), hosts=(MODELS,))
    return attach(path, render_fragment(tables_of(2), READING, mesh), listeners=listeners)


def test_what_they_wrote_stays_with_its_comments_in_its_order(tmp_path: Path) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    lines = attached(path).splitlines()
    left = iter(lines)
    for line in path.read_text().splitlines():
        assert any(line.split() == each.split() for each in left), f"lost or moved: {line}"


def test_our_reasons_stand_beside_their_fields(tmp_path: Path) -> None:
    lines = attached(theirs(tmp_path / "envoy.yaml")).splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip().startswith("message_timeout"))
    assert lines[at - 1].lstrip().startswith("# Envoy's default of 0.2 s")
    assert len(lines[at - 1]) - len(lines[at - 1].lstrip()) == len(lines[at]) - len(lines[at].lstrip())


def test_other_hosts_are_neither_decided_nor_asked_for_tokens(tmp_path: Path) -> None:
    jwt = Jwt(issuer="https://id.example", audiences=("inference",), jwks_file="/etc/situs/jwks.json")
    mesh = replace(mesh_of([9001, 9002]), hosts=(MODELS,), jwt=jwt)
    config = yaml.safe_load(attached(theirs(tmp_path / "envoy.yaml"), mesh=mesh))
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    shop, ours = manager["route_config"]["virtual_hosts"]
    off = {name: each["disabled"] for name, each in shop["typed_per_filter_config"].items()}
    assert off == {"envoy.filters.http.ext_proc": True, "envoy.filters.http.jwt_authn": True}
    assert ours["domains"] == [MODELS, f"{MODELS}:*"]
    assert "typed_per_filter_config" not in ours


def _manager_with(path: Path, *lines: str) -> Path:
    first = "stat_prefix: front   # dashboards know it by this name\n"
    text = theirs(path).read_text()
    assert first in text
    path.write_text(text.replace(first, first + "".join(f"                {line}\n" for line in lines)))
    return path


def test_what_they_strip_early_is_still_stripped_and_before_ours(tmp_path: Path) -> None:
    kind = "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    own = f'[{{name: own, typed_config: {{"@type": {kind}, mutations: [{{remove: x-internal-user}}]}}}}]'
    path = _manager_with(tmp_path / "envoy.yaml", f"early_header_mutation_extensions: {own}")
    manager = _manager_of(attached(path))
    first, last = manager["early_header_mutation_extensions"]
    assert first["typed_config"]["mutations"] == [{"remove": "x-internal-user"}]
    assert {"remove_on_match": {"key_matcher": {"prefix": "x-situs-"}}} in last["typed_config"]["mutations"]


def test_their_timeouts_stay_where_there_are_any(tmp_path: Path) -> None:
    lines = ("stream_idle_timeout: 3600s", "request_timeout: 0s", "common_http_protocol_options: {idle_timeout: 0.5s}")
    manager = _manager_of(attached(_manager_with(tmp_path / "envoy.yaml", *lines)))
    assert manager["stream_idle_timeout"] == "3600s"
    assert manager["request_timeout"] == "60s"
    options = manager["common_http_protocol_options"]
    assert options == {"idle_timeout": "0.5s", "headers_with_underscores_action": "REJECT_REQUEST"}


def test_an_edge_that_the_policy_knows_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    hops = _manager_of(attached(theirs(path))).get("xff_num_trusted_hops", 0)
    attached(_manager_with(path, f"xff_num_trusted_hops: {hops}"))
    with pytest.raises(AttachError, match="xff_num_trusted_hops is 7, and the policy's edge counts"):
        attached(_manager_with(path, "xff_num_trusted_hops: 7"))


def _manager_of(text: str) -> dict[str, Any]:
    listener = yaml.safe_load(text)["static_resources"]["listeners"][0]
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def test_the_fragment_says_of_each_piece_where_it_belongs() -> None:
    text = render_fragment(tables_of(2), READING, mesh_of([9001, 9002])).text(heading="Ours.")
    assert set(yaml.safe_load(text)) == set(PLACES)
    for place in PLACES.values():
        assert place[:40] in text


def _with_a_second_listener(text: str) -> str:
    listeners, clusters = text.split("  clusters:")
    second = listeners.split("  listeners:\n")[1].replace("front", "back")
    return f"{listeners}{second}  clusters:{clusters}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("HttpConnectionManager", "Other", "none takes HTTP"),
        ("name: shop", "name: c0>c1", "has a cluster 'c0>c1' already"),
        ("http.router.v3.Router", "http.other.v3.Other", "does not end with the router"),
        ("route_config:", "elsewhere:", "come from a control plane"),
        ('["*"]', f"[{MODELS}]", "take them from that virtual host"),
        ('["*"]', f'["{MODELS}:8443"]', "take them from that virtual host"),
        (
            "- name: shop\n                      domains",
            "- name: situs\n                      domains",
            "named situs too",
        ),
    ],
)
def test_what_cannot_be_attached_to_is_refused_with_the_mend(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AttachError, match="Mend: ") as refused:
        attached(path)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "holds no configuration of Envoy"),
        ("a: [\n", "is no YAML"),
        ("a: 1\na: 2\n", "is no YAML"),
        ("static_resources: 1\n", "static_resources is no mapping"),
        ("static_resources: {listeners: {}}\n", "listeners is no list"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(text)
    with pytest.raises(AttachError, match="Mend: ") as refused:
        attached(path)
    assert says in str(refused.value)


def test_of_several_listeners_one_is_chosen(tmp_path: Path) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    path.write_text(_with_a_second_listener(path.read_text()))
    with pytest.raises(AttachError, match="front, back"):
        attached(path)
    with pytest.raises(AttachError, match="no listener side"):
        attached(path, "side")
    front, back = yaml.safe_load(attached(path, "back"))["static_resources"]["listeners"]
    assert "ext_proc" not in str(front)
    assert "ext_proc" in str(back)


def test_several_listeners_are_attached_together_and_have_the_clusters_once(tmp_path: Path) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    path.write_text(_with_a_second_listener(path.read_text()))
    resources = yaml.safe_load(attached(path, "back", "front", "back"))["static_resources"]
    for listener in resources["listeners"]:
        assert str(listener).count("ext_proc.v3.ExternalProcessor") == 1
    names = [cluster["name"] for cluster in resources["clusters"]]
    assert len(names) == len(set(names))


def test_json_and_braces_are_written_as_lines_that_can_be_read_again(tmp_path: Path) -> None:
    path = theirs(tmp_path / "envoy.json")
    shown = yaml.safe_load(attached(path))
    path.write_text(json.dumps(yaml.safe_load(path.read_text())))
    assert yaml.safe_load(attached(path)) == shown


def test_what_is_there_and_empty_is_added_to(tmp_path: Path) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    written = path.read_text().replace("stat_prefix:", "access_log:\n                stat_prefix:")
    path.write_text(written.replace("routes:", "typed_per_filter_config:\n                      routes:"))
    assert yaml.safe_load(attached(path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stat_prefix:", "useRemoteAddress: false\n                stat_prefix:"),
        ("routes:", "typedPerFilterConfig: {}\n                      routes:"),
    ],
)
def test_a_field_in_camel_case_beside_which_ours_would_stand_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AttachError, match="camelCase"):
        attached(path)


def test_routes_that_another_listener_has_by_an_alias_are_refused(tmp_path: Path) -> None:
    """Ours would be there too, and nothing would be decided: a client would write the plan."""
    path = theirs(tmp_path / "envoy.yaml")
    text = _with_a_second_listener(path.read_text().replace("route_config:", "route_config: &routes"))
    front, back = text.split("    - name: back")
    own, clusters = back.split("                route_config: &routes")
    alias = "                route_config: *routes\n  clusters:" + clusters.split("  clusters:")[1]
    path.write_text(f"{front}    - name: back{own}{alias}")
    for name in ("front", "back"):
        with pytest.raises(AttachError, match="alias"):
            attached(path, name)


TLS = """\
          transport_socket:
            name: tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context: {context}
"""


@pytest.mark.parametrize(
    ("context", "verifies"),
    [
        ("{validation_context: {trusted_ca: {filename: /ca.pem}}}", True),
        ("{validation_context_sds_secret_config: {name: clients}}", True),
        ("{combined_validation_context: {validation_context_sds_secret_config: {name: clients}}}", True),
        ("{}", False),
        ("{validation_context: {trusted_ca: {filename: /ca.pem}, trust_chain_verification: ACCEPT_UNTRUSTED}}", False),
    ],
)
def test_spiffe_ids_are_read_only_where_somebody_verifies_them(tmp_path: Path, context: str, *, verifies: bool) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    path.write_text(path.read_text().replace("  clusters:\n", f"{TLS.replace('{context}', context)}  clusters:\n", 1))
    fragment = replace(
        render_fragment(tables_of(2), READING, replace(mesh_of([9001, 9002]), hosts=(MODELS,))), certificates=True
    )
    if verifies:
        assert "ext_proc" in attach(path, fragment)
    else:
        with pytest.raises(AttachError, match="verifies no client certificates"):
            attach(path, fragment)


def test_attaching_twice_is_refused(tmp_path: Path) -> None:
    path = theirs(tmp_path / "envoy.yaml")
    path.write_text(attached(path))
    with pytest.raises(AttachError):
        attached(path)


@pytest.fixture(params=["newest", "oldest"], scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Cell]]:
    binary = request.getfixturevalue("envoy_binary" if request.param == "newest" else "oldest_envoy")
    directory = tmp_path_factory.mktemp("attached")
    shop = Cell()

    def configure(tables: PolicyTables, reading: Reading, mesh: Mesh) -> str:
        path = theirs(directory / "theirs.yaml", listener=mesh.listener.port, admin=mesh.admin.port, shop=shop.port)
        return attach(path, render_fragment(tables, reading, mesh))

    try:
        with running_world(
            binary, directory, change=lambda mesh: replace(mesh, hosts=(MODELS,)), configure=configure
        ) as running:
            yield running, shop
    finally:
        shop.close()


@pytest.mark.e2e
@pytest.mark.slow
class TestRunning:
    """In a real Envoy."""

    @pytest.mark.parametrize("host", [MODELS, f"{MODELS}:10000"])
    def test_a_request_for_a_model_goes_where_it_was_decided(self, world: tuple[World, Cell], host: str) -> None:
        running, shop = world
        running.forget()
        shop.requests.clear()
        answer = running.get("route c1>c0", host=host)
        assert answer.status_code == httpx.codes.OK
        assert running.asked() == [0, 1, 0]
        assert not shop.requests
        decision = answer.headers["x-situs-decision"]
        wait_for("the log of the request", lambda: running.sidecar.logged(REQUEST_LOG, decision))
        entries = wait_for("the log of the attempt", lambda: running.sidecar.logged(ATTEMPT_LOG, decision))
        assert [entry.common_properties.upstream_cluster for entry in entries] == ["c1"]

    def test_what_was_not_decided_is_refused(self, world: tuple[World, Cell]) -> None:
        running, shop = world
        running.forget()
        shop.requests.clear()
        assert running.get("none", host=MODELS, x_situs_route="c0").status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert running.asked() == [0, 0, 0]
        assert not shop.requests

    def test_all_other_hosts_are_served_as_before_and_nobody_is_asked(self, world: tuple[World, Cell]) -> None:
        running, shop = world
        running.forget()
        shop.requests.clear()
        seen = len(running.sidecar.seen)
        assert running.get("route c0", host="shop.acme.example", x_situs_route="c0").status_code == httpx.codes.OK
        assert len(shop.requests) == 1
        assert running.asked() == [0, 0, 0]
        assert len(running.sidecar.seen) == seen

    def test_what_envoy_reports_of_other_hosts_is_not_taken_for_ours(self, world: tuple[World, Cell]) -> None:
        running, _ = world
        assert running.get("none", host="shop.acme.example:10000").status_code == httpx.codes.OK
        message = StreamAccessLogsMessage()
        message.identifier.log_name = ATTEMPT_LOG
        shop = wait_for("the attempt at the shop", lambda: _attempts_at(running, "shop"))
        message.http_logs.log_entry.extend(shop)
        told = message.SerializeToString()
        assert not list(AccessLogReader(running_regions, (MODELS,)).read(told))
        assert len(list(AccessLogReader(running_regions).read(told))) == len(shop)


def running_regions(cluster: str) -> RegionId | None:
    return RegionId(cluster) if cluster.startswith("c") else None


def _attempts_at(running: World, cluster: str) -> list[HTTPAccessLogEntry]:
    entries = list(running.sidecar.entries)
    return [each for log, each in entries if log == ATTEMPT_LOG and each.common_properties.upstream_cluster == cluster]
