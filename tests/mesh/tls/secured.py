"""A real Envoy that speaks TLS on both sides: two regions whose cells prove who they are, and a sidecar that is told.

The cells are Python's own TLS, so that what is accepted and refused is not our own opinion.
"""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import httpx
from mesh.example import LOOPBACK, READING, mesh_of, tables_of
from mesh.world import TELL, Cell, ToldSidecar, World, free_port, rendered, running_envoy, wait_for
from support.certificates import Authority, Files, Leaf, bundle, write_atomically

from extproc.core.reading import Reading
from extproc.mesh.envoy import render_secrets
from extproc.mesh.section import Health, ListenerTls, Mesh, PeerTls, Timeouts, UnixSocket

DOMAIN: Final = "spiffe://acme.example"
ENVOY: Final = f"{DOMAIN}/envoy"
SIDECAR: Final = f"{DOMAIN}/sidecar"
CLIENT: Final = f"{DOMAIN}/scorer"
CELLS: Final = (f"{DOMAIN}/cells/r0", f"{DOMAIN}/cells/r1")
HOST: Final = "localhost"

Contexts: TypeAlias = tuple[ssl.SSLContext, ssl.SSLContext]
Write: TypeAlias = Callable[..., Files]
"""Writes a leaf into a folder, with the authorities that its owner believes."""


def write_as_kubernetes(leaf: Leaf, folder: Path, *authorities: Authority) -> Files:
    """Write as the kubelet does: into a new directory, to which `..data` then points; the files lead through that."""
    beside = folder / f"..{len(list(folder.glob('..[0-9]*'))) if folder.is_dir() else 0}"
    written = leaf.write(beside, *authorities)
    (folder / "..data_tmp").symlink_to(beside.name)
    (folder / "..data_tmp").replace(folder / "..data")
    names = {field: getattr(written, field).name for field in ("certificate", "key", "authorities")}
    for name in names.values():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    return Files(**{field: folder / name for field, name in names.items()})


def of_cell(files: Files, *, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Give the TLS of a cell that lets in whom its authorities signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = oldest
    return context


class SecuredCell(Cell):
    """A cell over TLS. `context` may be changed while it runs: new connections see it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self.context = context
        server = self._server

        def accept() -> tuple[ssl.SSLSocket, object]:
            plain, address = server.socket.accept()
            # The handshake is for the thread of the connection, not for the one that accepts.
            secured = self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            return secured, address

        server.get_request = accept  # type: ignore[method-assign]
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] # a refused handshake is no news


@dataclass
class Secured:
    """The running parts, and the files that Envoy reads."""

    world: World
    authority: Authority
    envoy: Files
    listener: Files
    port: int
    cells: list[SecuredCell]

    def checks(self) -> list[int]:
        """Count the health checks of each region so far."""
        return [self.world.counter(f"cluster.c{i}.health_check.success") for i in range(len(self.cells))]

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def context(self, files: Files | None = None, *, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Give the TLS of a client that believes the authority, with a certificate of its own or none."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if files is not None:
            context.load_cert_chain(files.certificate, files.key)
        if newest is not None:
            context.maximum_version = newest
        return context

    def client(self, files: Files | None = None, *, newest: ssl.TLSVersion | None = None) -> httpx.Client:
        context = self.context(files, newest=newest)
        return httpx.Client(verify=context, base_url=self.url, trust_env=False, timeout=5)

    def ask(self, tell: str, files: Files | None = None, **headers: str) -> httpx.Response:
        """Ask once, over a connection of its own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.client(files) as client:
            return client.get("/v2/models/digits/infer", headers={TELL: tell, **named})

    def until_served(self, tell: str, files: Files | None = None) -> None:
        wait_for("a request to be served", lambda: self.ask(tell, files).status_code == httpx.codes.OK)


def _write_secrets(mesh: Mesh) -> Mesh:
    for name, text in render_secrets(mesh).items():
        Path(mesh.directory, name).write_text(text)
    return mesh


@contextlib.contextmanager
def secured_world(  # noqa: PLR0913 - one for each thing that varies
    binary: Path,
    directory: Path,
    *,
    cells: Callable[[Authority], Contexts] | None = None,
    clients: Authority | None = None,
    required: bool = False,
    reading: Reading = READING,
    timeouts: Timeouts | None = None,
    own: Callable[[Authority], Files] | None = None,
    write: Write = Leaf.write,
) -> Iterator[Secured]:
    """Start two regions, `c0` and `c1`, whose cells have the right certificates unless `cells` gives others.

    `clients` signs the clients' certificates, which are then verified; `own` gives Envoy other files than the right
    ones, and `write` puts them where they are.
    """
    authority = Authority()
    envoy = own(authority) if own else write(authority.leaf(ENVOY), directory / "envoy", authority)
    listener = write(authority.leaf(hosts=[HOST]), directory / "listener", authority)
    believed = None
    if clients is not None:
        believed = str(write_atomically(directory / "clients.pem", bundle(clients)))
    contexts = cells(authority) if cells else right_cells(authority, directory)
    running = [SecuredCell(context) for context in contexts]
    sidecar = ToldSidecar(directory / "sidecar.sock")
    port, admin = free_port(), free_port()
    mesh = mesh_of(
        [cell.port for cell in running],
        listener=port,
        admin=admin,
        sidecar=UnixSocket(unix=str(directory / "sidecar.sock")),
    )
    mesh = replace(
        mesh,
        directory=str(directory),
        timeouts=timeouts or Timeouts(),
        health=Health(interval_s=0.1, down_interval_s=0.1, timeout_s=1.0, failures=100),
        regions={
            region: replace(endpoints, identity=identity)
            for (region, endpoints), identity in zip(mesh.regions.items(), CELLS, strict=True)
        },
        tls=PeerTls(
            certificate=str(envoy.certificate),
            key=str(envoy.key),
            authorities=str(envoy.authorities),
            identity=ENVOY,
            sidecar=SIDECAR,
        ),
        listener_tls=ListenerTls(
            certificate=str(listener.certificate), key=str(listener.key), clients=believed, required=required
        ),
    )
    world = World(cells=[*running], sidecar=sidecar, url=f"https://{HOST}:{port}", admin=f"http://{LOOPBACK}:{admin}")
    try:
        with running_envoy(binary, directory, rendered(tables_of(2), reading, _write_secrets(mesh))):
            wait_for("Envoy to be ready", lambda: _is_ready(world.admin))
            yield Secured(world=world, authority=authority, envoy=envoy, listener=listener, port=port, cells=running)
    finally:
        world.client.close()
        sidecar.close()
        for cell in running:
            cell.close()


def right_cells(authority: Authority, directory: Path) -> Contexts:
    """Give each region's cell the certificate of its own region."""
    first, second = (
        of_cell(authority.leaf(identity).write(directory / f"cell{i}", authority)) for i, identity in enumerate(CELLS)
    )
    return first, second


def _is_ready(admin: str) -> bool:
    try:
        return httpx.get(f"{admin}/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
