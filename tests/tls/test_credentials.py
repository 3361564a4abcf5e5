"""What is shown and believed: checked whole, before it is used."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import Authority, Files, Leaf, bundle, pem_of, write_atomically

from extproc.tls.credentials import CredentialFiles, CredentialsError, NotYetValidError, load_credentials
from extproc.tls.holder import CredentialHolder, Reload

SITUS = "spiffe://acme.example/situs"
CA = Authority()
GOOD = CA.leaf(SITUS)


def files_of(files: Files) -> CredentialFiles:
    return CredentialFiles(certificate=files.certificate, key=files.key, authorities=files.authorities)


@pytest.fixture
def files(tmp_path: Path) -> CredentialFiles:
    return files_of(GOOD.write(tmp_path, CA))


def test_what_is_right_is_taken_with_its_identity_and_its_end(files: CredentialFiles) -> None:
    loaded = load_credentials(files)
    assert loaded.identity == SITUS
    assert loaded.not_after_s == x509.load_pem_x509_certificate(GOOD.certificate).not_valid_after_utc.timestamp()
    assert loaded.certificate == GOOD.certificate
    assert loaded.authorities == CA.pem
    assert "PRIVATE" not in repr(loaded)


def test_what_stands_around_certificates_and_stands_twice_is_left_out(tmp_path: Path) -> None:
    files = files_of(GOOD.write(tmp_path, CA))
    files.authorities.write_bytes(b"Subject: ours\n" + CA.pem + b"# again\n" + CA.pem)
    assert load_credentials(files).authorities == CA.pem


def test_each_file_must_be_there(files: CredentialFiles) -> None:
    for path in files.all():
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(CredentialsError, match=rf"{path}: No such file.* Mend: check the path"):
            load_credentials(files)
        path.write_bytes(content)
    load_credentials(files)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_each_file_must_hold_what_it_should(files: CredentialFiles, content: bytes) -> None:
    for path in files.all():
        before = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(CredentialsError, match=rf"{path}: it holds no .* Mend: write it as PEM"):
            load_credentials(files)
        path.write_bytes(before)


def test_a_file_without_an_end_is_not_read_to_it(files: CredentialFiles) -> None:
    files.authorities.write_bytes(CA.pem + b"\n" * (1 << 20))
    with pytest.raises(CredentialsError, match="longer than 1 MiB"):
        load_credentials(files)


def test_the_key_must_be_the_certificates(tmp_path: Path) -> None:
    other = Leaf(certificate=GOOD.certificate, key=CA.leaf(SITUS).key)
    with pytest.raises(CredentialsError, match=r"key is not that of .*certificate.pem\. Mend: replace both"):
        load_credentials(files_of(other.write(tmp_path, CA)))


def test_the_certificate_must_be_valid_now(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"it expired at .* Mend: have it issued anew"):
        load_credentials(files_of(CA.leaf(SITUS, days=-1).write(tmp_path, CA)))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(NotYetValidError, match=r"not valid before .* Mend: wait, or set the clock"):
        load_credentials(files_of(CA.leaf(SITUS, days=2, not_before=tomorrow).write(tmp_path, CA)))


@pytest.mark.parametrize(
    ("identities", "why"),
    [((), "has no URI"), ((SITUS, "spiffe://acme.example/b"), "has 2 URIs"), (("https://acme.example/",), "no SPIFFE")],
)
def test_the_certificate_must_say_who_we_are(tmp_path: Path, identities: tuple[str, ...], why: str) -> None:
    with pytest.raises(CredentialsError, match=rf"{why}.* Mend: have it issued with one URI"):
        load_credentials(files_of(CA.leaf(*identities).write(tmp_path, CA)))


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - to be refused
    ],
)
def test_a_key_that_not_every_peer_verifies_by_is_refused(files: CredentialFiles, key: PrivateKeyTypes) -> None:
    files.key.write_bytes(pem_of(key))
    with pytest.raises(CredentialsError, match="not every peer verifies by a key of this kind"):
        load_credentials(files)


def test_a_certificate_that_the_library_stumbles_at_is_refused(files: CredentialFiles) -> None:
    """Its public key is of a kind that nobody knows: the object identifier of elliptic curves, but for its end."""
    der = x509.load_pem_x509_certificate(GOOD.certificate).public_bytes(Encoding.DER)
    known = bytes.fromhex("06072a8648ce3d0201")
    assert known in der
    spoiled = base64.encodebytes(der.replace(known, bytes.fromhex("06072a8648ce3d0209")))
    files.certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + spoiled + b"-----END CERTIFICATE-----\n")
    with pytest.raises(CredentialsError, match=r"cannot be read .*UnsupportedAlgorithm.* Mend: have it issued anew"):
        load_credentials(files)


def test_a_key_with_a_passphrase_is_refused(files: CredentialFiles) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    with pytest.raises(CredentialsError, match="without a passphrase"):
        load_credentials(files)


@given(data=st.data())
def test_half_written_files_are_refused_and_never_crash(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = files_of(GOOD.write(tmp_path_factory.mktemp("half"), CA))
    path = data.draw(st.sampled_from(files.all()))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 30))])
    with pytest.raises(CredentialsError):
        load_credentials(files)


class Told:
    def __init__(self, files: CredentialFiles) -> None:
        self.told: list[Reload] = []
        self.holder = CredentialHolder(files, load_credentials(files), told=self.told.append)


async def test_replaced_files_are_taken_and_broken_ones_are_not(files: CredentialFiles) -> None:
    told = Told(files)
    first = told.holder.current
    assert await told.holder.reload()
    assert (told.told, told.holder.current) == ([], first)

    CA.leaf(SITUS).write(files.key.parent, CA)
    assert await told.holder.reload()
    second = told.holder.current
    assert (told.told, second == first) == ([Reload.TAKEN], False)

    write_atomically(files.key, GOOD.key)
    assert await told.holder.reload()
    assert await told.holder.reload()
    assert (told.told, told.holder.stale) == ([Reload.TAKEN, Reload.REFUSED], True)
    assert told.holder.current is second

    write_atomically(files.certificate, GOOD.certificate)
    assert await told.holder.reload()
    assert (told.told[-1], told.holder.stale, told.holder.current) == (Reload.TAKEN, False, first)


async def test_another_identity_is_not_taken_while_the_process_runs(files: CredentialFiles) -> None:
    told = Told(files)
    CA.leaf("spiffe://acme.example/envoy").write(files.key.parent, CA)
    assert await told.holder.reload()
    assert (told.told, told.holder.current.identity) == ([Reload.REFUSED], SITUS)


async def test_what_is_not_valid_yet_is_tried_again(files: CredentialFiles) -> None:
    told = Told(files)
    soon = datetime.now(UTC) + timedelta(hours=1)
    CA.leaf(SITUS, not_before=soon).write(files.key.parent, CA)
    assert not await told.holder.reload()
    assert not await told.holder.reload()
    assert told.told == [Reload.REFUSED]
    CA.leaf(SITUS).write(files.key.parent, CA)
    assert await told.holder.reload()
    assert told.told == [Reload.REFUSED, Reload.TAKEN]


async def test_authorities_alone_may_change(files: CredentialFiles) -> None:
    told, other = Told(files), Authority(name="next")
    write_atomically(files.authorities, bundle(CA, other))
    assert await told.holder.reload()
    assert told.holder.current.authorities == CA.pem + other.pem


def test_it_is_told_when_it_has_expired(files: CredentialFiles) -> None:
    holder = Told(files).holder
    assert [holder.expired(holder.current.not_after_s + late_s) for late_s in (-1, 0, 1)] == [False, True, True]


def test_a_file_that_cannot_be_read_is_named(files: CredentialFiles) -> None:
    files.key.unlink()
    files.key.mkdir()
    with pytest.raises(CredentialsError, match="Is a directory"):
        load_credentials(files)
