"""The section `kubernetes`: what is read, what is refused with which mend, and what the rendering refuses."""

from dataclasses import replace
from pathlib import Path

import pytest
from mesh.example import READING, tables_of
from mesh.kubernetes.rendered import HEADING, changed, example, pods, rendered, resources
from mesh.test_parse import SMALLEST

from extproc.core.ids import DependencyId, RegionId
from extproc.mesh.kubernetes.cells_section import Cells, Way
from extproc.mesh.kubernetes.check import check_regions
from extproc.mesh.kubernetes.render import with_sources
from extproc.mesh.kubernetes.section import (
    Access,
    Autoscaling,
    Container,
    Geo,
    KubernetesMesh,
    Log,
    Mount,
    ServiceType,
)
from extproc.mesh.parse import mesh_reader
from extproc.mesh.rendering import Rendering
from extproc.mesh.section import Endpoints, ListenerTls, Mesh, PeerTls, TcpAddress, UnixSocket
from extproc.strict_yaml import DocumentError, read_text
from inference.cli import _parser as build_cell_parser

STORE = Way(network="203.0.113.0/24", port=443)
DIGEST = "sha256:" + "0" * 64
IMAGES = f'  images: {{envoy: "a.example/envoy@{DIGEST}", situs: "situs:1.2"}}\n'
CELLS = f'  cells: {{image: "cell@{DIGEST}", claim: models'


def read(section: str) -> KubernetesMesh:
    text = f"{SMALLEST}kubernetes:\n{section}"
    mesh = read_text(text, mesh_reader(tables_of(2), READING), file="mesh.yaml")
    assert mesh.kubernetes is not None
    return mesh.kubernetes


def test_the_smallest_section_has_the_documented_defaults() -> None:
    assert read(IMAGES) == KubernetesMesh(envoy=f"a.example/envoy@{DIGEST}", situs="situs:1.2")
    found = read(f"{IMAGES}{CELLS}}}\n").cells
    assert found == Cells(image=f"cell@{DIGEST}", claim="models")
    assert found.store == "pvc://models"


def test_every_field_is_read() -> None:
    found = read(
        IMAGES
        + """\
  namespace: edge
  name: gate
  geo: {claim: geo, file: c.mmdb, anonymity: vpn.mmdb}
  replicas: 3
  requests_per_s: 400
  autoscaling: {most: 9, cpu_percent: 50}
  situs_mib: 700
  envoy_mib: 900
  log: {size_gib: 9, storage_class: fast, access: ReadWriteOnce, org: acme, env: prod, root: /trust/acme.vkey}
  orders: orders
  mounts:
    - {secret: tls, at: /tls, container: envoy}
    - {config_map: trust, at: /trust, container: situs}
  arguments: ["--durability=fsync"]
  service: LoadBalancer
  service_port: 443
  clients: ["192.0.2.0/24", "2001:db8::/32"]
  monitoring: monitoring
  admin_port: 9999
  networks: {cells.example: ["198.51.100.0/24"]}
  ways: [{network: 203.0.113.9/32, port: 443}]
"""
        + CELLS
        + """, namespace: c, port: 9000, storage_uri: "s3://bucket/models", replicas: 3, most: 4, cpu_millis: 2000,
    memory_mib: 4096, gpus: 1, gateways: ["192.0.2.0/28"], nodes: {r0: eu-central-1},
    ways: [{network: 203.0.113.0/24, port: 443}]}
"""
    )
    assert found == KubernetesMesh(
        envoy=f"a.example/envoy@{DIGEST}",
        situs="situs:1.2",
        namespace="edge",
        name="gate",
        geo=Geo(claim="geo", file="c.mmdb", anonymity="vpn.mmdb"),
        replicas=3,
        requests_per_s=400,
        autoscaling=Autoscaling(most=9, cpu_percent=50),
        situs_mib=700,
        envoy_mib=900,
        log=Log(size_gib=9, storage_class="fast", access=Access.NODE, org="acme", env="prod", root="/trust/acme.vkey"),
        orders="orders",
        mounts=(
            Mount(secret="tls", at="/tls", container=Container.ENVOY),  # noqa: S106 - the name of one
            Mount(config_map="trust", at="/trust", container=Container.SITUS),
        ),
        arguments=("--durability=fsync",),
        service=ServiceType.LOAD_BALANCER,
        service_port=443,
        clients=("192.0.2.0/24", "2001:db8::/32"),
        monitoring="monitoring",
        admin_port=9999,
        networks={"cells.example": ("198.51.100.0/24",)},
        ways=(Way(network="203.0.113.9/32", port=443),),
        cells=Cells(
            image=f"cell@{DIGEST}",
            claim="models",
            namespace="c",
            port=9000,
            storage_uri="s3://bucket/models",
            replicas=3,
            most=4,
            cpu_millis=2000,
            memory_mib=4096,
            gpus=1,
            gateways=("192.0.2.0/28",),
            nodes={"r0": "eu-central-1"},
            ways=(Way(network="203.0.113.0/24", port=443),),
        ),
    )


