"""The section `istio` of the mesh file: what is read, and what is refused with which mend."""

import pytest

from extproc.core.ids import RegionId
from extproc.mesh.istio.section import (
    CellPods,
    GatewayAttachment,
    IstioMesh,
    OutboundAttachment,
    PeerProof,
    Tokens,
    read_istio,
)
from extproc.mesh.pod.section import FileSource, SidecarPod, SourceKind
from extproc.strict_yaml import DocumentError, read_text, table_of

SIDECAR = "image: images.example:5000/situs:1.2, arguments: [--policy=/p.yaml], log_claim: log"


def read(text: str) -> IstioMesh:
    return read_text(text, table_of(read_istio))


def test_nothing_written_is_a_gateway_with_its_defaults() -> None:
    istio = read("{}")
    assert istio == IstioMesh(gateway=GatewayAttachment())
    assert istio.cluster_of(RegionId("eu-fra")) == "outbound|8080||eu-fra.cells.situs.internal"
    assert istio.namespaces() == ("istio-ingress",)


def test_all_that_can_be_written() -> None:
    istio = read(
        """
namespace: situs
domain: cells.example
port: 9000
gateway: {namespace: edge, labels: {app: edge}, service_account: edge, service_port: 443,
          hosts: ["*.a.example", b.example],
          existing: edge/public, credential: cert}
outbound: {namespaces: [shop, till], labels: {acme.example/uses: models}, host: models.internal, port: 8200}
cells: {namespace: cells, labels: {app: cell}, port: 9001}
trust_domain: acme.example
prove: files
tokens: {jwks_uri: "https://id.example/keys"}
sidecar: {image: images.example/situs:1.2, arguments: [--policy, /p.yaml, --ship=/s.yaml],
          files: {/etc/situs: {config_map: situs}, /geo: {claim: geo}}}
proxy_files: {/etc/jwks: {secret: jwks}}
"""
    )
    assert istio == IstioMesh(
        namespace="situs",
        domain="cells.example",
        port=9000,
        gateway=GatewayAttachment(
            namespace="edge",
            labels={"app": "edge"},
            service_account="edge",
            service_port=443,
            hosts=("*.a.example", "b.example"),
            existing="edge/public",
            credential="cert",
        ),
        outbound=OutboundAttachment(
            namespaces=("shop", "till"), labels={"acme.example/uses": "models"}, host="models.internal", port=8200
        ),
        cells=CellPods(namespace="cells", labels={"app": "cell"}, port=9001),
        trust_domain="acme.example",
        prove=PeerProof.FILES,
        tokens=Tokens(jwks_uri="https://id.example/keys"),
        sidecar=SidecarPod(
            image="images.example/situs:1.2",
            arguments=("--policy", "/p.yaml", "--ship=/s.yaml"),
            files={
                "/etc/situs": FileSource(kind=SourceKind.CONFIG_MAP, name="situs"),
                "/geo": FileSource(kind=SourceKind.CLAIM, name="geo"),
            },
        ),
        proxy_files={"/etc/jwks": FileSource(kind=SourceKind.SECRET, name="jwks")},
    )
    assert istio.namespaces() == ("edge", "shop", "till")


def test_applications_alone_need_no_gateway() -> None:
    istio = read("outbound: {namespaces: [shop], labels: {app: shop}}")
    assert istio.gateway is None
    assert istio.outbound == OutboundAttachment(namespaces=("shop",), labels={"app": "shop"})


def test_a_digest_is_an_image_too() -> None:
    image = f"images.example/situs@sha256:{'0' * 64}"
    found = read(f"sidecar: {{image: '{image}', arguments: [--policy=/p.yaml], log_claim: log}}").sidecar
    assert found is not None
    assert found.image == image


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("namespace: UPPER", "no name in Kubernetes"),
        ("port: 0", "0 is less than 1"),
        ("gateway: {labels: {}}", "needs 1"),
        ("gateway: {labels: {'-a': b}}", "no name of a label"),
        ("gateway: {labels: {a: '-b'}}", "no value of a label"),
        ("gateway: {hosts: []}", "needs 1"),
        ("gateway: {hosts: ['a.*']}", "no domain name"),
        ("gateway: {existing: public}", "does not say in which namespace"),
        ("gateway: {existing: edge/UPPER}", "no name in Kubernetes"),
        ("outbound: {labels: {a: b}}", "namespaces"),
        ("outbound: {namespaces: [shop]}", "labels"),
        ("outbound: {namespaces: [], labels: {a: b}}", "needs 1"),
        ("outbound: {namespaces: [shop], labels: {a: b}, port: 8080}", "have one port"),
        ("cells: {namespace: cells}", "labels"),
        ("prove: trust", "none of mesh, files"),
        ("tokens: {}", "from one place"),
        ("""tokens: {jwks: '{"keys": [{"kty": "EC"}]}', jwks_uri: 'https://id.example'}""", "from one place"),
        ("tokens: {jwks: 'keys'}", "no set of keys"),
        ("tokens: {jwks: '[]'}", "no set of keys"),
        ("""tokens: {jwks: '{"keys": []}'}""", "no set of keys"),
        ("""tokens: {jwks: '{"keys": [1]}'}""", "no set of keys"),
        ("tokens: {jwks_uri: 'http://id.example'}", "no https address"),
        ("sidecar: {arguments: [--policy=/p]}", "image"),
        ("sidecar: {image: 'situs', arguments: [--policy=/p], log_claim: log}", "stays the same"),
        ("sidecar: {image: 'situs:latest', arguments: [--policy=/p], log_claim: log}", "stays the same"),
        ("sidecar: {image: 'situs@sha256:12', arguments: [--policy=/p], log_claim: log}", "stays the same"),
        ("sidecar: {image: 'situs:1', arguments: [--geo-db=/g], log_claim: log}", "given no policy"),
        ("sidecar: {image: 'situs:1', arguments: [--policy=/p]}", "would go with its pod"),
        ("sidecar: {image: 'situs:1', arguments: [--policy=/p, --key=/k], log_claim: log}", "gives --key itself"),
        (f"sidecar: {{{SIDECAR}, files: {{etc: {{secret: a}}}}}}", "not absolute"),
        (f"sidecar: {{{SIDECAR}, files: {{/etc: {{}}}}}}", "from one place"),
        (f"sidecar: {{{SIDECAR}, files: {{/etc: {{secret: a, claim: b}}}}}}", "from one place"),
        ("gatway: {}", "gateway"),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert said in str(caught.value)
