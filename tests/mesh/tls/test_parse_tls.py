"""The sections about TLS: what is read, and what is refused with which mend."""

from importlib.resources import files

import pytest
from mesh.example import READING, tables_of

from extproc.core.ids import RegionId
from extproc.mesh.parse import load_mesh, mesh_reader
from extproc.mesh.section import ListenerTls, Mesh, PeerTls
from extproc.policy.load import load_policy
from extproc.strict_yaml import DocumentError, read_text

WHOLE = """\
apiVersion: situs/v1
listener:
  address: 0.0.0.0
  port: 10000
  tls: {certificate: /t/listener.pem, key: /t/listener.key, clients: /t/clients.pem, required: true}
sidecar: {address: sidecar.internal, port: 9000}
regions:
  r0: {endpoints: ["10.0.0.1:9001"], identity: "spiffe://acme.example/cells/r0"}
  r1: {endpoints: ["10.0.0.2:9001"], identity: "spiffe://acme.example/cells/r1"}
tls:
  certificate: /t/envoy.pem
  key: /t/envoy.key
  authorities: /t/authorities.pem
  identity: spiffe://acme.example/envoy
  sidecar: spiffe://acme.example/sidecar
"""


def read(text: str) -> Mesh:
    return read_text(text, mesh_reader(tables_of(2), READING), file="mesh.yaml")


def test_every_field_is_read() -> None:
    mesh = read(WHOLE + "directory: /etc/proxy\ntimeouts: {connection_s: 30}\n")
    assert mesh.listener_tls == ListenerTls(
        certificate="/t/listener.pem", key="/t/listener.key", clients="/t/clients.pem", required=True
    )
    assert mesh.tls == PeerTls(
        certificate="/t/envoy.pem",
        key="/t/envoy.key",
        authorities="/t/authorities.pem",
        identity="spiffe://acme.example/envoy",
        sidecar="spiffe://acme.example/sidecar",
    )
    assert mesh.regions[RegionId("r1")].identity == "spiffe://acme.example/cells/r1"
    assert (mesh.directory, mesh.timeouts.connection_s) == ("/etc/proxy", 30)


def test_what_may_be_left_out() -> None:
    text = WHOLE.replace(", clients: /t/clients.pem, required: true", "")
    text = text.replace("address: sidecar.internal, port: 9000", "unix: /run/situs.sock")
    mesh = read(text.replace("  sidecar: spiffe://acme.example/sidecar\n", ""))
    assert mesh.tls is not None
    assert mesh.tls.sidecar is None
    assert mesh.listener_tls is not None
    assert (mesh.listener_tls.clients, mesh.listener_tls.required) == (None, False)
    assert (mesh.directory, mesh.timeouts.connection_s) == ("/etc/envoy", 600)


def test_the_example_is_read() -> None:
    examples = files("extproc.mesh") / "examples"
    policy = load_policy(files("extproc.policy") / "examples" / "demo.yaml")  # type: ignore[arg-type]
    mesh = load_mesh(examples / "tls.yaml", policy.tables, policy.reading)  # type: ignore[arg-type]
    assert mesh.tls is not None
    assert mesh.listener_tls is not None


@pytest.mark.parametrize(
    ("written", "instead", "place", "said"),
    [
        ("key: /t/listener.key, ", "", 5, "'key' is missing"),
        ("clients: /t/clients.pem, ", "", 5, "nothing says who may sign one. Mend: add 'clients:'"),
        ("required: true", "required: yes", 5, "true or false"),
        ("/t/listener.key", "/t/listener.pem", 5, "are one file. Mend: keep the key in a file of its own"),
        ("/t/listener.pem", "t/listener.pem", 5, "is not absolute"),
        ("/t/listener.pem", "/t/..data/listener.pem", 5, "Mend: name the file by its place in the mounted directory"),
        ("/t/clients.pem", "/t/clients/", 5, "is a directory. Mend: name the file in it"),
        ("/t/envoy.key", "/t/envoy.pem", 11, "are one file"),
        ("/t/authorities.pem", "/t/envoy.pem", 11, "the authority of all others"),
        ("  authorities: /t/authorities.pem\n", "", 11, "'authorities' is missing"),
        ("  identity: spiffe://acme.example/envoy\n", "", 11, "'identity' is missing"),
        ("spiffe://acme.example/envoy", "envoy", 14, "'envoy' is no SPIFFE id"),
        ("spiffe://acme.example/envoy", "spiffe://acme.example", 14, "is no SPIFFE id"),
        ("spiffe://acme.example/envoy", "spiffe://Acme.example/envoy", 14, "is no SPIFFE id"),
        ("spiffe://acme.example/envoy", "spiffe://acme.example/a/../b", 14, "is no SPIFFE id"),
        ("spiffe://acme.example/envoy", "spiffe://acme.example/cells/r1", 1, "Envoy and the cells of 'r1' have one"),
        ("spiffe://acme.example/envoy", "spiffe://acme.example/sidecar", 1, "Envoy and the sidecar have one identity"),
        ("cells/r0", "sidecar", 1, "the sidecar and the cells of 'r0' have one identity"),
        ("cells/r0", "cells/r1", 1, "the cells of 'r0' and the cells of 'r1' have one identity. Mend: give each"),
        (', identity: "spiffe://acme.example/cells/r0"', "", 1, "the cells of 'r0' must prove who they are"),
        ("  sidecar: spiffe://acme.example/sidecar\n", "", 1, "Mend: add 'sidecar: spiffe://…' to the 'tls' section"),
        ("tls:\n  certificate", "directory: etc\ntls:\n  certificate", 10, "is not absolute"),
        (
            "tls:\n  certificate",
            "timeouts: {connection_s: 9}\ntls:\n  certificate",
            10,
            "make connection_s at least headers_s",
        ),
        ("tls:\n  certificate", "timeouts: {connection_s: 0}\ntls:\n  certificate", 10, "less than 0.001"),
    ],
)
def test_a_fault_is_reported_with_its_line_and_its_mend(written: str, instead: str, place: int, said: str) -> None:
    assert written in WHOLE
    with pytest.raises(DocumentError) as caught:
        read(WHOLE.replace(written, instead, 1))
    lines = str(caught.value).splitlines()
    assert [line for line in lines if line.startswith(f"mesh.yaml:{place}:") and said in line], lines


def test_an_identity_without_tls_proves_nothing() -> None:
    head, _, _ = WHOLE.partition("tls:\n")
    with pytest.raises(DocumentError, match="there is no 'tls' section to prove one by"):
        read(head)