@pytest.mark.parametrize(
    ("section", "message", "mend"),
    [
        ("  namespace: x\n", "the field 'images' is missing", "add 'images:'"),
        ("  images: {envoy: e, situs: 's:1'}\n", "'e' is another image tomorrow", "add the digest (@sha256:…)"),
        ("  images: {envoy: 'e:latest', situs: 's:1'}\n", "'e:latest' is another image tomorrow", "other than latest"),
        ("  images: {envoy: 'E:1', situs: 's:1'}\n", "'E:1' is no image", "@sha256"),
        ("  images: {envoy: 'e@sha256:1', situs: 's:1'}\n", "is no image", "@sha256"),
        (IMAGES + "  name: Situs\n", "'Situs' is no name in Kubernetes", "a-z"),
        (IMAGES + f"  name: {'n' * 41}\n", "is too long", "up to 40"),
        (IMAGES + "  requests_per_s: 0\n", "0 is less than 1", "write 1 or more"),
        (IMAGES + "  autoscaling: {most: 1}\n", "scaled to fewer than there are", "autoscaling.most at least replicas"),
        (IMAGES + "  geo: {claim: geo, file: a/b}\n", "'a/b' is a path", "file's name"),
        (IMAGES + "  log: {access: ReadWriteMany}\n", "none of ReadWriteOncePod", "ReadWriteOncePod"),
        (IMAGES + "  mounts: [{at: /a, container: envoy}]\n", "shows a secret or a ConfigMap", "'config_map:'"),
        (
            IMAGES + "  mounts: [{at: /a, container: envoy, secret: s, config_map: c}]\n",
            "shows a secret or a ConfigMap",
            "one of",
        ),
        (IMAGES + "  mounts: [{at: a, container: envoy, secret: s}]\n", "'a' is not absolute", "from / on"),
        (IMAGES + "  mounts: [{at: /a, container: cell, secret: s}]\n", "none of envoy, situs", "write one of"),
        (IMAGES + "  service: NodePort\n", "none of ClusterIP, LoadBalancer", "write one of"),
        (IMAGES + '  clients: ["0.0.0.0/0"]\n', "'0.0.0.0/0' is everywhere", "name the networks"),
        (IMAGES + '  clients: ["10.0.0.1/8"]\n', "'10.0.0.1/8' is no network", "203.0.113.0/24"),
        (IMAGES + '  networks: {"10.0.0.1": ["10.0.0.0/8"]}\n', "speaks for itself", "leave addresses out"),
        (IMAGES + "  networks: {a.example: []}\n", "has 0 items and needs 1", "add"),
        (IMAGES + "  admin_port: 80\n", "80 is less than 1024", "1024 or more"),
        (IMAGES + "  cells: {image: 'c:1'}\n", "the field 'claim' is missing", "add 'claim:'"),
        (IMAGES + CELLS + ", replicas: 9}\n", "cells are scaled to fewer", "most at least replicas"),
        (IMAGES + CELLS + ", storage_uri: models}\n", "'models' is no place of models", "s3://bucket/models"),
        (IMAGES + CELLS + ', storage_uri: "s3://b"}\n', "may connect to nothing", "add 'ways:"),
        (IMAGES + CELLS + ', nodes: {r0: "a b"}}\n', "is no label's value", "up to 63"),
    ],
)
def test_a_fault_is_refused_with_its_mend(section: str, message: str, mend: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(section)
    assert message in str(caught.value)
    assert mend in str(caught.value).partition("Mend: ")[2]


def _region(*endpoints: str, **more: str) -> Endpoints:
    places = [endpoint.rpartition(":") for endpoint in endpoints]
    return Endpoints(
        endpoints=tuple(TcpAddress(address=host, port=int(port)) for host, _, port in places),
        dependencies={DependencyId(name): url for name, url in more.items()},
    )


def _with(region: str, endpoints: Endpoints) -> Mesh:
    mesh = example()[1]
    return replace(mesh, regions={**mesh.regions, RegionId(region): endpoints})


def _cells(**changes: object) -> Mesh:
    cells = example()[2].cells
    assert cells is not None
    return changed(cells=replace(cells, **changes))  # type: ignore[arg-type]


def _tls(mesh: Mesh) -> Mesh:
    files = {"certificate": "/etc/situs-files/jwks/c", "key": "/etc/situs-files/jwks/k"}
    peer = PeerTls(**files, authorities="/etc/situs-files/jwks/a", identity="spiffe://acme/envoy")
    return replace(mesh, tls=peer)


def faults() -> list[tuple[Mesh, str, str]]:
    mesh, settings = example()[1:]
    edge = ListenerTls(certificate="/tls/c", key="/tls/k", clients="/tls/a")
    situs = replace(settings.mounts[1], at="/etc/situs")
    return [
        (replace(mesh, kubernetes=None), "kubernetes: the section is missing", "add 'kubernetes:'"),
        (
            replace(mesh, sidecar=TcpAddress(address="127.0.0.1", port=9000)),
            "sidecar: it is at 127.0.0.1:9000",
            "unix:",
        ),
        (
            replace(mesh, sidecar=UnixSocket(unix="/tmp/s.sock")),  # noqa: S108 - a path that is refused
            "sidecar.unix: /tmp is",
            "folder of its own",
        ),
        (
            replace(mesh, listener=TcpAddress(address="0.0.0.0", port=80)),  # noqa: S104 - of a pod
            "listener.port: 80 needs a right",
            "service_port: 80",
        ),
        (
            replace(mesh, listener=TcpAddress(address="127.0.0.1", port=10000)),
            "listener.address: nobody reaches 127.0.0.1",
            "0.0.0.0",  # noqa: S104 - what is advised
        ),
        (
            replace(mesh, admin=TcpAddress(address="0.0.0.0", port=9901)),  # noqa: S104 - it is refused
            "admin.address: at 0.0.0.0 other pods could stop Envoy",
            "127.0.0.1",
        ),
        (changed(admin_port=10000), "kubernetes.admin_port: of the listener", "its own"),
        (changed(geo=None), "kubernetes.geo: the policy demo places clients", "add 'geo:"),
        (changed(mounts=()), "jwt.jwks_file: nothing puts /etc/situs-files/jwks/jwks.json", "container: envoy}'"),
        (changed(mounts=settings.mounts[:1]), "kubernetes.log.root: nothing puts", "container: situs}'"),
        (changed(mounts=(*settings.mounts, situs)), "kubernetes.mounts: /etc/situs of situs", "folder of its own"),
        (
            changed(mounts=(*settings.mounts, settings.mounts[0])),
            "kubernetes.mounts: /etc/situs-files/jwks of envoy",
            "folder of its own",
        ),
        (replace(mesh, listener_tls=edge), "listener.tls.certificate: nothing puts /tls/c", "at: /tls,"),
        (_tls(mesh), "kubernetes.arguments: with 'tls' the sidecar must prove", "--tls-certificate="),
        (changed(requests_per_s=501), "kubernetes.requests_per_s: 1 worker(s) are to serve at most 500", "workers"),
        (changed(networks={}), "regions.us-iad.endpoints: a NetworkPolicy knows no names", "cells.us-iad.example:"),
        (
            _with("us-iad", _region("cells.us-iad.example:8080", index="https://index.example/fresh")),
            "regions.us-iad.dependencies.index: a NetworkPolicy knows no names",
            "index.example:",
        ),
        (_cells(gateways=()), "kubernetes.cells.gateways: the cells of 'me-dxb'", "add the networks"),
        (_cells(nodes={"eu-fro": "x"}), "kubernetes.cells.nodes: the policy has no region 'eu-fro'", "eu-ams, eu-fra"),
        (
            _with("eu-fra", _region("cell-eu-ams.situs-cells.svc:8080")),
            "regions.eu-fra.endpoints: cell-eu-ams.situs-cells.svc:8080 is no Service",
            "write cell-eu-fra.situs-cells.svc:8080 or cell-eu-fra-predictor.situs-cells.svc:80",
        ),
        (
            _with("eu-fra", _region("cell-eu-fra-predictor.situs-cells.svc:8080")),
            "is no Service of the cells",
            "predictor.situs-cells.svc:80",
        ),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("mesh", "message", "mend"), faults())
def test_a_mesh_that_cannot_be_run_is_refused_with_place_and_mend(mesh: Mesh, message: str, mend: str) -> None:
    with pytest.raises(ValueError, match="Mend: ") as caught:
        rendered(mesh)
    said, _, mends = str(caught.value).partition("Mend: ")
    assert message in said
    assert mend in mends


def test_what_no_config_map_holds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gateway/policy\.yaml: 1000001 bytes .* Mend: serve it over HTTPS"):
        with_sources(Rendering(files={}), policy="x" * 1_000_001, mesh="")
    with pytest.raises(ValueError, match=r"gateway/mesh\.yaml: 1000001 bytes"):
        with_sources(Rendering(files={}), policy="", mesh="x" * 1_000_001)


def test_the_sources_stand_as_they_were_written() -> None:
    found = with_sources(Rendering(files={"a": "b"}), policy="# mine\n", mesh="# ours\n")
    assert found.files == {"a": "b", "gateway/policy.yaml": "# mine\n", "gateway/mesh.yaml": "# ours\n"}


@pytest.mark.slow
def test_a_dependency_in_the_cluster_or_at_an_address_may_be_asked() -> None:
    asked = {
        "index": "https://index.data.svc:8443/fresh",
        "store": "http://192.0.2.7/fresh",
        "other": "https://[::1]/x",
    }
    mesh = _with("us-iad", _region("cells.us-iad.example:8080", **asked))
    text = rendered(mesh).files["gateway/network.yaml"]
    assert "kubernetes.io/metadata.name: data" in text
    assert "port: 8443" in text
    assert '"192.0.2.7/32"' in text
    assert '"::1/128"' in text
    assert "port: 443" in text


@pytest.mark.slow
def test_cells_with_tls_show_their_secret_and_admit_envoy_and_the_sidecar() -> None:
    mesh = _tls(changed(arguments=("--tls-certificate=/c",)))
    assert mesh.tls is not None
    found = rendered(replace(mesh, tls=replace(mesh.tls, sidecar="spiffe://acme/situs")))
    cells = [(name, labels["situs/region"], pod) for name, labels, pod in pods(found) if name.startswith("cells/")]
    assert len(cells) == 2 * len(mesh.regions)
    for _, region, pod in cells:
        (container,) = pod["containers"]
        args = build_cell_parser().parse_args([word.replace("$(POD_NAME)", "cell-0") for word in container["args"]])
        assert args.tls_peer == ["spiffe://acme/envoy", "spiffe://acme/situs"]
        at = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["tls"]
        assert {args.tls_certificate, args.tls_key, args.tls_authorities} == {
            Path(at) / file for file in ("tls.crt", "tls.key", "ca.crt")
        }
        secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "tls")
        assert secret["secretName"] == f"cell-{region}-tls"
        assert "tcpSocket" in container["readinessProbe"]
        assert "livenessProbe" not in container


