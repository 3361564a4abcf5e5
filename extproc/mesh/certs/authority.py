"""An authority for the demo and the tests: its key is made here, and is lost with the object unless it is kept.

SPEC: RFC 5280; SPIFFE X509-SVID, sections 2 to 5: one URI, no authority among the leaves, digital signatures only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PURPOSE: Final = "for tests only"
"""What every subject says, as its organisational unit."""

_LONGEST_NAME: Final = 64  # SPEC: RFC 5280, appendix A: ub-common-name.
_SLACK: Final = timedelta(minutes=5)
"""How long ago a certificate begins to be valid, for clocks that are late."""
_BOTH_ENDS: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate and its key, each as PEM."""

    certificate: bytes
    key: bytes


class LocalAuthority:
    """Signs certificates with P-256 keys until `ends_at`. Two authorities of one trust domain differ in their keys."""

    def __init__(self, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def create(cls, trust_domain: str, *, at: datetime, lifetime: timedelta) -> Self:
        """Make an authority for one trust domain, with a key of its own; it ends `lifetime` after `at`."""
        key = generate_private_key(SECP256R1())
        subject = _subject(f"authority of {trust_domain}")
        builder = _builder(subject, subject, key, at - _SLACK, at + lifetime)
        domain = x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")
        signed = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(of_authority=True), critical=True)
            .add_extension(x509.SubjectAlternativeName([domain]), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, signed)

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM: what a peer is given to believe it."""
        return self._certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        """The authority's key, PEM: whoever has it can be anybody."""
        return _pem(self._key)

    def issue(
        self,
        name: str,
        *,
        identity: str | None = None,
        hosts: Sequence[str] = (),
        begins_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> Leaf:
        """Sign a certificate with a new key for a SPIFFE id, for hosts (names or IP addresses), or for both.

        It is valid as long as the authority's own unless `begins_at` or `ends_at` say otherwise.
        """
        own = self._certificate
        key = generate_private_key(SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(identity)] if identity else []
        names += [_host(host) for host in hosts]
        builder = _builder(
            _subject(name),
            own.subject,
            key,
            begins_at or own.not_valid_before_utc,
            ends_at or own.not_valid_after_utc,
        )
        signed = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(of_authority=False), critical=True)
            .add_extension(_BOTH_ENDS, critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            # SPEC: RFC 5280 4.2.1.1: which key of an authority signed, so that two of one name are told apart.
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Leaf(certificate=signed.public_bytes(Encoding.PEM), key=_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, begins_at: datetime, ends_at: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins_at)
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _subject(name: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, "Situs demo"), (NameOID.ORGANIZATIONAL_UNIT_NAME, PURPOSE))
    named = [x509.NameAttribute(oid, value) for oid, value in parts]
    return x509.Name([*named, x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_NAME])])


def _usage(*, of_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_authority,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
