"""TLS as Envoy speaks it: to clients at the listener, and to the cells and the sidecar as one peer among peers.

Certificates and authorities come as secrets from files (:mod:`extproc.mesh.envoy.secrets`), and are named here.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from extproc.mesh.envoy.addresses import is_ip
from extproc.mesh.envoy.api import core, matcher, packed, transport
from extproc.mesh.section import Endpoints, Mesh, TcpAddress

_HTTP1: Final = "http/1.1"
_HTTP2: Final = "h2"
_SOCKET: Final = "envoy.transport_sockets.tls"
_OLD: Final = transport.TlsParametersTlsProtocol.TLSv1_2
_NEW: Final = transport.TlsParametersTlsProtocol.TLSv1_3


class Secret(StrEnum):
    """What Envoy is told by a file of its own."""

    LISTENER = "listener"
    """What it shows to clients."""
    CLIENTS = "clients"
    """Who may sign a client's certificate."""
    PEER = "peer"
    """What it shows to the cells and the sidecar."""
    AUTHORITIES = "authorities"
    """Who may sign theirs."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"sds-{self}.yaml"


def listener_socket(mesh: Mesh) -> core.TransportSocket | None:
    """Give TLS towards clients, with their certificates verified where the mesh file says who signs them."""
    tls = mesh.listener_tls
    if tls is None:
        return None
    verifies = tls.clients is not None
    context = transport.DownstreamTlsContext(
        common_tls_context=transport.CommonTlsContext(
            # Before 1.3 a client's certificate goes in the clear, and tells everybody on the way who it is.
            tls_params=transport.TlsParameters(tls_minimum_protocol_version=_NEW if verifies else _OLD),
            alpn_protocols=[_HTTP2, _HTTP1],
            tls_certificate_sds_secret_configs=[_named(Secret.LISTENER, mesh)],
            validation_context_sds_secret_config=_named(Secret.CLIENTS, mesh) if verifies else None,
        ),
        require_client_certificate=True if tls.required else None,
        disable_stateless_session_resumption=True if verifies else None,
        disable_stateful_session_resumption=verifies,
    )
    return _socket(context)


def region_socket(mesh: Mesh, region: Endpoints) -> core.TransportSocket | None:
    """Give TLS towards the cells of a region, each of which must prove that it is one of them."""
    if mesh.tls is None or region.identity is None:
        return None
    return _peer_socket(mesh, region.identity, _HTTP1, region.endpoints)


def sidecar_socket(mesh: Mesh) -> core.TransportSocket | None:
    """Give TLS towards a sidecar that is at an address; on a Unix socket the file's mode says who may connect."""
    if mesh.tls is None or mesh.tls.sidecar is None or not isinstance(mesh.sidecar, TcpAddress):
        return None
    return _peer_socket(mesh, mesh.tls.sidecar, _HTTP2, [mesh.sidecar])


def _peer_socket(mesh: Mesh, identity: str, protocol: str, places: Sequence[TcpAddress]) -> core.TransportSocket:
    context = transport.UpstreamTlsContext(
        common_tls_context=transport.CommonTlsContext(
            # ENVOY: towards peers the highest version is 1.2 by default.
            tls_params=transport.TlsParameters(tls_minimum_protocol_version=_NEW, tls_maximum_protocol_version=_NEW),
            alpn_protocols=[protocol],
            tls_certificate_sds_secret_configs=[_named(Secret.PEER, mesh)],
            combined_validation_context=transport.CommonTlsContextCombinedCertificateValidationContext(
                default_validation_context=transport.CertificateValidationContext(
                    match_typed_subject_alt_names=[
                        transport.SubjectAltNameMatcher(
                            san_type=transport.SubjectAltNameMatcherSanType.URI,
                            matcher=matcher.StringMatcher(exact=identity),
                        )
                    ]
                ),
                validation_context_sds_secret_config=_named(Secret.AUTHORITIES, mesh),
            ),
        ),
        sni=_shared_name(places),
        max_session_keys=0,
    )
    return _socket(context)


def _shared_name(places: Sequence[TcpAddress]) -> str:
    """Give the host name that all places share: one that is an address, or differs, is no name to ask for."""
    hosts = {place.address for place in places}
    host = hosts.pop()
    return "" if hosts or is_ip(host) else host


def _named(secret: Secret, mesh: Mesh) -> transport.SdsSecretConfig:
    """Name a secret and the file that tells it. ENVOY: only what came this way is read anew (measured)."""
    path = f"{mesh.directory.rstrip('/')}/{secret.file}"
    source = core.ConfigSource(
        path_config_source=core.PathConfigSource(path=path), resource_api_version=core.ApiVersion.V3
    )
    return transport.SdsSecretConfig(name=secret.value, sds_config=source)


def _socket(context: transport.DownstreamTlsContext | transport.UpstreamTlsContext) -> core.TransportSocket:
    return core.TransportSocket(name=_SOCKET, typed_config=packed(context))
