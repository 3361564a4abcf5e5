"""What is rendered about TLS, without an Envoy."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mesh.example import READING, mesh_of, tables_of
from ruamel.yaml import YAML

from extproc.core.ids import RegionId, TenantId
from extproc.core.reading import TenantBindings
from extproc.mesh.envoy import format_bootstrap, render_bootstrap, render_secrets
from extproc.mesh.section import ListenerTls, Mesh, PeerTls, SidecarAddress, TcpAddress, UnixSocket
from extproc.names import SIDECAR_CLUSTER

PEERS = PeerTls(
    certificate="/t/envoy.pem",
    key="/t/envoy.key",
    authorities="/t/authorities.pem",
    identity="spiffe://acme.example/envoy",
    sidecar="spiffe://acme.example/sidecar",
)
LISTENER = ListenerTls(certificate="/t/listener.pem", key="/t/listener.key")
VERIFYING = replace(LISTENER, clients="/t/clients.pem")


def mesh(
    *, tls: PeerTls | None = PEERS, listener: ListenerTls | None = None, sidecar: SidecarAddress | None = None
) -> Mesh:
    plain = mesh_of([9001, 9002], sidecar=sidecar or TcpAddress(address="sidecar.internal", port=9000))
    regions = {
        region: replace(endpoints, identity=f"spiffe://acme.example/cells/{region}" if tls else None)
        for region, endpoints in plain.regions.items()
    }
    return replace(plain, tls=tls, listener_tls=listener, regions=regions, directory="/etc/proxy/")


def loaded(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return fields


def rendered(written: Mesh) -> dict[str, Any]:
    return loaded(format_bootstrap(render_bootstrap(tables_of(2), READING, written)))


def clusters(written: Mesh) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in rendered(written)["static_resources"]["clusters"]}


def chain(written: Mesh) -> dict[str, Any]:
    fields: dict[str, Any] = rendered(written)["static_resources"]["listeners"][0]["filter_chains"][0]
    return fields


def tls_of(fields: dict[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = fields["transport_socket"]["typed_config"]
    return context


def test_without_tls_there_is_none() -> None:
    plain = mesh(tls=None)
    assert "transport_socket" not in str(rendered(plain))
    assert "max_connection_duration" not in str(rendered(plain))
    assert render_secrets(plain) == {}


@pytest.mark.parametrize(
    ("cluster", "identity", "protocol"),
    [("c0", "cells/r0", "http/1.1"), ("c1", "cells/r1", "http/1.1"), (SIDECAR_CLUSTER, "sidecar", "h2")],
)
def test_each_peer_must_be_exactly_who_the_file_says(cluster: str, identity: str, protocol: str) -> None:
    context = tls_of(clusters(mesh())[cluster])
    common = context["common_tls_context"]
    believed = common["combined_validation_context"]
    assert believed["default_validation_context"] == {
        "match_typed_subject_alt_names": [
            {"san_type": "URI", "matcher": {"exact": f"spiffe://acme.example/{identity}"}}
        ]
    }
    assert common["tls_params"] == {
        "tls_minimum_protocol_version": "TLSv1_3",
        "tls_maximum_protocol_version": "TLSv1_3",
    }
    assert common["alpn_protocols"] == [protocol]
    (shown,) = common["tls_certificate_sds_secret_configs"]
    told = [believed["validation_context_sds_secret_config"], shown]
    assert [(each["name"], each["sds_config"]["path_config_source"]) for each in told] == [
        ("authorities", {"path": "/etc/proxy/sds-authorities.yaml"}),
        ("peer", {"path": "/etc/proxy/sds-peer.yaml"}),
    ]
    assert context["max_session_keys"] == 0


def test_plans_have_no_endpoints_and_so_no_tls() -> None:
    assert "transport_socket" not in clusters(mesh())["c0>c1"]


def test_a_sidecar_on_a_unix_socket_speaks_plainly() -> None:
    found = clusters(mesh(sidecar=UnixSocket(unix="/run/situs.sock")))
    assert "transport_socket" not in found[SIDECAR_CLUSTER]
    assert "transport_socket" in found["c0"]


def test_a_name_is_asked_for_where_all_endpoints_share_it() -> None:
    found = clusters(mesh())
    assert tls_of(found[SIDECAR_CLUSTER])["sni"] == "sidecar.internal"
    assert "sni" not in tls_of(found["c0"])
    for hosts, name in ((("a.internal", "a.internal"), "a.internal"), (("a.internal", "b.internal"), None)):
        written = mesh()
        places = tuple(TcpAddress(address=host, port=9000 + i) for i, host in enumerate(hosts))
        region = replace(written.regions[RegionId("r0")], endpoints=places)
        found = clusters(replace(written, regions={**written.regions, RegionId("r0"): region}))
        assert tls_of(found["c0"]).get("sni") == name


def test_connections_to_peers_are_made_anew_now_and_then() -> None:
    found = clusters(replace(mesh(), timeouts=replace(mesh().timeouts, connection_s=30)))
    for name in ("c0", "c1", SIDECAR_CLUSTER):
        (options,) = found[name]["typed_extension_protocol_options"].values()
        assert options["common_http_protocol_options"]["max_connection_duration"] == "30s"
    assert found["c0"]["health_checks"][0]["reuse_connection"] is False


def test_a_listener_that_asks_for_no_certificate() -> None:
    context = tls_of(chain(mesh(listener=LISTENER)))
    common = context["common_tls_context"]
    assert common["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_2"}
    assert common["alpn_protocols"] == ["h2", "http/1.1"]
    assert "validation" not in str(context)
    assert "require_client_certificate" not in context
    assert "resumption" not in str(context)


@pytest.mark.parametrize("required", [True, False])
def test_a_listener_that_verifies_certificates(*, required: bool) -> None:
    found = chain(mesh(listener=replace(VERIFYING, required=required)))
    context = tls_of(found)
    common = context["common_tls_context"]
    assert common["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_3"}
    assert common["validation_context_sds_secret_config"]["name"] == "clients"
    assert context.get("require_client_certificate", False) is required
    assert context["disable_stateless_session_resumption"] is True
    assert context["disable_stateful_session_resumption"] is True
    assert found["transport_socket_connect_timeout"] == "10s"
    manager = found["filters"][0]["typed_config"]
    assert manager["http1_safe_max_connection_duration"] is True
    assert "forward_client_cert_details" not in manager  # by default the client's is dropped, and ours not written


def test_the_files_of_secrets() -> None:
    files = render_secrets(mesh(listener=VERIFYING), heading="Rendered.")
    secrets: dict[str, Any] = {}
    for name, text in files.items():
        assert text.startswith("# Rendered.\n")
        (secret,) = loaded(text)["resources"]
        assert secret.pop("@type") == "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        assert name == f"sds-{secret['name']}.yaml"
        secrets[secret.pop("name")] = secret
    assert secrets == {
        "listener": _pair("/t/listener.pem", "/t/listener.key"),
        "clients": {"validation_context": {"trusted_ca": {"filename": "/t/clients.pem"}}},
        "peer": _pair("/t/envoy.pem", "/t/envoy.key"),
        "authorities": {"validation_context": {"trusted_ca": {"filename": "/t/authorities.pem"}}},
    }


def _pair(certificate: str, key: str) -> dict[str, Any]:
    return {"tls_certificate": {"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}}


def test_only_what_is_named_has_a_file() -> None:
    assert set(render_secrets(mesh(tls=None, listener=LISTENER))) == {"sds-listener.yaml"}
    assert set(render_secrets(mesh())) == {"sds-peer.yaml", "sds-authorities.yaml"}


@pytest.mark.parametrize("listener", [None, LISTENER])
@pytest.mark.parametrize(
    "bindings",
    [
        TenantBindings(by_spiffe={"spiffe://acme.example/scorer": TenantId("acme")}),
        TenantBindings(below_spiffe={"spiffe://acme.example/": TenantId("acme")}),
    ],
)
def test_a_policy_that_goes_by_certificates_needs_somebody_to_verify_them(
    listener: ListenerTls | None, bindings: TenantBindings
) -> None:
    reading = replace(READING, bindings=bindings)
    with pytest.raises(ValueError, match=r"the listener verifies none\. Mend: add to the mesh file's listener 'tls:"):
        render_bootstrap(tables_of(2), reading, mesh(listener=listener))
    render_bootstrap(tables_of(2), reading, mesh(listener=VERIFYING))


def test_nothing_secret_is_rendered(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("of nobody's business")
    written = mesh(listener=replace(VERIFYING, key=str(key)))
    for text in (*render_secrets(written).values(), str(rendered(written))):
        assert "business" not in text
