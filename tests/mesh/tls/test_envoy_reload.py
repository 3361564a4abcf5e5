"""Certificates and authorities that are replaced while a real Envoy serves: no restart, no request is lost."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from mesh.example import LOOPBACK
from mesh.tls.secured import CELLS, ENVOY, HOST, Secured, Write, of_cell, secured_world, write_as_kubernetes
from mesh.world import TELL, wait_for
from support.certificates import Authority, Leaf, bundle, write_atomically

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_EACH_S = 0.02
_MANY = 40
_CHECKS = 8


@pytest.fixture(params=[Leaf.write, write_as_kubernetes], ids=["renamed", "swapped"])
def write(request: pytest.FixtureRequest) -> Write:
    written: Write = request.param
    return written


def _shown(secured: Secured, *, by: Authority | None = None) -> int:
    """Give the serial number of the certificate that the listener shows; `by` signed it, else the first authority."""
    context = secured.context()
    if by is not None:
        context.load_verify_locations(cadata=by.pem.decode())
    with (
        socket.create_connection((LOOPBACK, secured.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def _serial(leaf: Leaf) -> int:
    return x509.load_pem_x509_certificate(leaf.certificate).serial_number


@contextlib.contextmanager
def _load(secured: Secured) -> Iterator[list[int]]:
    """Ask fifty times a second, alternately over a kept and over a new connection, and give the statuses."""
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        with secured.client() as kept:
            while not done.wait(_EACH_S):
                for client in (kept, None):
                    try:
                        if client is None:
                            statuses.append(secured.ask("route c0>c1").status_code)
                        else:
                            answer = client.get("/v2/models/digits/infer", headers={TELL: "route c0"})
                            statuses.append(answer.status_code)
                    except httpx.TransportError:
                        statuses.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()


def test_what_the_listener_shows_is_read_anew(any_envoy: Path, tmp_path: Path, write: Write) -> None:
    with secured_world(any_envoy, tmp_path, write=write) as secured:
        secured.until_served("route c0")
        with _load(secured) as statuses:
            for _ in range(3):
                leaf = secured.authority.leaf(hosts=[HOST])
                write(leaf, tmp_path / "listener", secured.authority)
                serial = _serial(leaf)
                wait_for("the new certificate", lambda serial=serial: _shown(secured) == serial)  # type: ignore[misc]
            wait_for("some more requests", lambda: len(statuses) > _MANY)
        assert set(statuses) == {200}


def test_what_envoy_shows_to_cells_and_whom_it_believes_are_read_anew(
    any_envoy: Path, tmp_path: Path, write: Write
) -> None:
    """A new authority, as it is changed without a lost request: believed first, then used, and the old one dropped."""
    new = Authority()
    with secured_world(any_envoy, tmp_path, write=write) as secured:
        old = secured.authority
        secured.until_served("route c0")
        secured.until_served("route c1")
        with _load(secured) as statuses:
            # 1. Everybody believes both.
            write(old.leaf(ENVOY), tmp_path / "envoy", old, new)
            for cell in secured.cells:
                cell.context.load_verify_locations(cadata=new.pem.decode())
            _settle(secured)
            # 2. Everybody shows a certificate of the new one.
            write(new.leaf(ENVOY), tmp_path / "envoy", old, new)
            for cell, identity in zip(secured.cells, CELLS, strict=True):
                cell.context = of_cell(new.leaf(identity).write(tmp_path / "cell", old, new))
            _settle(secured)
            # 3. Nobody believes the old one any more.
            write(new.leaf(ENVOY), tmp_path / "envoy", new)
            for cell, identity in zip(secured.cells, CELLS, strict=True):
                cell.context = of_cell(new.leaf(identity).write(tmp_path / "cell", new))
            _settle(secured)
            wait_for("some more requests", lambda: len(statuses) > _MANY)
        assert set(statuses) == {200}
        # A cell of the old authority is nobody now.
        secured.cells[0].context = of_cell(old.leaf(CELLS[0]).write(tmp_path / "cell", old, new))
        wait_for("the cell to be out", lambda: secured.ask("route c0").status_code == 503)
        assert secured.ask("route c0>c1").status_code == 200


def _settle(secured: Secured) -> None:
    """Wait until what was replaced was read: Envoy counts what it took, and checks its cells over new connections."""
    before = secured.checks()
    wait_for(
        "some checks of each region", lambda: min(b - a for a, b in zip(before, secured.checks(), strict=True)) > 15
    )


def test_a_certificate_and_a_key_that_do_not_match_are_not_taken(any_envoy: Path, tmp_path: Path) -> None:
    with secured_world(any_envoy, tmp_path) as secured:
        secured.until_served("route c0")
        first = _shown(secured)
        leaf = secured.authority.leaf(hosts=[HOST])
        write_atomically(secured.listener.certificate, leaf.certificate)
        wait_for("the refusal", lambda: secured.world.counter("sds.listener.key_rotation_failed"))
        assert _shown(secured) == first
        write_atomically(secured.listener.key, leaf.key)
        wait_for("the new certificate", lambda: _shown(secured) == _serial(leaf))


def test_an_authority_that_is_withdrawn_signs_for_nobody(any_envoy: Path, tmp_path: Path) -> None:
    with secured_world(any_envoy, tmp_path) as secured:
        secured.until_served("route c0")
        write_atomically(secured.envoy.authorities, bundle(Authority()))
        wait_for("the cells to be out", lambda: secured.ask("route c0").status_code == 503)
