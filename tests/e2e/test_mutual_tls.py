"""Every connection of the demo's world over mutual TLS: who is refused on which, and rotation without a lost request.

A real Envoy, the real sidecar at an address, real cells. A peer is spoiled by files that replace its own, as an
attacker or a mistake would; the others are as they were.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography import x509
from support.certificates import Authority, Leaf, write_atomically

from extproc.core.ids import RegionId
from extproc.demo.children import sidecar_child
from extproc.demo.load import steady_load
from extproc.demo.process import Child
from extproc.demo.secured import ENVOY, SIDECAR, Secured, identity_of
from extproc.demo.visits import VISITS, Digits, Visitor
from extproc.demo.world import Folder, Plan, World, running_world
from extproc.names import SIDECAR_CLUSTER

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_GERMANY = VISITS[0]  # permitted: eu-fra and eu-ams
_FRA, _AMS, _IAD = (RegionId(name) for name in ("eu-fra", "eu-ams", "us-iad"))
_SHORT_S = 4.0
_PER_S = 50.0
_CONNECTION_S = 5.0
_OURS = SIDECAR_CLUSTER
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How an HTTP/2 client begins: the preface, and settings that are empty. SPEC: RFC 9113 3.4. To HTTP/1.1 it is a fault,
which is answered too."""


