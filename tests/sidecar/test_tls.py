"""A sidecar that Envoy reaches by an address, and one that asks its cells by TLS."""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import structlog.testing
from mesh.example import mesh_of
from prometheus_client import CollectorRegistry
from support.certificates import Authority, Files, Leaf, write_atomically
from support.messages import processing_request
from support.sidecar import Setup, Sidecar, started

from extproc.cli.serve_tls import add_tls, tls_settings
from extproc.demo.world import free_port
from extproc.mesh.section import Mesh, PeerTls
from extproc.names import EXT_PROC_SERVICE
from extproc.sidecar.tls import SidecarTls, TlsSettings
from extproc.tls.credentials import CredentialsError
from extproc.tls.holder import Reload
from extproc.wire.tls import Stranger

SITUS, ENVOY, OTHER = (f"spiffe://acme.example/{name}" for name in ("situs", "envoy", "other"))
NAME = "situs.example"
CA, FOREIGN = Authority(), Authority(name="somebody else's")
OWN = CA.leaf(SITUS, hosts=[NAME])
TCP, UNIX = "127.0.0.1:9000", "unix:/run/situs/situs.sock"


def parsed(files: Files | None, *peers: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_tls(parser)
    given = [] if files is None else files.arguments()
    return parser.parse_args([*given, *(word for peer in peers for word in ("--tls-peer", peer))])


def mesh_with_tls(sidecar: str | None = SITUS) -> Mesh:
    mesh = mesh_of([9001, 9002])
    section = PeerTls(certificate="/c", key="/k", authorities="/a", identity=ENVOY, sidecar=sidecar)
    regions = {
        region: replace(entry, identity=f"spiffe://acme.example/cells/{region}")
        for region, entry in mesh.regions.items()
    }
    return replace(mesh, tls=section, regions=regions)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return OWN.write(tmp_path / "tls", CA)


# What is told ---------------------------------------------------------------------------------------------------------


def test_without_options_all_is_plain() -> None:
    assert tls_settings(parsed(None), None, TCP) is None
    assert tls_settings(parsed(None), mesh_of([9001]), UNIX) is None


def test_who_may_ask_is_told_by_the_options_or_else_by_the_mesh_file(files: Files) -> None:
    for args, mesh, peers in (
        (parsed(files, OTHER, ENVOY), None, {OTHER, ENVOY}),
        (parsed(files, OTHER), mesh_with_tls(), {OTHER}),
        (parsed(files), mesh_with_tls(), {ENVOY}),
    ):
        settings = tls_settings(args, mesh, TCP)
        assert settings is not None
        assert settings.peers == peers
        assert settings.first.identity == SITUS
        assert list(settings.seen) == list(settings.files.all())


def test_on_a_unix_socket_only_cells_are_asked_by_tls(files: Files) -> None:
    settings = tls_settings(parsed(files), mesh_with_tls(sidecar=None), UNIX)
    assert settings is not None
    assert (settings.peers, list(settings.cells.values())) == (
        frozenset(),
        ["spiffe://acme.example/cells/r0", "spiffe://acme.example/cells/r1"],
    )


@pytest.mark.parametrize(
    ("left_out", "peers", "mesh", "listen", "why"),
    [
        (True, [], mesh_with_tls(), TCP, r"has nothing to show .* Mend: give --tls-certificate, --tls-key and"),
        (True, [], mesh_with_tls(), UNIX, r"has nothing to show"),
        (True, [ENVOY], None, TCP, r"Mend: give all three, or none"),
        (False, [], None, TCP, r"nobody may ask on .* Mend: say who with --tls-peer"),
        (False, [], mesh_of([9001]), TCP, r"nobody may ask on"),
        (False, [], None, UNIX, r"there is nothing to protect.* Mend: leave the --tls options out"),
        (False, [ENVOY], None, UNIX, r"the file's mode says it\. Mend: leave it out"),
        (False, [ENVOY], mesh_with_tls(), UNIX, r"the file's mode says it\. Mend: leave it out"),
        (False, [], mesh_with_tls(sidecar=OTHER), TCP, rf"proves {SITUS}, and Envoy expects {OTHER}.* Mend: use"),
    ],
)
def test_options_that_do_not_fit(  # noqa: PLR0913, PLR0917 - one column each
    files: Files,
    left_out: bool,  # noqa: FBT001
    peers: Sequence[str],
    mesh: Mesh | None,
    listen: str,
    why: str,
) -> None:
    with pytest.raises(ValueError, match=why):
        tls_settings(parsed(None if left_out else files, *peers), mesh, listen)


def test_some_files_are_not_enough(files: Files) -> None:
    for name in ("tls_certificate", "tls_key", "tls_authorities"):
        args = parsed(files, ENVOY)
        setattr(args, name, None)
        with pytest.raises(ValueError, match="give all three, or none"):
            tls_settings(args, None, TCP)


def test_a_peer_is_a_spiffe_id(files: Files) -> None:
    with pytest.raises(argparse.ArgumentError, match=r"is no SPIFFE id\. Mend: write it like"):
        parsed(files, "envoy")


def test_files_that_cannot_be_used_are_refused_at_the_start(files: Files) -> None:
    files.key.write_bytes(CA.leaf(SITUS).key)
    with pytest.raises(CredentialsError, match="the key is not that of"):
        tls_settings(parsed(files, ENVOY), None, TCP)


# What is told of while it runs ----------------------------------------------------------------------------------------


class Running:
    """A sidecar's TLS with a clock that a test moves."""

    def __init__(self, settings: TlsSettings | None) -> None:
        assert settings is not None
        self.now_s = time.time()
        self.registry = CollectorRegistry()
        self.tls = SidecarTls(settings, self.registry, clock=lambda: self.now_s)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def test_strangers_are_counted_and_told_of_once_in_a_while(files: Files) -> None:
    running = Running(tls_settings(parsed(files, ENVOY), None, TCP))
    with structlog.testing.capture_logs() as events:
        for _ in range(5):
            running.tls._refuse(Stranger.ANOTHER, f"it proves to be {OTHER}")
        running.now_s += 11
        running.tls._refuse(Stranger.NOBODY, "its certificate has no URI")
        running.now_s -= 1000
        running.tls._refuse(Stranger.NOBODY, "its certificate has no URI")
    assert [(event["peer"][:8], event["calls"]) for event in events] == [
        ("it prove", 1),
        ("its cert", 5),
        ("its cert", 1),
    ]
    assert running.sample("situs_tls_peers_refused_total", reason="another") == 5
    assert running.sample("situs_tls_peers_refused_total", reason="nobody") == 2


def test_an_expired_certificate_is_a_reason_not_to_be_ready(files: Files) -> None:
    running = Running(tls_settings(parsed(files, ENVOY), None, TCP))
    assert running.tls.reasons() == []
    until_s = running.tls.holder.current.not_after_s
    assert running.sample("situs_tls_certificate_expiry_timestamp_seconds") == until_s
    running.now_s = until_s + 1
    with structlog.testing.capture_logs() as events:
        running.tls.look()
        running.tls.look()
    assert [event["event"] for event in events] == ["the TLS certificate has expired"]
    (reason,) = running.tls.reasons()
    assert "Envoy cannot connect anew" in reason


def test_on_a_unix_socket_it_is_no_reason(files: Files) -> None:
    running = Running(tls_settings(parsed(files), mesh_with_tls(), UNIX))
    running.now_s += 1e9
    assert running.tls.reasons() == []
    assert running.tls.server() is None
    assert running.tls.cells() is not None


def test_without_a_mesh_file_cells_are_asked_by_nobody(files: Files) -> None:
    assert Running(tls_settings(parsed(files, ENVOY), None, TCP)).tls.cells() is None


async def test_replaced_files_are_counted(files: Files) -> None:
    running = Running(tls_settings(parsed(files, ENVOY), None, TCP))
    watching = asyncio.ensure_future(running.tls.watch())
    try:
        write_atomically(files.key, CA.leaf(SITUS).key)
        await _until(lambda: running.tls.holder.stale)
        running.tls.look()
        assert running.sample("situs_tls_stale") == 1
        assert running.sample("situs_tls_reloads_total", result=Reload.REFUSED.value) == 1
        CA.leaf(SITUS, days=2).write(files.key.parent, CA)
        await _until(lambda: not running.tls.holder.stale)
        running.tls.look()
        assert running.sample("situs_tls_stale") == 0
        assert running.sample("situs_tls_reloads_total", result=Reload.TAKEN.value) == 1
        expiry_s = running.sample("situs_tls_certificate_expiry_timestamp_seconds")
        assert expiry_s is not None
        assert expiry_s > time.time() + 1.5 * 86400
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a file is watched by looking
            await asyncio.sleep(0.02)


# A real sidecar -------------------------------------------------------------------------------------------------------


class TlsSidecar(Sidecar):
    """A sidecar at an address."""

    def __init__(self, setup: Setup, address: str) -> None:
        super().__init__(setup)
        self.address = address

    @asynccontextmanager
    async def channel(self, leaf: Leaf, authority: Authority) -> AsyncIterator[grpc.aio.Channel]:
        credentials = grpc.ssl_channel_credentials(
            authority.pem, private_key=leaf.key, certificate_chain=leaf.certificate
        )
        options = [("grpc.ssl_target_name_override", NAME), ("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(self.address, credentials, options=options) as channel:
            yield channel

    async def ask(self, leaf: Leaf, authority: Authority) -> grpc.StatusCode:
        async with self.channel(leaf, authority) as channel:
            return await code_of(channel)


async def code_of(channel: grpc.aio.Channel) -> grpc.StatusCode:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{EXT_PROC_SERVICE}/Process")
    call = method(processing_request(), timeout=10)
    return await call.code()


@pytest.mark.slow
async def test_a_sidecar_at_an_address_lives_through_a_rotation(setup: Setup) -> None:
    folder, address = setup.root / "tls", f"127.0.0.1:{free_port()}"
    files = OWN.write(folder, CA)
    setup.options = ["--listen", address, *files.arguments(), "--tls-peer", ENVOY]
    envoy, next_envoy = CA.leaf(ENVOY), FOREIGN.leaf(ENVOY)
    async with started(TlsSidecar(setup, address)) as sidecar, sidecar.channel(envoy, CA) as lasting:
        assert await code_of(lasting) is grpc.StatusCode.OK
        assert await sidecar.ask(CA.leaf(OTHER), CA) is grpc.StatusCode.PERMISSION_DENIED
        assert await sidecar.ask(next_envoy, CA) is grpc.StatusCode.UNAVAILABLE
        assert await sidecar.metric('situs_tls_peers_refused_total{reason="another"}') == 1

        write_atomically(files.authorities, b"half of")
        await sidecar.until(lambda: _is(sidecar, "refused", 1))
        assert await sidecar.ask(envoy, CA) is grpc.StatusCode.OK

        began_s = time.monotonic()
        FOREIGN.leaf(SITUS, hosts=[NAME]).write(folder, FOREIGN)
        while await sidecar.ask(next_envoy, FOREIGN) is not grpc.StatusCode.OK:
            assert time.monotonic() - began_s < 5
            await asyncio.sleep(0.05)
        assert await sidecar.ask(envoy, FOREIGN) is grpc.StatusCode.UNAVAILABLE
        assert await code_of(lasting) is grpc.StatusCode.OK
        assert await sidecar.metric('situs_tls_reloads_total{result="taken"}') >= 1
        assert await sidecar.metric("situs_tls_certificate_expiry_timestamp_seconds") > time.time()


async def _is(sidecar: Sidecar, result: str, count: int) -> bool:
    return await sidecar.metric(f'situs_tls_reloads_total{{result="{result}"}}') >= count


@pytest.mark.slow
def test_a_sidecar_that_has_nothing_to_show_does_not_start(setup: Setup) -> None:
    files = CA.leaf(SITUS, days=-1).write(setup.root / "tls", CA)
    code, said = setup.refused("--listen", "127.0.0.1:0", *files.arguments(), "--tls-peer", ENVOY)
    assert (code, "it expired at" in said, "Mend: have it issued anew" in said) == (78, True, True)
