"""The demo's world: four cells, the sidecar and Envoy as processes on loopback, and the files between them.

    client -> Envoy -> (ext_proc) sidecar -> decision log
                  `-> cell eu-fra | eu-ams | us-iad | me-dxb

Leaving the world stops every process it started, whatever happened in it.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Final

import httpx
import yaml

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables, Region
from extproc.demo.children import cell_child, envoy_child, sidecar_child
from extproc.demo.commands import run_command
from extproc.demo.folder import NODE, Folder
from extproc.demo.places import write_geo_database
from extproc.demo.plan import AS_SHIPPED, Plan
from extproc.demo.ports import free_port
from extproc.demo.process import Child, ProcessFailedError, python
from extproc.demo.received import Received, read_received
from extproc.demo.secured import Secured, identity_of
from extproc.demo.tokens import AUDIENCE, ISSUER, Issuer
from extproc.demo.ways import Way, way_to
from extproc.mesh.binary import find_envoy, version_of
from extproc.mesh.section import EnvoyVersion
from extproc.policy.load import load_policy

__all__ = [
    "NODE",
    "PATIENCE_S",
    "Folder",
    "Plan",
    "Received",
    "World",
    "default_models",
    "free_port",
    "running_world",
]

PATIENCE_S: Final = 30.0
_POLL_S: Final = 0.02


class World:
    """The running world. Requests go to `url`; `issuer` makes tokens that Envoy accepts."""

    def __init__(self, folder: Folder, *, models: Path | None, envoy: str | None, plan: Plan) -> None:
        self.folder = folder
        self._plan = plan
        self.tls = Secured(folder=folder.certificates) if plan.tls else None
        self.issuer = Issuer()
        self._binary = find_envoy(envoy)
        self._ports = _Ports()
        self._cell_ports: dict[RegionId, int] = {}
        self._models = models
        self.cells: dict[RegionId, Child] = {}
        self.ways: dict[RegionId, Way] = {}
        self.sidecar: Child
        self.envoy: Child

    @property
    def port(self) -> int:
        """Where Envoy listens for clients, on loopback."""
        return self._ports.listener

    @property
    def url(self) -> str:
        """Where Envoy listens for clients."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def envoy_admin(self) -> str:
        """Envoy's admin endpoint."""
        return f"http://127.0.0.1:{self._ports.envoy_admin}"

    @property
    def sidecar_admin(self) -> str:
        """The sidecar's admin endpoint."""
        return f"http://127.0.0.1:{self._ports.sidecar_admin}"

    @property
    def sidecar_port(self) -> int:
        """Where the sidecar listens for Envoy in a world with TLS."""
        return self._ports.sidecar

    def cell_port(self, region: RegionId) -> int:
        """Give the port of a region's cell."""
        return self._cell_ports[region]

    def tables(self) -> PolicyTables:
        """Compile the policy as it is now."""
        return load_policy(self.folder.policy).tables

    # Preparation ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Write every file, and render Envoy's configuration with the real command."""
        folder = self.folder
        for path in (folder.root / "processes", folder.root / "received", folder.key.parent):
            path.mkdir(parents=True, exist_ok=True)
        folder.key.parent.chmod(0o700)
        folder.policy.write_text(self._plan.policy or _example())
        folder.overrides.write_text("apiVersion: situs/v1\noverrides: []\n")
        write_geo_database(folder.geo)
        jwks = folder.root / "jwks.json"
        self.issuer.write_jwks(jwks)
        regions = self.tables().regions
        self._cell_ports = {region.id: free_port() for region in regions}
        self._prepare_ways(regions)
        if self.tls is not None:
            self.tls.write([region.id for region in regions])
        with folder.mesh.open("w") as file:
            yaml.safe_dump(self._mesh(jwks), file, sort_keys=False)
        self._prepare_models()
        self.run_situs(
            "mesh", "render", "--for", "envoy", "--policy", folder.policy, "--mesh", folder.mesh,
            "--directory", folder.root,
        )  # fmt: skip
        self.cells = {
            region.id: cell_child(folder, region, self._cell_ports[region.id], self.tls) for region in regions
        }
        self.sidecar = sidecar_child(
            folder,
            self._plan,
            admin_port=self._ports.sidecar_admin,
            listen=f"127.0.0.1:{self._ports.sidecar}" if self.tls else f"unix:{folder.socket}",
            tls=self.tls,
        )
        self.envoy = envoy_child(folder, self._binary)

    def _mesh(self, jwks: Path) -> dict[str, object]:
        ends = {region: way.port for region, way in self.ways.items()} or self._cell_ports
        plain: dict[str, object] = {
            "apiVersion": "situs/v1",
            "listener": {"address": "127.0.0.1", "port": self._ports.listener},
            "admin": {"address": "127.0.0.1", "port": self._ports.envoy_admin},
            "sidecar": {"unix": str(self.folder.socket)},
            "regions": {str(region): {"endpoints": [f"127.0.0.1:{port}"]} for region, port in ends.items()},
            "health": {"interval_s": 1, "healthy": 1},
            "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_file": str(jwks)},
            "oldest_envoy": self._rendered_for(),
        }
        return plain if self.tls is None else {**plain, **self._mesh_over(self.tls, ends)}

    def _rendered_for(self) -> str:
        """Give the version to render for: the Envoy's own, or the newest known where it is newer still."""
        known, runs = [version.value for version in EnvoyVersion], version_of(self._binary)
        return runs if runs in known else known[-1]

    def _mesh_over(self, tls: Secured, ends: Mapping[RegionId, int]) -> dict[str, object]:
        return {
            "listener": {"address": "127.0.0.1", "port": self._ports.listener, "tls": tls.of_listener()},
            "sidecar": {"address": "127.0.0.1", "port": self._ports.sidecar},
            "regions": {
                str(region): {"endpoints": [f"127.0.0.1:{port}"], "identity": identity_of(region)}
                for region, port in ends.items()
            },
            "tls": tls.of_peers(),
            "directory": str(self.folder.root),
        }

    def _prepare_ways(self, regions: Iterable[Region]) -> None:
        if self._plan.service_s is None:
            return
        for region in regions:
            rtt_s = (region.rtt_s or 0.0) + self._plan.service_s
            self.ways[region.id] = way_to(region.id, self._cell_ports[region.id], rtt_s, self.folder)

    def _prepare_models(self) -> None:
        if self._models is not None:
            shutil.copytree(self._models, self.folder.models)
        else:
            run_command(python("inference.digits", "--output", self.folder.models))

    # Life -----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every process and wait until each says that it is ready and every region is seen up.

        The cells first: Envoy's first health check must find them, because it counts for some seconds.
        """
        for way in self.ways.values():
            way.relay.start()
        for cell in self.cells.values():
            cell.start()
        self.sidecar.start()
        for region in self.cells:
            await self.cell_ready(region)
        self.envoy.start()
        await self.sidecar_ready()
        await self.answers(self.envoy, f"{self.envoy_admin}/ready")
        await self.until(self._all_up, "every region is seen up")

    async def stop(self) -> None:
        """Stop Envoy, then the sidecar once Envoy's last reports are in, then the cells."""
        if not hasattr(self, "envoy"):
            return
        await asyncio.to_thread(self.envoy.stop)
        await asyncio.to_thread(self.sidecar.stop)
        await asyncio.gather(*(asyncio.to_thread(cell.stop) for cell in self.cells.values()))
        for way in self.ways.values():
            way.relay.kill()  # it has nothing to finish

    def kill_all(self) -> None:
        """End every process at once, for when there is no time left."""
        if hasattr(self, "envoy"):
            for child in self._children():
                child.kill()

    async def cell_ready(self, region: RegionId) -> None:
        """Wait until a cell says that it is ready."""
        scheme = "http" if self.tls is None else "https"
        url = f"{scheme}://127.0.0.1:{self._cell_ports[region]}/v2/health/ready"
        await self.answers(self.cells[region], url)

    async def sidecar_ready(self) -> None:
        """Wait until the sidecar says that it is ready."""
        await self.answers(self.sidecar, f"{self.sidecar_admin}/readyz")

    async def answers(self, child: Child, url: str) -> None:
        """Wait until `url` answers 200, while `child` runs."""
        async with _client(1.0, self.tls) as client:

            async def ready() -> bool:
                child.check()
                try:
                    return (await client.get(url)).status_code == httpx.codes.OK
                except httpx.HTTPError:
                    return False

            await self.until(ready, f"{child.name} answers")

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something holds. Raises ProcessFailedError when it does not within `patience_s` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience_s
        while not await holds():
            if loop.time() > end:
                raise ProcessFailedError(f"not within {patience_s:g} s: {what}")
            await asyncio.sleep(_POLL_S)

    async def metrics(self) -> str:
        """Give the sidecar's metrics in Prometheus' text form."""
        async with _client(2.0) as client:
            return (await client.get(f"{self.sidecar_admin}/metrics")).text

    async def metric(self, sample: str) -> float:
        """Give one sample, such as `situs_violations_total` or `situs_region_up{region="eu-fra"}`; 0 if absent."""
        for line in (await self.metrics()).splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    async def _all_up(self) -> bool:
        text = await self.metrics()
        return all(f'situs_region_up{{region="{region}"}} 1.0' in text for region in self.cells)

    def _children(self) -> tuple[Child, ...]:
        return (*(way.relay for way in self.ways.values()), *self.cells.values(), self.sidecar, self.envoy)

    # Commands and evidence ------------------------------------------------------------------------------------------

    def run_situs(self, *arguments: str | Path, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run one `situs` command as a person would; with `expect`, any other exit code is an error."""
        return run_command(python("extproc", *arguments), expect=expect)

    def received(self) -> Iterator[Received]:
        """Give what the cells themselves say that they received."""
        for region in self.cells:
            yield from read_received(self.folder.received(region), region)


def _client(timeout_s: float, tls: Secured | None = None) -> httpx.AsyncClient:
    # Loading the usual certificates holds up a load of this process for tens of milliseconds, and nobody here has any
    # of them: a cell over TLS is asked as the sidecar asks it.
    verify = SSLContext(PROTOCOL_TLS_CLIENT) if tls is None else tls.context("sidecar")
    return httpx.AsyncClient(timeout=timeout_s, trust_env=False, verify=verify)


def _example() -> str:
    return (resources.files("extproc.policy") / "examples" / "demo.yaml").read_text(encoding="utf-8")


class _Ports:
    def __init__(self) -> None:
        self.listener = free_port()
        self.envoy_admin = free_port()
        self.sidecar_admin = free_port()
        self.sidecar = free_port()


@asynccontextmanager
async def running_world(
    root: Path, *, models: Path | None = None, envoy: str | None = None, plan: Plan = AS_SHIPPED
) -> AsyncIterator[World]:
    """Prepare and start a world in the empty folder `root`; stop it on the way out."""
    world = World(Folder(root=root), models=models, envoy=envoy, plan=plan)
    with _no_one_left_behind(world):
        await asyncio.to_thread(world.prepare)
        await world.start()
        yield world
        await world.stop()


@contextmanager
def _no_one_left_behind(world: World) -> Iterator[None]:
    try:
        yield
    finally:
        world.kill_all()


def default_models() -> Path | None:
    """Give the model store that `make` builds, if this is a checkout where it was built."""
    built = Path(sys.prefix).parent / "build" / "models"
    return built if (built / "digits" / "samples.json").exists() else None
