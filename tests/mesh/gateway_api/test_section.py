"""The section `gateway_api`: what is read, and what is refused with which mend."""

import pytest

from extproc.mesh.gateway_api.section import (
    GatewayApiMesh,
    NameScheme,
    ProxyPod,
    ServiceType,
    read_gateway_api,
)
from extproc.mesh.pod.section import FileSource, SidecarPod, SourceKind
from extproc.strict_yaml import DocumentError, read_text, table_of

SIDECAR = "sidecar: {image: situs:1, arguments: [--policy, /p/policy.yaml], log_claim: log}\n"


def read(text: str) -> GatewayApiMesh:
    return read_text(text, table_of(read_gateway_api))


def refused(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        read(text)
    return str(caught.value)


def test_everything_has_a_default_but_the_sidecar() -> None:
    assert read("{}") == GatewayApiMesh()


def test_every_field_is_read() -> None:
    text = """\
namespace: edge
name: models
proxy_namespace: proxies
certificate: models-tls
clients: models-clients
service: ClusterIP
replicas: 5
listener_names: port
proxy:
  image: images.acme.example/envoy:v1.39@sha256:%s
  files:
    /etc/keys: {secret: keys}
sidecar:
  image: situs:1
  arguments: [--policy, /etc/situs/policy.yaml, --ship, /etc/situs/ship.yaml]
  files:
    /etc/situs: {config_map: situs}
    /geo: {claim: geo}
""" % ("0" * 64)
    assert read(text) == GatewayApiMesh(
        namespace="edge",
        name="models",
        proxy_namespace="proxies",
        certificate="models-tls",
        clients="models-clients",
        service=ServiceType.CLUSTER_IP,
        replicas=5,
        listener_names=NameScheme.PORT,
        proxy=ProxyPod(
            image=f"images.acme.example/envoy:v1.39@sha256:{'0' * 64}",
            files={"/etc/keys": FileSource(kind=SourceKind.SECRET, name="keys")},
        ),
        sidecar=SidecarPod(
            image="situs:1",
            arguments=("--policy", "/etc/situs/policy.yaml", "--ship", "/etc/situs/ship.yaml"),
            files={
                "/etc/situs": FileSource(kind=SourceKind.CONFIG_MAP, name="situs"),
                "/geo": FileSource(kind=SourceKind.CLAIM, name="geo"),
            },
        ),
    )


def test_a_log_has_a_place_that_outlives_the_pod() -> None:
    assert read(SIDECAR).sidecar == SidecarPod(
        image="situs:1", arguments=("--policy", "/p/policy.yaml"), log_claim="log"
    )
    problem = refused("sidecar: {image: situs:1, arguments: [--policy, /p/policy.yaml]}")
    assert "the decision log would go with its pod" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("namespace: Edge", "no name in Kubernetes"),
        ("name: a/b", "no name in Kubernetes"),
        ("service: ExternalName", "ExternalName"),
        ("replicas: 0", "0"),
        ("listener_names: both", "both"),
        ("unheard_of: 1", "unheard_of"),
        ("proxy: {image: 'Two Words'}", "no image that stays the same"),
        ("proxy: {files: {etc/keys: {secret: keys}}}", "is not absolute"),
        ("proxy: {files: {/: {secret: keys}}}", "no folder that can be mounted"),
        ("proxy: {files: {/etc/: {secret: keys}}}", "no folder that can be mounted"),
        ("proxy: {files: {/etc/../keys: {secret: keys}}}", "no folder that can be mounted"),
        ("proxy: {files: {/etc//keys: {secret: keys}}}", "no folder that can be mounted"),
        ("proxy: {files: {'/etc:keys': {secret: keys}}}", "no folder that can be mounted"),
        ("proxy: {files: {/etc/keys: {}}}", "files come from one place"),
        ("proxy: {files: {/etc/keys: {secret: keys, claim: keys}}}", "files come from one place"),
        ("proxy: {files: {/etc/keys: {secret: Keys}}}", "no name in Kubernetes"),
        ("sidecar: {arguments: [--policy, /p], log_claim: log}", "image"),
        ("sidecar: {image: situs:1, log_claim: log}", "arguments"),
        ("sidecar: {image: situs:1, arguments: [--geo-db, /g], log_claim: log}", "is given no policy"),
        ("sidecar: {image: situs:1, arguments: [--policy, /p, --listen=unix:/x], log_claim: log}", "gives --listen"),
        ("sidecar: {image: situs:1, arguments: [--policy, /p, --log, /x], log_claim: log}", "gives --log"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, problem: str) -> None:
    assert problem in refused(text)


def test_a_listener_is_named_as_envoy_gateway_does() -> None:
    assert GatewayApiMesh().listener_name(443) == "situs-system/situs/models"
    assert GatewayApiMesh(listener_names=NameScheme.PORT).listener_name(443) == "tcp-443"
