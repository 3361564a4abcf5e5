"""The files by which Envoy learns its certificates and authorities, so that it reads them anew when they are replaced.

*Measured* with 1.36 and 1.40: certificates that stand in the configuration itself are read once, whether inline or as
static secrets, with `watched_directory` or without. Those of a file that is named as a source of secrets (SDS) are read
anew within a second, when they are renamed into place and when Kubernetes swaps its `..data`. Such a file holds one
secret; one with two is refused.
"""

from collections.abc import Iterator, Mapping

from extproc.mesh.envoy.api import core, packed, transport
from extproc.mesh.envoy.reasons import SECRET_REASONS
from extproc.mesh.envoy.text import fields_of
from extproc.mesh.envoy.tls import Secret
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import write_yaml


def render_secrets(mesh: Mesh, *, heading: str = "") -> Mapping[str, str]:
    """Give the text of each file by its name. They belong in the mesh file's `directory`; no key is in them."""
    return {
        Secret(told.name).file: write_yaml(
            {"resources": [fields_of(packed(told))]}, heading=heading, reasons=SECRET_REASONS
        )
        for told in _secrets(mesh)
    }


def _secrets(mesh: Mesh) -> Iterator[transport.Secret]:
    if mesh.listener_tls is not None:
        yield _own(Secret.LISTENER, mesh.listener_tls.certificate, mesh.listener_tls.key)
        if mesh.listener_tls.clients is not None:
            yield _authorities(Secret.CLIENTS, mesh.listener_tls.clients)
    if mesh.tls is not None:
        yield _own(Secret.PEER, mesh.tls.certificate, mesh.tls.key)
        yield _authorities(Secret.AUTHORITIES, mesh.tls.authorities)


def _own(secret: Secret, certificate: str, key: str) -> transport.Secret:
    pair = transport.TlsCertificate(
        certificate_chain=core.DataSource(filename=certificate), private_key=core.DataSource(filename=key)
    )
    return transport.Secret(name=secret.value, tls_certificate=pair)


def _authorities(secret: Secret, path: str) -> transport.Secret:
    believed = transport.CertificateValidationContext(trusted_ca=core.DataSource(filename=path))
    return transport.Secret(name=secret.value, validation_context=believed)
