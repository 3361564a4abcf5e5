"""What a real Envoy's listener asks of clients, and what it tells the sidecar and the cells of them."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from mesh.example import LOOPBACK, READING
from mesh.tls.secured import CLIENT, HOST, Secured, secured_world
from mesh.world import Proto, wait_for
from support.certificates import Authority, Files

from extproc.core.ids import TenantId
from extproc.core.reading import TenantBindings
from extproc.mesh.section import Timeouts
from extproc.names import ATTRIBUTES_NAMESPACE, PEER_IDENTITY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_BINDS = replace(READING, bindings=TenantBindings(by_spiffe={CLIENT: TenantId("scorer")}))


@dataclass
class Clients:
    """A world that verifies clients, whose authority is not that of the peers."""

    secured: Secured
    authority: Authority
    folder: Path

    def files(self, *, days: float = 1.0, by: Authority | None = None) -> Files:
        signed = (by or self.authority).leaf(CLIENT, days=days)
        return signed.write(self.folder / "client", self.secured.authority)


@pytest.fixture(scope="module", params=[True, False], ids=["required", "welcome"])
def clients(
    request: pytest.FixtureRequest, any_envoy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clients]:
    folder, authority = tmp_path_factory.mktemp("clients"), Authority()
    with secured_world(
        any_envoy, folder, clients=authority, required=request.param, reading=_BINDS, timeouts=Timeouts(connection_s=4)
    ) as secured:
        running = Clients(secured=secured, authority=authority, folder=folder)
        secured.until_served("route c0", running.files())
        yield running


def _identity(request: Proto) -> str:
    told: str = request.attributes[ATTRIBUTES_NAMESPACE].fields[PEER_IDENTITY].string_value
    return told


def _is_required(request: pytest.FixtureRequest) -> bool:
    return "required" in request.node.callspec.id


def test_the_sidecar_is_told_who_a_verified_client_is(clients: Clients) -> None:
    forged = {"x_forwarded_client_cert": f"URI={CLIENT}"}
    assert clients.secured.ask("route c0", clients.files(), **forged).status_code == 200
    assert _identity(clients.secured.world.sidecar.seen[-1]) == CLIENT
    assert "x-forwarded-client-cert" not in clients.secured.world.cells[0].requests[-1]


def test_a_client_without_a_certificate(clients: Clients, request: pytest.FixtureRequest) -> None:
    if _is_required(request):
        with pytest.raises(httpx.TransportError):
            clients.secured.ask("route c0")
        return
    assert clients.secured.ask("route c0", x_forwarded_client_cert=f"URI={CLIENT}").status_code == 200
    assert _identity(clients.secured.world.sidecar.seen[-1]) == ""


@pytest.mark.parametrize("spoiled", ["ended", "of the peers' authority", "of nobody's authority"])
def test_a_certificate_that_does_not_verify_ends_the_connection(clients: Clients, spoiled: str) -> None:
    files = {
        "ended": lambda: clients.files(days=-0.01),
        "of the peers' authority": lambda: clients.files(by=clients.secured.authority),
        "of nobody's authority": lambda: clients.files(by=Authority()),
    }[spoiled]()
    seen = len(clients.secured.world.sidecar.seen)
    with pytest.raises(httpx.TransportError):
        clients.secured.ask("route c0", files)
    assert len(clients.secured.world.sidecar.seen) == seen


def test_no_certificate_is_sent_in_the_clear(clients: Clients) -> None:
    with (
        clients.secured.client(clients.files(), newest=ssl.TLSVersion.TLSv1_2) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.get("/")


def test_a_session_is_not_resumed(clients: Clients) -> None:
    context = clients.secured.context(clients.files())
    session: ssl.SSLSession | None = None
    for _ in range(2):
        with (
            socket.create_connection((LOOPBACK, clients.secured.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=HOST, session=session) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert connection.recv(1024).startswith(b"HTTP/1.1 ")  # a ticket would have come before it
            assert not connection.session_reused
            session = connection.session


def test_a_connection_ends_with_its_time_and_no_request_with_it(clients: Clients) -> None:
    told: list[str | None] = []
    with clients.secured.client(clients.files()) as client:

        def is_last() -> bool:
            answer = client.get("/v2/models/digits/infer", headers={"x-data-jurisdiction": "route c0"})
            assert answer.status_code == 200
            told.append(answer.headers.get("connection"))
            return told[-1] == "close"

        wait_for("the last answer of the connection", is_last)
    assert len(told) > 1
