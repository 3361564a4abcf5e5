"""What a process shows to its peers and whom it believes: three files that are used together, or not at all.

All is checked before any of it is used: half of a certificate, or one beside the key of the next, would otherwise end
every new connection.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from extproc.tls.identity import IdentityError, proven_by

_T = TypeVar("_T")

_LARGEST: Final = 1 << 20
"""Bytes of one file: a thousand authorities."""
_LEAST_RSA: Final = 2048
# What every TLS library that we meet signs and verifies by: BoringSSL does not verify P-521 or Ed25519 unless told to.
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)


class CredentialsError(Exception):
    """Files that cannot be used; the message names the file and the mend."""


class NotYetValidError(CredentialsError):
    """A certificate whose time has not come. It may come without a change of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFiles:
    """Where they are: `certificate` with its intermediates, its `key`, and the `authorities` of peers. All PEM."""

    certificate: Path
    key: Path
    authorities: Path

    def all(self) -> tuple[Path, ...]:
        """Give all three."""
        return self.certificate, self.key, self.authorities


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """Checked ones, PEM. `identity` is the SPIFFE id that `certificate` proves, until `not_after_s` (Unix seconds)."""

    certificate: bytes
    key: bytes
    authorities: bytes
    identity: str
    not_after_s: float


def load_credentials(files: CredentialFiles, *, now_s: float | None = None) -> Credentials:
    """Read and check the files. Blocks for a few milliseconds.

    Raises CredentialsError for those that cannot be used at `now_s` (Unix seconds; now, where it is not given).
    """
    try:
        return _load(files, time.time() if now_s is None else now_s)
    except CredentialsError:
        raise
    except Exception as error:  # whatever a file does to the library, it is refused and nothing else happens
        raise CredentialsError(
            f"{files.certificate}, {files.key} and {files.authorities}: one of them cannot be read ({error!r}). Mend: "
            "have it issued anew"
        ) from error


def _load(files: CredentialFiles, now_s: float) -> Credentials:
    chain = _certificates(files.certificate)
    leaf = chain[0]
    key = _key(files.key)
    authorities = _certificates(files.authorities)
    if _public(leaf.public_key()) != _public(key.public_key()):
        raise CredentialsError(
            f"{files.key}: the key is not that of {files.certificate}. Mend: replace both, the certificate last"
        )
    if leaf.not_valid_after_utc.timestamp() <= now_s:
        raise CredentialsError(
            f"{files.certificate}: it expired at {leaf.not_valid_after_utc.isoformat()}. Mend: have it issued anew"
        )
    if leaf.not_valid_before_utc.timestamp() > now_s:
        raise NotYetValidError(
            f"{files.certificate}: it is not valid before {leaf.not_valid_before_utc.isoformat()}. Mend: wait, or set "
            "the clock"
        )
    try:
        identity = proven_by(uris_of(leaf))
    except IdentityError as error:
        raise CredentialsError(
            f"{files.certificate}: {error}. Mend: have it issued with one URI, a SPIFFE id, by which peers know us"
        ) from error
    return Credentials(
        certificate=b"".join(each.public_bytes(Encoding.PEM) for each in chain),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        authorities=b"".join(each.public_bytes(Encoding.PEM) for each in authorities),
        identity=identity,
        not_after_s=leaf.not_valid_after_utc.timestamp(),
    )


def uris_of(certificate: x509.Certificate) -> list[str]:
    """Give the URIs among the subject alternative names. Raises IdentityError where they cannot be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise IdentityError("its names cannot be read") from error
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}. Mend: check the path, and who may read it") from error
    if len(content) > _LARGEST:
        raise CredentialsError(f"{path}: it is longer than 1 MiB. Mend: leave in it only what is needed")
    return content


def _certificates(path: Path) -> list[x509.Certificate]:
    content = _read(path)
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise CredentialsError(f"{path}: it holds no certificate, or a broken one. Mend: write it as PEM") from error
    return list(_once(found))


def _once(found: list[_T]) -> Iterator[_T]:
    """Give each one once, in order."""
    seen: list[_T] = []
    for each in found:
        if each not in seen:
            seen.append(each)
            yield each


def _key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    content = _read(path)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise CredentialsError(
            f"{path}: it holds no key, or a broken or an encrypted one. Mend: write it as PEM without a passphrase"
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_RSA:
        return key
    raise CredentialsError(
        f"{path}: not every peer verifies by a key of this kind. Mend: use ECDSA on P-256 or P-384, or RSA of 2048 bits"
    )


def _public(key: object) -> bytes | None:
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
