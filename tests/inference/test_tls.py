"""Mutual TLS of a cell: what it shows, whom it answers, and what changes while connections live."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import structlog
import structlog.testing
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import Authority, Files, Leaf, bundle, write_atomically

from inference.cli import main
from inference.testing import CellProcess, StartCell
from inference.tls import Door, TlsError, TlsFiles, load_shown, parse_spiffe

CELL, ENVOY, SITUS, OTHER = (f"spiffe://acme.example/{name}" for name in ("cells/eu", "envoy", "situs", "other"))
CA, FOREIGN = Authority(), Authority(name="somebody else's")
CELL_LEAF, ENVOYS = CA.leaf(CELL), CA.leaf(ENVOY)
READY = "/v2/health/ready"


def files_of(files: Files) -> TlsFiles:
    return TlsFiles(certificate=files.certificate, key=files.key, authorities=files.authorities)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


# What a cell shows ---------------------------------------------------------------------------------------------------


def test_what_is_right_is_shown(tmp_path: Path) -> None:
    assert load_shown(files_of(CELL_LEAF.write(tmp_path, CA, FOREIGN))).identity == CELL


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        (CA.leaf(CELL, days=-1), "certificate has expired"),
        (CA.leaf(CELL, not_before=in_an_hour()), "certificate is not yet valid"),
        (CA.leaf(), "has 0 URIs"),
        (CA.leaf(CELL, OTHER), "has 2 URIs"),
        (CA.leaf("https://acme.example/cells"), "is no SPIFFE id"),
        (CA.leaf(f"{CELL}\0.evil"), "is no SPIFFE id"),
        (Leaf(certificate=CELL_LEAF.certificate, key=CA.leaf(CELL).key), "not a certificate and its key"),
        (Leaf(certificate=b"", key=CELL_LEAF.key), "not a certificate and its key"),
        (Leaf(certificate=b"\xff", key=CELL_LEAF.key), "not a certificate and its key"),
        (Leaf(certificate=CELL_LEAF.certificate, key=b"nonsense"), "not a certificate and its key"),
    ],
)
def test_what_no_client_would_take_is_not_shown(tmp_path: Path, leaf: Leaf, why: str) -> None:
    with pytest.raises(TlsError, match=why):
        load_shown(files_of(leaf.write(tmp_path, CA)))


def test_a_key_with_a_passphrase_is_refused_without_a_question(tmp_path: Path) -> None:
    files = files_of(CELL_LEAF.write(tmp_path, CA))
    key = load_pem_private_key(CELL_LEAF.key, None)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    with pytest.raises(TlsError, match="without a passphrase"):
        load_shown(files)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", CA.pem[:-40], CA.pem + CA.pem[:-40]])
def test_authorities_that_cannot_be_read_are_refused(tmp_path: Path, content: bytes) -> None:
    files = files_of(CELL_LEAF.write(tmp_path, CA))
    files.authorities.write_bytes(content)
    with pytest.raises(TlsError, match=rf"{files.authorities}: it holds no certificate, or a broken one"):
        load_shown(files)


def test_words_between_certificates_are_passed_over(tmp_path: Path) -> None:
    files = files_of(CELL_LEAF.write(tmp_path, CA))
    for path in (files.certificate, files.authorities):
        path.write_bytes("Aussteller: Müller\n".encode() + path.read_bytes() + "für Köln\n".encode())
    assert load_shown(files).identity == CELL


def test_each_file_must_be_there_and_have_an_end(tmp_path: Path) -> None:
    files = files_of(CELL_LEAF.write(tmp_path, CA))
    for path in (files.certificate, files.key, files.authorities):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(TlsError, match=rf"{path}: No such file"):
            load_shown(files)
        path.write_bytes(content + b"\n" * (1 << 20))
        with pytest.raises(TlsError, match=rf"{path}: it is longer than 1 MiB"):
            load_shown(files)
        path.write_bytes(content)
    assert load_shown(files).identity == CELL


@pytest.mark.slow
@settings(max_examples=30)
@given(data=st.data())
def test_half_written_files_are_refused_and_never_crash(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = files_of(CELL_LEAF.write(tmp_path_factory.mktemp("half"), CA))
    path = data.draw(st.sampled_from([files.certificate, files.key, files.authorities]))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 30))])
    with pytest.raises(TlsError):
        load_shown(files)


@pytest.mark.parametrize("text", ["", "envoy", "spiffe://acme.example", f"{ENVOY}/", f"{ENVOY}?a", f"{ENVOY}\n"])
def test_what_is_no_spiffe_id(text: str) -> None:
    with pytest.raises(ValueError, match="is no SPIFFE id"):
        parse_spiffe(text)


@pytest.mark.parametrize("left_out", ["--tls-certificate", "--tls-key", "--tls-authorities", "--tls-peer"])
def test_all_options_or_none(tmp_path: Path, left_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*CELL_LEAF.write(tmp_path, CA).arguments(), "--tls-peer", ENVOY]
    at = options.index(left_out)
    del options[at : at + 2]
    status = main(["serve", "--region", "eu", "--jurisdiction", "DE", "--models", str(tmp_path), *options])
    assert (status, "give all four, or none" in capsys.readouterr().err) == (78, True)


# Whom it answers -----------------------------------------------------------------------------------------------------


@contextmanager
def cell_of(start: StartCell, folder: Path) -> Iterator[CellProcess]:
    files = CELL_LEAF.write(folder / "cell", CA)
    with start(*files.arguments(), "--tls-peer", ENVOY, "--tls-peer", SITUS) as cell:
        yield cell


@pytest.fixture(scope="module")
def cell(start: StartCell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CellProcess]:
    """One cell for every test that does not replace its files."""
    with cell_of(start, tmp_path_factory.mktemp("tls")) as running:
        yield running


def context_of(folder: Path, leaf: Leaf | None, *authorities: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=bundle(*(authorities or (CA,))).decode())
    if leaf is not None:
        files = leaf.write(folder, CA)
        context.load_cert_chain(files.certificate, files.key)
    return context


def ask(cell: CellProcess, context: ssl.SSLContext) -> int | None:
    """Ask on a new connection; None where there is no answer."""
    try:
        return httpx.get(f"https://{cell.host}:{cell.port}{READY}", verify=context, timeout=10).status_code
    except (httpx.TransportError, ssl.SSLError):
        return None


@pytest.mark.slow
@pytest.mark.parametrize("identity", [ENVOY, SITUS])
def test_each_peer_is_answered_by_tls_1_3(cell: CellProcess, tmp_path: Path, identity: str) -> None:
    context = context_of(tmp_path, CA.leaf(identity, hosts=["envoy.example"]))
    assert ask(cell, context) == 200
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(cell, context) is None


STRANGERS: list[tuple[Leaf | None, str]] = [
    (None, "peer did not return a certificate"),
    (FOREIGN.leaf(ENVOY), "unable to get local issuer certificate"),
    (CA.leaf(ENVOY, days=-1), "certificate has expired"),
    (CA.leaf(ENVOY, not_before=in_an_hour()), "certificate is not yet valid"),
    (CA.leaf(OTHER), f"it proves to be {OTHER}"),
    (CA.leaf(CELL), f"it proves to be {CELL}"),
    (CA.leaf(ENVOY, OTHER), "has 2 URIs"),
    (CA.leaf(ENVOY, SITUS), "has 2 URIs"),
    (CA.leaf(hosts=[ENVOY]), "has 0 URIs"),
    (CA.leaf(f"{ENVOY}\0.evil"), "is no SPIFFE id"),
]


@pytest.mark.slow
def test_who_may_not_ask_gets_no_connection(cell: CellProcess, tmp_path: Path) -> None:
    for leaf, _ in STRANGERS:
        assert ask(cell, context_of(tmp_path, leaf)) is None
    assert ask(cell, context_of(tmp_path, ENVOYS)) == 200
    assert cell.next_event("a client was refused in its handshake")["refused"] == 1


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(files_of(CELL_LEAF.write(tmp_path / "cell", CA)), [ENVOY, SITUS], structlog.get_logger())
    yield made
    made.close()


def knock(door: Door, client: ssl.SSLContext) -> None:
    """Do a handshake in memory; ssl.SSLError as the cell sees it."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    outside, inside = client.wrap_bio(back, there), door.wrap_bio(there, back, server_side=True)
    for end in (outside, inside, outside):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    inside.do_handshake()


