"""The context in which a cell is asked: mutual TLS 1.3, and the cell proves to be of its region.

A context of the standard library that makes each connection by the credentials in force at that moment. The identity is
checked at the end of the handshake, before a byte is sent; the host's name is not asked for, because it proves nothing
about where a cell is.

Python loads keys from files only, and the files may be half replaced; so it is given memory that looks like one.
"""

import os
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final, Self

from extproc.tls.credentials import Credentials
from extproc.tls.identity import IdentityError, proven_by

_OWN: Final = "/proc/self/fd"
_CODE: Final = 1
"""Of an error of ours; those that read one expect a number and a text."""


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """Make what connections are made by. Blocks for a millisecond."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    # As gRPC does: the file names whom we believe, and may name an intermediate alone.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=credentials.authorities.decode("ascii"))
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = _Proving
    memory = os.memfd_create("situs-tls", os.MFD_CLOEXEC)
    try:
        os.write(memory, credentials.key + credentials.certificate)
        context.load_cert_chain(f"{_OWN}/{memory}")
    finally:
        os.close(memory)
    return context


class _Proving(ssl.SSLObject):
    """One connection, whose handshake ends only with the right peer."""

    expected: str

    def do_handshake(self) -> None:
        """Do the handshake. Raises ssl.SSLError where the peer is not the expected one."""
        super().do_handshake()
        try:
            proven = proven_by(uris_in(self.getpeercert()))
        except IdentityError as error:
            raise ssl.SSLCertVerificationError(_CODE, f"{error}; expected {self.expected}") from error
        if proven != self.expected:
            raise ssl.SSLCertVerificationError(_CODE, f"it proves to be {proven}; expected {self.expected}")


def uris_in(certificate: Any) -> list[str]:  # noqa: ANN401 - the standard library's own picture of a certificate
    """Give the URIs among the names of a certificate, as `getpeercert()` shows it."""
    return [value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "URI"]


class PeerContext(ssl.SSLContext):
    """Makes connections to peers of one identity, by the credentials in force when a connection begins."""

    def __new__(cls, *_arguments: object) -> Self:
        """Make one; the base class wants to know the protocol."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, contexts: Callable[[], ssl.SSLContext], expected: str) -> None:
        """Expect a peer of the identity `expected`; `contexts` gives the context in force."""
        self._contexts = contexts
        self._expected = expected

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the base class's signature
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,  # noqa: ARG002 - the base class's; nothing is resumed
    ) -> ssl.SSLObject:
        """Begin a connection. May block for a millisecond, where the credentials are new."""
        made = self._contexts().wrap_bio(incoming, outgoing, server_side, server_hostname)
        assert isinstance(made, _Proving)  # noqa: S101 - the class that the context was given
        made.expected = self._expected
        return made


class Contexts:
    """Gives the context for the credentials in force, and makes it once for each of them. For any thread."""

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._made: tuple[Credentials, ssl.SSLContext] | None = None

    def __call__(self) -> ssl.SSLContext:
        """Give it."""
        with self._lock:
            current = self._credentials()
            if self._made is None or self._made[0] is not current:
                self._made = current, client_context(current)
            return self._made[1]