@pytest.fixture(params=["envoy_binary", "oldest_envoy"])
def binary(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@asynccontextmanager
async def _secured(root: Path, models: Path, envoy: Path) -> AsyncIterator[tuple[World, Secured, Authority]]:
    """Start a world in which a second authority is believed too: it signs what is spoiled, and what is right later."""
    world = World(Folder(root=root), models=models, envoy=str(envoy), plan=Plan(tls=True))
    try:
        await asyncio.to_thread(world.prepare)
        assert world.tls is not None
        second = Authority()
        write_atomically(world.tls.authorities, world.tls.authorities.read_bytes() + second.pem)
        await asyncio.to_thread(_renew_connections, world)
        await world.start()
        yield world, world.tls, second
        await world.stop()
    finally:
        world.kill_all()


def _renew_connections(world: World) -> None:
    """Let connections live for seconds, so that a test need not wait ten minutes for new ones."""
    folder = world.folder
    mesh = yaml.safe_load(folder.mesh.read_text())
    folder.mesh.write_text(
        yaml.safe_dump({**mesh, "timeouts": {"connection_s": _CONNECTION_S, "headers_s": _CONNECTION_S}})
    )
    world.run_situs(
        "mesh", "render", "--for", "envoy", "--policy", folder.policy, "--mesh", folder.mesh, "--directory", folder.root
    )


def _visitor(world: World, tls: Secured) -> Visitor:
    return Visitor(world.url, world.issuer, Digits(world.folder.samples), tls=tls.context("client"))


def _show(tls: Secured, name: str, leaf: Leaf) -> None:
    certificate, key = tls.pair(name)
    write_atomically(key, leaf.key)
    write_atomically(certificate, leaf.certificate)


async def _again(world: World, child: Child) -> None:
    """Start a process anew and, where it can get ready at all, wait for that."""
    await asyncio.to_thread(child.stop)
    child.start()
    if child is world.envoy:
        await world.answers(child, f"{world.envoy_admin}/ready")
    elif child is world.sidecar:
        await world.sidecar_ready()


async def _until(world: World, look: Callable[[], Awaitable[object]], what: str) -> None:
    async def holds() -> bool:
        return bool(await look())

    await world.until(holds, what)


def _received(world: World) -> int:
    return sum(1 for _ in world.received())


async def test_clients_sidecar_and_cells_prove_who_they_are(tmp_path: Path, digits_store: Path, binary: Path) -> None:
    async with running_world(tmp_path, models=digits_store, envoy=str(binary), plan=Plan(tls=True)) as world:
        assert world.tls is not None
        async with _visitor(world, world.tls) as visitor:
            for visit in VISITS:
                answer = await visitor.send(visit)
                assert answer.status == visit.status, visit
                assert answer.region is None or answer.region in visit.permitted, visit
        for port in (world.port, world.cell_port(_FRA)):  # nothing is there in plain
            async with httpx.AsyncClient(trust_env=False) as client:
                with pytest.raises(httpx.TransportError):
                    await client.get(f"http://127.0.0.1:{port}/")


async def test_a_client_that_proves_nothing_is_turned_away(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    async with running_world(tmp_path, models=digits_store, envoy=str(envoy_binary), plan=Plan(tls=True)) as world:
        tls = world.tls
        assert tls is not None
        nobody = ssl.create_default_context(cafile=str(tls.authorities))
        contexts = [nobody]
        for leaf in (Authority().leaf("spiffe://demo.situs/client"), Authority().leaf(ENVOY)):
            files = leaf.write(tmp_path / "stranger")
            context = ssl.create_default_context(cafile=str(tls.authorities))
            context.load_cert_chain(files.certificate, files.key)
            contexts.append(context)
        digits = Digits(world.folder.samples)
        for context in contexts:
            async with Visitor(world.url, world.issuer, digits, tls=context) as visitor:
                assert (await visitor.send(_GERMANY)).status == 0
        assert _received(world) == 0
        assert await world.metric("situs_decisions_total") == 0


async def test_an_envoy_that_is_not_who_it_should_be_gets_nothing(
    tmp_path: Path, digits_store: Path, binary: Path
) -> None:
    async with _secured(tmp_path, digits_store, binary) as (world, tls, second):
        for leaf in (
            second.leaf(identity_of(_FRA)),
            second.leaf(SIDECAR),
            second.leaf(),
            second.leaf(ENVOY, days=-0.01),
            Authority().leaf(ENVOY),
        ):
            _show(tls, "envoy", leaf)
            await _again(world, world.envoy)
            async with _visitor(world, tls) as visitor:
                assert [(await visitor.send(_GERMANY)).status for _ in range(3)] == [503] * 3
        assert _received(world) == 0
        _show(tls, "envoy", second.leaf(ENVOY))
        async with _visitor(world, tls) as visitor:
            await _until(world, _served_by(visitor), "the right Envoy to be served")


async def test_a_sidecar_that_is_not_who_it_should_be_decides_nothing(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    """An impostor takes the sidecar's address, with files and a mesh file of its own, in which all is well."""
    async with (
        _secured(tmp_path, digits_store, envoy_binary) as (world, tls, second),
        _visitor(world, tls) as visitor,
    ):
        assert (await visitor.send(_GERMANY)).status == 200
        served, mesh = _received(world), world.folder.mesh.read_text()
        await asyncio.to_thread(world.sidecar.stop)
        for identity, authority in ((f"{SIDECAR}/x", second), (SIDECAR, Authority())):
            world.folder.mesh.write_text(mesh.replace(SIDECAR, identity))
            impostor = _impostor(world, tls, identity, authority)
            try:
                impostor.start()
                await world.answers(impostor, f"{world.sidecar_admin}/readyz")
                assert [(await visitor.send(_GERMANY)).status for _ in range(3)] == [503] * 3
                # It asks the cells with the same certificate, and they do not answer it either.
                assert await world.metric(f'situs_region_up{{region="{_IAD}"}}') == 0
            finally:
                await asyncio.to_thread(impostor.stop)
        assert _received(world) == served
        world.folder.mesh.write_text(mesh)
        world.sidecar.start()
        await _until(world, _served_by(visitor), "the right sidecar to be asked")


def _impostor(world: World, tls: Secured, identity: str, authority: Authority) -> Child:
    own = Secured(folder=world.folder.root / "impostor")
    own.folder.mkdir(exist_ok=True)
    write_atomically(own.authorities, tls.authorities.read_bytes() + authority.pem)
    _show(own, "sidecar", authority.leaf(identity))
    return sidecar_child(
        world.folder,
        Plan(tls=True),
        admin_port=int(world.sidecar_admin.rpartition(":")[2]),
        listen=f"127.0.0.1:{world.sidecar_port}",
        tls=own,
    )


async def test_a_cell_that_proves_to_be_in_another_region_gets_nothing(
    tmp_path: Path, digits_store: Path, binary: Path
) -> None:
    async with _secured(tmp_path, digits_store, binary) as (world, tls, second), _visitor(world, tls) as visitor:
        for leaf in (second.leaf(identity_of(_IAD)), second.leaf(identity_of(_AMS)), second.leaf(ENVOY)):
            _show(tls, f"cell-{_FRA}", leaf)
            await _again(world, world.cells[_FRA])
            await _out(world, _FRA)
            before = _of(world, _FRA)
            answers = [await visitor.send(_GERMANY) for _ in range(5)]
            assert {(answer.status, answer.region) for answer in answers} == {(200, _AMS)}
            assert _of(world, _FRA) == before
        # With both of its regions in other hands there is no region left for this client.
        _show(tls, f"cell-{_AMS}", second.leaf(identity_of(_IAD)))
        await _again(world, world.cells[_AMS])
        await _out(world, _AMS)
        received = _received(world)
        assert {(await visitor.send(_GERMANY)).status for _ in range(5)} == {503}
        assert _received(world) == received


async def test_a_certificate_that_ends_is_the_end(tmp_path: Path, digits_store: Path, envoy_binary: Path) -> None:
    """Nobody rotates: the cell's ends first and then the sidecar's, while both go on running."""
    short = _SHORT_S / 86_400
    async with (
        _secured(tmp_path, digits_store, envoy_binary) as (world, tls, second),
        _visitor(world, tls) as visitor,
    ):
        _show(tls, f"cell-{_FRA}", second.leaf(identity_of(_FRA), days=short))

        async def is_out() -> bool:
            return await _stat(world, f"cluster.{_FRA}.membership_healthy") == 0

        await _until(world, is_out, "the cell's certificate to end")
        answers = [await visitor.send(_GERMANY) for _ in range(5)]
        assert {(answer.status, answer.region) for answer in answers} == {(200, _AMS)}
        _show(tls, "sidecar", second.leaf(SIDECAR, days=short))

        async def is_refused() -> bool:
            return (await visitor.send(_GERMANY)).status == 503

        await _until(world, is_refused, "the sidecar's certificate to end")
        received = _received(world)
        assert {(await visitor.send(_GERMANY)).status for _ in range(5)} == {503}
        assert _received(world) == received


def _served_by(visitor: Visitor) -> Callable[[], Awaitable[bool]]:
    async def is_served() -> bool:
        return (await visitor.send(_GERMANY)).status == 200

    return is_served


async def _out(world: World, region: RegionId) -> None:
    """Wait until both who ask a cell, Envoy and the sidecar, find it to be none of its region's."""

    async def is_out() -> bool:
        probed = await world.metric(f'situs_region_up{{region="{region}"}}')
        return probed == 0 and await _stat(world, f"cluster.{region}.membership_healthy") == 0

    await _until(world, is_out, f"{region} to be out")


def _of(world: World, region: RegionId) -> int:
    return sum(each.region == region for each in world.received())


async def _stat(world: World, name: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{world.envoy_admin}/stats", params={"filter": f"^{name}$"})).text
    return int(text.rpartition(":")[2])


class _Rotation:
    """Replaces everything, in the three steps in which an authority is changed, and waits until each has been seen."""

    def __init__(self, world: World, tls: Secured, visitors: ssl.SSLContext) -> None:
        self._world = world
        self._tls = tls
        self._visitors = visitors
        self._peers = {
            "client": "spiffe://demo.situs/client",
            "envoy": ENVOY,
            "sidecar": SIDECAR,
            **{f"cell-{region}": identity_of(region) for region in world.cells},
        }
        self._servers = {
            "listener": world.port,
            "sidecar": world.sidecar_port,
            **{f"cell-{region}": world.cell_port(region) for region in world.cells},
        }

    async def to(self, new: Authority) -> None:
        old, as_before = self._tls.authorities.read_bytes(), self._context("envoy")
        # 1. Everybody believes both.
        async with self._taken_by_envoy():
            write_atomically(self._tls.authorities, old + new.pem)
        self._visitors.load_verify_locations(cadata=new.pem.decode())
        files = new.leaf(ENVOY).write(self._tls.folder / "new", new)
        as_envoy = _asking(files.certificate, files.key)
        await self._all(lambda port: _lets_in(port, as_envoy), "the new authority to be believed")
        # 2. Everybody shows a certificate of the new one.
        leaves = {name: new.leaf(identity) for name, identity in self._peers.items()}
        leaves["listener"] = new.leaf(hosts=["localhost", "gateway.internal"])
        async with self._taken_by_envoy():
            for name, leaf in leaves.items():
                _show(self._tls, name, leaf)
        self._visitors.load_cert_chain(*self._tls.pair("client"))
        serials = {port: _serial(leaves[name].certificate) for name, port in self._servers.items()}
        await self._all(lambda port: _shows(port, as_envoy) == serials[port], "the new certificates to be shown")
        # 3. Nobody believes the old one any more.
        async with self._taken_by_envoy():
            write_atomically(self._tls.authorities, new.pem)
        await self._all(lambda port: not _lets_in(port, as_before), "the old authority to be forgotten")

    def _context(self, name: str) -> ssl.SSLContext:
        return _asking(*self._tls.pair(name))

    async def _all(self, holds: Callable[[int], bool], what: str) -> None:
        for name, port in self._servers.items():
            await _until(self._world, lambda port=port: asyncio.to_thread(holds, port), f"{what} ({name})")  # type: ignore[misc]

    @asynccontextmanager
    async def _taken_by_envoy(self) -> AsyncIterator[None]:
        """Wait until the contexts towards a region and the sidecar were made anew."""
        names = [f"cluster.{cluster}.client_ssl_socket_factory.ssl_context_update_by_sds" for cluster in (_FRA, _OURS)]
        before = [await _stat(self._world, name) for name in names]
        yield

        async def is_taken() -> bool:
            return all([await _stat(self._world, name) > count for name, count in zip(names, before, strict=True)])

        await _until(self._world, is_taken, "Envoy to take what was replaced")


def _asking(certificate: Path, key: Path) -> ssl.SSLContext:
    """Give the TLS of one who only looks: whoever answers, it is what it shows or lets in that counts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate, key)
    return context


def _lets_in(port: int, context: ssl.SSLContext) -> bool:
    """Tell whether a server says anything: SPEC: RFC 8446, a client learns only then that it was let in."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as connection:
            connection.sendall(_HELLO)
            return bool(connection.recv(1))
    except OSError:
        return False


def _shows(port: int, context: ssl.SSLContext) -> int:
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as connection:
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def _serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


async def test_rotation_of_everything_loses_no_request(tmp_path: Path, digits_store: Path, binary: Path) -> None:
    async with _secured(tmp_path, digits_store, binary) as (world, tls, second):
        visitors = tls.context("client")
        rotation = _Rotation(world, tls, visitors)
        async with (
            Visitor(world.url, world.issuer, Digits(world.folder.samples), tls=visitors) as visitor,
            steady_load(visitor, _GERMANY, _PER_S) as load,
        ):
            for new in (second, Authority()):
                await rotation.to(new)
            renewed = time.monotonic() + 1.5 * _CONNECTION_S  # by then no connection of before is left
            served_at = [len(load.since(renewed))]

            async def is_served() -> bool:
                served_at[0] = len(load.since(renewed))
                return served_at[0] > _PER_S

            await _until(world, is_served, "a second of requests over connections made after the rotation")
            ended = [await _stat(world, f"cluster.{name}.upstream_cx_max_duration_reached") for name in (_OURS, _FRA)]
            resumed = await _stat(world, f"cluster.{_OURS}.ssl.session_reused")
        assert load.failed() == 0
        assert len(load.answers) > 4 * _PER_S
        assert min(ended) > 0
        assert resumed == 0
        assert await world.metric("situs_violations_total") == 0
