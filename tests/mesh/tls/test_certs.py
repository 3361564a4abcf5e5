"""`situs mesh certs`: what it makes, what it says of it, and what it refuses."""

import argparse
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtensionOID, NameOID
from mesh.example import LOOPBACK, mesh_of

from extproc.cli.mesh import certs
from extproc.core.ids import TenantId
from extproc.core.reading import TenantBindings
from extproc.mesh.certs import PURPOSE, LocalAuthority, layout_of_mesh, layout_of_regions
from extproc.mesh.section import ListenerTls, Mesh, PeerTls

POLICY = str(files("extproc.policy") / "examples" / "demo.yaml")
MESH = (files("extproc.mesh") / "examples" / "tls.yaml").read_text(encoding="utf-8")


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    certs.register(parser.add_subparsers())
    args = parser.parse_args(["certs", *map(str, arguments)])
    code: int = args.run(args)
    return code


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(path: Path) -> list[str]:
    found = certificate(path).extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert isinstance(found, x509.SubjectAlternativeName)
    return [str(each.value) for each in found]


def test_every_peer_of_every_region_gets_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "certs"
    assert run("--directory", folder, "--region", "eu-fra", "--region", "us-iad", "--host", "gw.internal") == 0
    peers = ["listener", "envoy", "sidecar", "cell-eu-fra", "cell-us-iad", "client"]
    expected = {"authorities.pem", *(f"{peer}{end}" for peer in peers for end in (".pem", ".key"))}
    assert {path.name for path in folder.iterdir()} == expected
    assert names(folder / "envoy.pem") == ["spiffe://demo.situs/envoy"]
    assert names(folder / "sidecar.pem") == ["spiffe://demo.situs/sidecar"]
    assert names(folder / "cell-us-iad.pem") == ["spiffe://demo.situs/cells/us-iad"]
    assert names(folder / "listener.pem") == ["localhost", LOOPBACK, "::1", "gw.internal"]
    said = capsys.readouterr().out
    assert "FOR TESTS ONLY" in said
    assert all(f"{peer}.pem" in said for peer in peers)


def test_all_are_of_one_authority_and_say_what_they_are_for(tmp_path: Path) -> None:
    began_at = datetime.now(UTC)
    assert run("--directory", tmp_path, "--region", "eu-fra") == 0
    authority = certificate(tmp_path / "authorities.pem")
    for path in tmp_path.glob("*.pem"):
        found = certificate(path)
        found.verify_directly_issued_by(authority)
        (unit,) = found.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        assert unit.value == PURPOSE == "for tests only"
        assert timedelta(hours=23) < found.not_valid_after_utc - began_at < timedelta(hours=25)
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert constraints.ca == (path.name == "authorities.pem")
        if not constraints.ca:
            key = load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
            assert key.public_key() == found.public_key()


def test_nobody_else_may_read_a_key(tmp_path: Path) -> None:
    assert run("--directory", tmp_path / "certs", "--region", "eu-fra", "--keep-ca") == 0
    keys = list((tmp_path / "certs").glob("*.key"))
    assert len(keys) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert stat.S_IMODE((tmp_path / "certs").stat().st_mode) == 0o700


def test_the_authority_s_key_is_kept_only_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--directory", tmp_path / "a", "--region", "eu-fra") == 0
    assert not (tmp_path / "a" / "authority.key").exists()
    assert run("--directory", tmp_path / "b", "--region", "eu-fra", "--keep-ca") == 0
    key = load_pem_private_key((tmp_path / "b" / "authority.key").read_bytes(), password=None)
    assert key.public_key() == certificate(tmp_path / "b" / "authorities.pem").public_key()
    assert "the authority's KEY: whoever has it can be anybody" in capsys.readouterr().out


@pytest.mark.parametrize("there", ["cell-eu-fra.key", "authorities.pem", "authority.key"])
def test_nothing_is_written_over(tmp_path: Path, there: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / there).write_text("precious")
    assert run("--directory", tmp_path, "--region", "eu-fra") == 78
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "precious"}
    assert f"{there} is there, and nothing is written over. Mend: remove it" in capsys.readouterr().err


@pytest.mark.slow
def test_a_mesh_file_gets_what_it_names(tmp_path: Path) -> None:
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text(MESH.replace("/etc/situs/tls", str(tmp_path / "tls")))
    assert run("--directory", tmp_path / "mine", "--policy", POLICY, "--mesh", mesh) == 0
    there, mine = tmp_path / "tls", tmp_path / "mine"
    assert {path.name for path in there.glob("*.pem")} == {
        "listener.pem", "envoy.pem", "clients.pem", "authorities.pem",
    }  # fmt: skip
    assert names(there / "envoy.pem") == ["spiffe://acme.example/envoy"]
    assert names(mine / "sidecar.pem") == ["spiffe://acme.example/sidecar"]
    assert names(mine / "cell-me-dxb.pem") == ["spiffe://acme.example/cells/me-dxb"]
    assert (there / "clients.pem").read_bytes() == (mine / "authorities.pem").read_bytes()


