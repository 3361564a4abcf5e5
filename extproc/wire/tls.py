"""Mutual TLS where Envoy reaches this process by an address: what is shown, and who may ask.

The authorities say whose certificates are looked at; the SPIFFE id says who may ask. gRPC verifies the chain in the
handshake and tells the certificate with each call, so that is where the id is checked. What is remembered is remembered
of a certificate, and never of a peer's address, which another connection may have next.

Each handshake is made by the credentials in force at that moment. No session is resumed, because a new context has new
ticket keys: an authority that was removed, and a certificate that expired, end with the connections that they have.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

import grpc
from cryptography import x509

from extproc.tls.credentials import Credentials, uris_of
from extproc.tls.identity import IdentityError, proven_by

_CERTIFICATE: Final = "x509_pem_cert"
"""GRPC: the peer's certificate. Not `peer_uri` or `peer_spiffe_id`, which gRPC for Python cuts at a zero byte: to it
`spiffe://acme.example/envoy\\0.evil` is Envoy."""
_MOST_KNOWN: Final = 1024
"""Certificates whose peers are remembered; Envoy has one, and another after each rotation."""
_NOT_ADMITTED: Final = "this peer is not admitted here"
"""All that a stranger is told. Who is admitted is in our own event log."""


class Stranger(StrEnum):
    """Why a peer with a certificate that our authorities signed is refused."""

    NOBODY = "nobody"
    """It proves no identity, or several."""
    ANOTHER = "another"
    """It proves one that is not admitted."""


_Verdict: TypeAlias = tuple[Stranger | None, str]
_ADMITTED: Final[_Verdict] = (None, "")
_CODES: Final = {
    Stranger.NOBODY: grpc.StatusCode.UNAUTHENTICATED,
    Stranger.ANOTHER: grpc.StatusCode.PERMISSION_DENIED,
}


class Call(Protocol):
    """What is needed of gRPC's context of a call."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Give what was proven on the connection of this call."""
        ...

    async def abort(self, code: grpc.StatusCode, details: str = "") -> None:
        """End the call by raising."""
        ...


class ServerTls:
    """What a server shows, and whom it admits."""

    def __init__(
        self,
        credentials: Callable[[], Credentials],
        peers: frozenset[str],
        *,
        refused: Callable[[Stranger, str], None] = lambda _why, _said: None,
    ) -> None:
        """Show `credentials` as they are at each handshake; admit the SPIFFE ids `peers`.

        `refused` is told of each call that is refused, with a sentence about its peer.
        """
        self._credentials = credentials
        self._peers = peers
        self._refused = refused
        self._known: dict[bytes, _Verdict] = {}
        self._made: tuple[Credentials, grpc.ServerCertificateConfiguration] | None = None

    def server_credentials(self) -> grpc.ServerCredentials:
        """Give what gRPC asks at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(), self._configuration, require_client_authentication=True
        )

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        """Give what to show now; called by gRPC's own threads. Made twice at worst, and never of two states."""
        made, current = self._made, self._credentials()
        if made is None or made[0] is not current:
            made = (
                current,
                grpc.ssl_server_certificate_configuration(
                    [(current.key, current.certificate)], root_certificates=current.authorities
                ),
            )
            self._made = made
        return made[1]

    async def admit(self, call: Call) -> None:
        """Return if the peer of a call is admitted; else end the call, by an exception of gRPC's."""
        (certificate,) = call.auth_context()[_CERTIFICATE]
        verdict = self._known.get(certificate)
        if verdict is None:
            verdict = self._judge(certificate)
        why, said = verdict
        if why is not None:
            self._refused(why, said)
            await call.abort(_CODES[why], _NOT_ADMITTED)

    def _judge(self, certificate: bytes) -> "_Verdict":
        try:
            proven = proven_by(uris_of(x509.load_pem_x509_certificate(certificate)))
        except (IdentityError, ValueError, x509.InvalidVersion) as error:
            verdict: _Verdict = (Stranger.NOBODY, str(error))
        else:
            verdict = _ADMITTED if proven in self._peers else (Stranger.ANOTHER, f"it proves to be {proven}")
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[certificate] = verdict
        return verdict
