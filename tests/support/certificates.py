"""Certificates for tests: an authority of the test's own, and leaves that are right or spoiled in one way.

Everything is made when the test runs, so no key is checked in. Keys are P-256, as SPIRE and Istio issue them. Names
come in no certificate: a peer is known by its SPIFFE id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW: Final = timedelta(minutes=5)
"""Before now, so that a clock that is read twice is no matter."""


def pem_of(key: PrivateKeyTypes) -> bytes:
    """Write a key without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_atomically(path: Path, content: bytes) -> Path:
    """Put a whole file in the place of another, as a careful program does."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.chmod(0o600)
    return beside.replace(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A peer's own files: what it shows, and whom it believes."""

    certificate: Path
    key: Path
    authorities: Path

    def arguments(self) -> list[str]:
        """Give the options by which `situs serve` and `situs-cell serve` take them."""
        return [
            *("--tls-certificate", str(self.certificate)),
            *("--tls-key", str(self.key)),
            *("--tls-authorities", str(self.authorities)),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, *authorities: "Authority") -> Files:
        """Write it, and the authorities that its owner believes, as files that replace those of before."""
        folder.mkdir(parents=True, exist_ok=True)
        # The certificate last: between two files there is a moment in which they do not match.
        return Files(
            key=write_atomically(folder / "key.pem", self.key),
            certificate=write_atomically(folder / "certificate.pem", self.certificate),
            authorities=write_atomically(folder / "authorities.pem", bundle(*authorities)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority that signs itself, or is signed by `above`; leaves then bear its certificate behind their own."""

    name: str = "test authority"
    above: "Authority | None" = None
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    pem: bytes = field(init=False)
    """Its own certificate."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pem", self._signed())

    def _signed(self) -> bytes:
        now = datetime.now(UTC)
        signer = self.above or self
        return (
            signer._builder(self._subject, self._key.public_key(), now - _SKEW, now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(signs=True), critical=True)
            .sign(signer._key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )

    def leaf(
        self,
        *identities: str,
        days: float = 1.0,
        not_before: datetime | None = None,
        hosts: Sequence[str] = (),
    ) -> Leaf:
        """Sign a certificate for these URIs, one of them where it is to be right.

        It holds from `not_before` (five minutes ago) for `days` days from now, fewer than 0 where it is over. `hosts`
        are DNS names besides.
        """
        now = datetime.now(UTC)
        until = now + timedelta(days=days)
        since = min(now, until - timedelta(minutes=1)) - _SKEW if not_before is None else not_before
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(x509.Name([]), key.public_key(), since, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(each) for each in identities]
        names += [x509.DNSName(host) for host in hosts]
        if names:
            # SPEC: RFC 5280 section 4.2.1.6: critical where the subject is empty.
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        signed = builder.sign(self._key, hashes.SHA256())
        chain = signed.public_bytes(Encoding.PEM) + (b"" if self.above is None else self.pem)
        return Leaf(certificate=chain, key=pem_of(key))

    @property
    def _subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def bundle(*authorities: Authority) -> bytes:
    """Give the file of several authorities."""
    return b"".join(each.pem for each in authorities)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