def _mesh(*, listener: ListenerTls | None = None, tls: PeerTls | None = None) -> Mesh:
    plain = mesh_of([9001])
    return Mesh(
        listener=plain.listener,
        sidecar=plain.sidecar,
        regions=plain.regions,
        hosts=("models.acme.example:*", "*"),
        listener_tls=listener,
        tls=tls,
    )


_SHARED = ListenerTls(certificate="/t/envoy.pem", key="/t/envoy.key")


def test_there_is_a_client_for_each_id_that_the_policy_matches() -> None:
    bindings = TenantBindings(
        by_spiffe={"spiffe://a/one": TenantId("acme"), "spiffe://a/two": TenantId("acme")},
        below_spiffe={"spiffe://b/": TenantId("clinic")},
    )
    layout = layout_of_mesh(Path("/d"), _mesh(listener=replace(_SHARED, clients="/t/c.pem")), bindings)
    assert [(str(leaf.certificate), leaf.identity, leaf.hosts) for leaf in layout.leaves] == [
        ("/t/envoy.pem", None, ("localhost", "127.0.0.1", "::1", "models.acme.example")),
        ("/d/client-acme.pem", "spiffe://a/one", ()),
        ("/d/client-acme-2.pem", "spiffe://a/two", ()),
        ("/d/client-clinic.pem", "spiffe://b/client", ()),
    ]
    assert layout.authorities == (Path("/d/authorities.pem"), Path("/t/c.pem"))


def test_one_certificate_for_all_sides_is_made_once() -> None:
    peers = PeerTls(
        certificate=_SHARED.certificate,
        key=_SHARED.key,
        authorities="/t/a.pem",
        identity="spiffe://acme.example/envoy",
    )
    layout = layout_of_mesh(Path("/d"), _mesh(listener=_SHARED, tls=peers), TenantBindings())
    shared = next(leaf for leaf in layout.leaves if leaf.certificate == Path("/t/envoy.pem"))
    assert (shared.identity, shared.hosts[0], shared.key) == (peers.identity, "localhost", Path("/t/envoy.key"))
    assert layout.trust_domain == "acme.example"
    other = ListenerTls(certificate="/t/envoy.pem", key="/t/other.key")
    with pytest.raises(ValueError, match="is named twice, for listener and envoy"):
        layout_of_mesh(Path("/d"), _mesh(listener=other, tls=peers), TenantBindings())


def test_a_mesh_without_tls_names_nothing() -> None:
    with pytest.raises(ValueError, match="the mesh file has no TLS"):
        layout_of_mesh(Path("/d"), _mesh(), TenantBindings())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --region, once or more, or both --policy and --mesh"),
        (["--policy", POLICY], "give --region, once or more, or both"),
        (["--region", "eu-fra", "--mesh", "mesh.yaml"], "give --region, once or more, or both"),
        (["--region", "eu-fra", "--days", "0"], "--days 0 is out of bounds"),
        (["--region", "eu-fra", "--days", "31"], "at most 30; these are for tests"),
        (["--region", "../eu"], "is no region's id"),
        (["--region", "eu-fra", "--trust-domain", "Acme"], "'Acme' is no trust domain"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--directory", tmp_path, *arguments) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run("--directory", tmp_path / "file" / "certs", "--region", "eu-fra") == 78
    assert "cannot be written (Not a directory)" in capsys.readouterr().err


def test_the_help_says_what_it_is_not_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    assert "FOR THE DEMO AND FOR TESTS ONLY" in capsys.readouterr().out


def test_a_leaf_may_end_before_its_authority() -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    authority = LocalAuthority.create("demo.situs", at=at, lifetime=timedelta(days=2))
    leaf = authority.issue("envoy", identity="spiffe://demo.situs/envoy", begins_at=at, ends_at=at + timedelta(hours=1))
    found = x509.load_pem_x509_certificate(leaf.certificate)
    assert (found.not_valid_before_utc, found.not_valid_after_utc) == (at, at + timedelta(hours=1))
    long = authority.issue("n" * 100, hosts=["::1"])
    (name,) = x509.load_pem_x509_certificate(long.certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "n" * 64


def test_a_layout_of_regions_knows_where_the_authoritys_key_would_be() -> None:
    assert layout_of_regions(Path("/d"), "demo.situs", []).authority_key == Path("/d/authority.key")