@pytest.mark.slow
def test_cells_that_copy_their_models_may_reach_the_store_and_run_anywhere() -> None:
    found = resources(rendered(_cells(storage_uri="s3://models/all", ways=(STORE,), nodes={})))
    for way in ("plain", "kserve"):
        dns, store = found[f"cells/us-iad/{way}/network.yaml"]["spec"]["egress"]
        assert dns["ports"][0]["port"] == 53
        assert store == {
            "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}],
            "ports": [{"protocol": "TCP", "port": 443}],
        }
    served = found["cells/us-iad/kserve/inference-service.yaml"]["spec"]["predictor"]
    assert served["model"]["storageUri"] == "s3://models/all"
    assert "nodeSelector" not in served


@pytest.mark.slow
def test_a_mesh_of_names_is_rendered() -> None:
    mesh, settings = example()[1:]
    way = replace(mesh, admin=TcpAddress(address="localhost", port=9901))
    assert "gateway/statefulset.yaml" in rendered(way).files
    edge = ListenerTls(certificate="/etc/situs-files/jwks/c", key="/etc/situs-files/jwks/k")
    log = replace(settings.log, storage_class="fast", root=None)
    found = resources(rendered(replace(changed(log=log), listener_tls=edge)))
    claims = found["gateway/statefulset.yaml"]["spec"]["volumeClaimTemplates"]
    assert {claim["spec"]["storageClassName"] for claim in claims} == {"fast"}


