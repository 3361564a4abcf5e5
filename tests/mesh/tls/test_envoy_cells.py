"""Which cells a real Envoy believes: exactly those that prove to be in their region."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mesh.example import LOOPBACK
from mesh.tls.secured import CELLS, DOMAIN, ENVOY, HOST, of_cell, right_cells, secured_world
from mesh.world import wait_for
from support.certificates import Authority, Files, Leaf

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_RIGHT, _OTHERS = CELLS


def _signed(*identities: str, days: float = 1.0) -> Callable[[Authority, Path], ssl.SSLContext]:
    return lambda authority, folder: of_cell(authority.leaf(*identities, days=days).write(folder, authority))


def _by_another(authority: Authority, folder: Path) -> ssl.SSLContext:
    return of_cell(Authority().leaf(_RIGHT).write(folder, authority))


def _not_yet(authority: Authority, folder: Path) -> ssl.SSLContext:
    late = datetime.now(UTC) + timedelta(hours=1)
    return of_cell(authority.leaf(_RIGHT, not_before=late).write(folder, authority))


def _of_old(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = of_cell(authority.leaf(_RIGHT).write(folder, authority), oldest=ssl.TLSVersion.TLSv1_2)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def test_each_region_is_served_by_the_cells_that_prove_to_be_in_it(any_envoy: Path, tmp_path: Path) -> None:
    with secured_world(any_envoy, tmp_path) as secured:
        secured.until_served("route c0")
        secured.until_served("route c1")
        assert min(secured.world.asked()) > 0
        assert all("x-forwarded-client-cert" not in each for cell in secured.world.cells for each in cell.requests)


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(_signed(_OTHERS), id="the identity of another region"),
        pytest.param(_signed(ENVOY), id="the identity of Envoy"),
        pytest.param(_signed(f"{_RIGHT}/x"), id="an identity below the right one"),
        pytest.param(_signed(f"{DOMAIN}/cells/r"), id="an identity that begins like it"),
        pytest.param(_signed(), id="no identity"),
        pytest.param(_signed(_RIGHT, days=-0.01), id="a certificate that has ended"),
        pytest.param(_not_yet, id="a certificate that has not begun"),
        pytest.param(_by_another, id="an authority that nobody named"),
        pytest.param(_of_old, id="TLS 1.2"),
    ],
)
def test_a_cell_that_does_not_prove_it_gets_nothing(
    envoy_binary: Path, tmp_path: Path, spoiled: Callable[[Authority, Path], ssl.SSLContext]
) -> None:
    def cells(authority: Authority) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        return spoiled(authority, tmp_path / "spoiled"), right_cells(authority, tmp_path)[1]

    with secured_world(envoy_binary, tmp_path, cells=cells) as secured:
        secured.until_served("route c1")  # so Envoy's own side is in order
        wait_for("a refused check", lambda: secured.world.counter("cluster.c0.health_check.failure"))
        assert [secured.ask("route c0").status_code for _ in range(5)] == [503] * 5
        asked = len(secured.world.cells[1].requests)
        assert secured.ask("route c0>c1").status_code == 200
        assert [len(cell.requests) for cell in secured.world.cells] == [0, asked + 1]


def _ended(right: Authority) -> Leaf:
    return right.leaf(ENVOY, days=-0.01)


def _of_nobody(_: Authority) -> Leaf:
    return Authority().leaf(ENVOY)


@pytest.mark.parametrize("own", [_ended, _of_nobody])
def test_an_envoy_that_cannot_prove_itself_is_not_let_in(
    envoy_binary: Path, tmp_path: Path, own: Callable[[Authority], Leaf]
) -> None:
    def files(right: Authority) -> Files:
        return own(right).write(tmp_path / "envoy", right)

    with secured_world(envoy_binary, tmp_path, own=files) as secured:
        wait_for("a refused check", lambda: secured.world.counter("cluster.c0.health_check.failure"))
        assert [secured.ask("route c0").status_code for _ in range(3)] == [503] * 3
        assert secured.world.asked() == [0, 0]


def test_clients_without_certificates_may_speak_1_2_with_good_ciphers_only(any_envoy: Path, tmp_path: Path) -> None:
    with secured_world(any_envoy, tmp_path) as secured:
        secured.until_served("route c0")
        for cipher, is_good in (("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES128-SHA", False)):
            context = secured.context(newest=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(f"{cipher}:@SECLEVEL=0")
            with socket.create_connection((LOOPBACK, secured.port), timeout=5) as plain:
                if is_good:
                    context.wrap_socket(plain, server_hostname=HOST).close()
                else:
                    with pytest.raises(OSError, match=r"ALERT|EOF"):
                        context.wrap_socket(plain, server_hostname=HOST)