@pytest.mark.parametrize(("leaf", "why"), STRANGERS)
def test_why_a_client_may_not_ask_is_told_once_in_a_while(
    door: Door, tmp_path: Path, leaf: Leaf | None, why: str
) -> None:
    context = context_of(tmp_path, leaf)
    with structlog.testing.capture_logs() as events:
        for _ in range(3):
            with pytest.raises(ssl.SSLError):
                knock(door, context)
    assert len(events) == 1
    assert why in events[0]["why"]


def test_intermediates_come_behind_the_certificate(tmp_path: Path) -> None:
    issuing = Authority(name="issuing", above=CA)
    door = Door(files_of(issuing.leaf(CELL).write(tmp_path / "cell", CA)), [ENVOY], structlog.get_logger())
    try:
        knock(door, context_of(tmp_path, issuing.leaf(ENVOY)))
        with pytest.raises(ssl.SSLError, match="proves to be"):
            knock(door, context_of(tmp_path, issuing.leaf(OTHER)))
    finally:
        door.close()


def test_who_may_ask_is_not_told(door: Door, tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as events:
        knock(door, context_of(tmp_path, ENVOYS))
    assert events == []


@pytest.mark.slow
def test_plain_http_gets_no_answer(cell: CellProcess) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{cell.url}{READY}", timeout=10)


@pytest.mark.slow
def test_no_session_is_resumed(cell: CellProcess, tmp_path: Path) -> None:
    with httpx.Client(verify=context_of(tmp_path, ENVOYS), timeout=10) as client:
        answer = client.get(f"https://{cell.host}:{cell.port}{READY}")
        stream = answer.extensions["network_stream"]
        assert stream.get_extra_info("ssl_object").session.has_ticket is False


# What changes --------------------------------------------------------------------------------------------------------


def until(holds: object, seconds: float = 10.0) -> None:
    assert callable(holds)
    ends_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_s, "it did not come about"
        time.sleep(0.05)


@pytest.mark.slow
def test_files_are_replaced_while_connections_live(start: StartCell, tmp_path: Path) -> None:
    old, new = context_of(tmp_path / "old", ENVOYS), context_of(tmp_path / "new", FOREIGN.leaf(ENVOY), FOREIGN)
    with cell_of(start, tmp_path) as cell, httpx.Client(verify=old, timeout=10) as lasting:
        url = f"https://{cell.host}:{cell.port}{READY}"
        assert (lasting.get(url).status_code, ask(cell, new)) == (200, None)

        # Broken ones: the last good are kept.
        write_atomically(tmp_path / "cell" / "key.pem", ENVOYS.key)
        assert (
            "certificate and its key"
            in cell.next_event("TLS files cannot be used; the last good ones are kept")["error"]
        )
        assert ask(cell, old) == 200
        # Another identity would not be this cell.
        ENVOYS.write(tmp_path / "cell", CA)
        assert "put back" in cell.next_event("TLS files cannot be used; the last good ones are kept")["error"]
        assert ask(cell, old) == 200

        # Authorities: both, and then only the new.
        CELL_LEAF.write(tmp_path / "cell", CA, FOREIGN)
        assert cell.next_event("TLS files were taken")["identity"] == CELL
        both = context_of(tmp_path / "both", FOREIGN.leaf(ENVOY), CA)
        assert (ask(cell, old), ask(cell, both)) == (200, 200)
        began_s = time.monotonic()
        FOREIGN.leaf(CELL).write(tmp_path / "cell", FOREIGN)
        until(lambda: ask(cell, new) == 200)
        assert time.monotonic() - began_s < 1.5
        assert (ask(cell, old), ask(cell, both)) == (None, None)
        assert lasting.get(url).status_code == 200


@pytest.mark.slow
def test_a_cell_that_cannot_show_anything_does_not_start(start: StartCell, tmp_path: Path) -> None:
    files = CA.leaf(CELL, days=-1).write(tmp_path, CA)
    with pytest.raises(RuntimeError, match="certificate has expired"), start(*files.arguments(), "--tls-peer", ENVOY):
        pass