@pytest.mark.parametrize(
    ("id_", "message"), [("EU_1", "regions.EU_1: 'EU_1' is no name in Kubernetes"), ("r" * 41, "too long for names")]
)
def test_a_region_that_cannot_name_resources_is_refused(id_: str, message: str) -> None:
    mesh, settings = example()[1:]
    tables = tables_of(1)
    assert settings.cells is not None
    with pytest.raises(ValueError, match=f"{message}.*Mend: "):
        check_regions(
            replace(tables, regions=(replace(tables.regions[0], id=RegionId(id_)),)), mesh, settings, settings.cells
        )


@pytest.mark.slow
def test_a_gateway_alone_is_rendered() -> None:
    mesh = example()[1]
    alone = replace(
        changed(cells=None, service=ServiceType.CLUSTER_IP, clients=("192.0.2.0/24",), monitoring=None),
        regions={id_: _region("192.0.2.9:8080") for id_ in mesh.regions},
    )
    found = rendered(alone)
    assert {name.partition("/")[0] for name in found.files} == {"gateway"}
    assert "kube-dns" not in found.files["gateway/network.yaml"]
    assert found.files["gateway/service.yaml"].startswith(f"# {HEADING}\n")
    assert "externalTrafficPolicy" not in found.files["gateway/service.yaml"]
    assert "port: 9902" not in found.files["gateway/network.yaml"]
