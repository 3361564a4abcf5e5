"""The demo's world: four cells, the sidecar and Envoy as processes on loopback, and the files between them.

    client -> Envoy -> (ext_proc) sidecar -> decision log
                  `-> cell eu-fra | eu-ams | us-iad | me-dxb

Leaving the world stops every process it started, whatever happened in it.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final

import httpx
import yaml

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables
from extproc.demo.places import write_geo_database
from extproc.demo.process import Child, ProcessFailedError, python
from extproc.demo.tokens import AUDIENCE, ISSUER, Issuer
from extproc.mesh.binary import find_envoy
from extproc.policy.load import load_policy

PATIENCE_S: Final = 30.0
_POLL_S: Final = 0.02
_CELL_DRAIN_S: Final = 1
NODE: Final = "demo-node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where the world keeps what."""

    root: Path

    @property
    def policy(self) -> Path:
        """The policy, a copy that may be changed."""
        return self.root / "policy.yaml"

    @property
    def mesh(self) -> Path:
        """The mesh file."""
        return self.root / "mesh.yaml"

    @property
    def overrides(self) -> Path:
        """The legal overrides."""
        return self.root / "overrides.yaml"

    @property
    def geo(self) -> Path:
        """The geolocation database."""
        return self.root / "country.mmdb"

    @property
    def envoy(self) -> Path:
        """Envoy's rendered configuration."""
        return self.root / "envoy.yaml"

    @property
    def log(self) -> Path:
        """The decision log: the evidence."""
        return self.root / "log"

    @property
    def key(self) -> Path:
        """The log's signing key."""
        return self.root / "keys" / "log.key"

    @property
    def signer(self) -> Path:
        """The log's public key, as it is handed to an auditor."""
        return self.log / NODE / "0" / "signer.vkey"

    @property
    def models(self) -> Path:
        """The cells' model store."""
        return self.root / "models"

    def output(self, name: str) -> Path:
        """Name the file of what a process has said."""
        return self.root / "processes" / f"{name}.txt"

    def received(self, region: str) -> Path:
        """Name the file of what a cell has received, by its own account: one JSON line for each inference request."""
        return self.root / "received" / f"{region}.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What may be otherwise in a world: the policy, by default the demo's, and further options of `situs serve`."""

    policy: str | None = None
    durability: str = "fsync"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One inference request that reached a cell, by the cell's own account."""

    region: RegionId
    decision: str | None
    status: int
    at: datetime


class World:
    """The running world. Requests go to `url`; `issuer` makes tokens that Envoy accepts."""

    def __init__(self, folder: Folder, *, models: Path | None, envoy: str | None, plan: Plan) -> None:
        self.folder = folder
        self._plan = plan
        self.issuer = Issuer()
        self._binary = find_envoy(envoy)
        self._ports = _Ports()
        self._cell_ports: dict[RegionId, int] = {}
        self._models = models
        self.cells: dict[RegionId, Child] = {}
        self.sidecar: Child
        self.envoy: Child

    @property
    def url(self) -> str:
        """Where Envoy listens for clients."""
        return f"http://127.0.0.1:{self._ports.listener}"

    @property
    def envoy_admin(self) -> str:
        """Envoy's admin endpoint."""
        return f"http://127.0.0.1:{self._ports.envoy_admin}"

    @property
    def sidecar_admin(self) -> str:
        """The sidecar's admin endpoint."""
        return f"http://127.0.0.1:{self._ports.sidecar_admin}"

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
        with folder.mesh.open("w") as file:
            yaml.safe_dump(self._mesh(jwks), file, sort_keys=False)
        self._prepare_models()
        self.run_situs(
            "mesh", "render", "--for", "envoy", "--policy", folder.policy, "--mesh", folder.mesh,
            "--output", folder.envoy,
        )  # fmt: skip
        for region in regions:
            self.cells[region.id] = Child(
                region.id,
                python(
                    "inference", "serve",
                    "--region", region.id,
                    "--jurisdiction", region.country,
                    "--cell", f"{region.id}-0",
                    "--models", folder.models,
                    "--listen", f"127.0.0.1:{self._cell_ports[region.id]}",
                    "--access-log", folder.received(region.id),
                    "--drain", str(_CELL_DRAIN_S),
                ),
                folder.output(region.id),
            )  # fmt: skip
        self.sidecar = Child(
            "sidecar",
            python(
                "extproc", "serve",
                "--policy", folder.policy,
                "--mesh", folder.mesh,
                "--geo-db", folder.geo,
                "--overrides", folder.overrides,
                "--log", folder.log,
                "--key", folder.key,
                "--listen", f"unix:{self._socket}",
                "--admin", f"127.0.0.1:{self._ports.sidecar_admin}",
                "--durability", self._plan.durability,
                "--org", "demo", "--env", "demo", "--node", NODE,
                "--drain", "2",
                *self._plan.options,
            ),
            folder.output("sidecar"),
        )  # fmt: skip
        self.envoy = Child(
            "envoy",
            [
                self._binary, "-c", folder.envoy,
                "--disable-hot-restart", "--concurrency", "2",
                "--log-level", "warning",
                "--drain-time-s", "1", "--parent-shutdown-time-s", "2",
            ],
            folder.output("envoy"),
        )  # fmt: skip

    @property
    def _socket(self) -> Path:
        return self.folder.root / "situs.sock"

    def _mesh(self, jwks: Path) -> dict[str, object]:
        return {
            "apiVersion": "situs/v1",
            "listener": {"address": "127.0.0.1", "port": self._ports.listener},
            "admin": {"address": "127.0.0.1", "port": self._ports.envoy_admin},
            "sidecar": {"unix": str(self._socket)},
            "regions": {str(region): {"endpoints": [f"127.0.0.1:{port}"]} for region, port in self._cell_ports.items()},
            "health": {"interval_s": 1, "healthy": 1},
            "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_file": str(jwks)},
        }

    def _prepare_models(self) -> None:
        if self._models is not None:
            shutil.copytree(self._models, self.folder.models)
        else:
            _run(python("inference.digits", "--output", self.folder.models))

    # Life -----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every process and wait until each says that it is ready and every region is seen up.

        The cells first: Envoy's first health check must find them, because it counts for some seconds.
        """
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

    def kill_all(self) -> None:
        """End every process at once, for when there is no time left."""
        if hasattr(self, "envoy"):
            for child in self._children():
                child.kill()

    async def cell_ready(self, region: RegionId) -> None:
        """Wait until a cell says that it is ready."""
        url = f"http://127.0.0.1:{self._cell_ports[region]}/v2/health/ready"
        await self.answers(self.cells[region], url)

    async def sidecar_ready(self) -> None:
        """Wait until the sidecar says that it is ready."""
        await self.answers(self.sidecar, f"{self.sidecar_admin}/readyz")

    async def answers(self, child: Child, url: str) -> None:
        """Wait until `url` answers 200, while `child` runs."""
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:

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
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
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
        return (*self.cells.values(), self.sidecar, self.envoy)

    # Commands and evidence ------------------------------------------------------------------------------------------

    def run_situs(self, *arguments: str | Path, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run one `situs` command as a person would; with `expect`, any other exit code is an error."""
        return _run(python("extproc", *arguments), expect=expect)

    def received(self) -> Iterator[Received]:
        """Give what the cells themselves say that they received."""
        for region in self.cells:
            path = self.folder.received(region)
            if path.exists():
                for line in path.read_text().splitlines():
                    entry = json.loads(line)
                    yield Received(
                        region=region,
                        decision=entry["decision"],
                        status=entry["status"],
                        at=datetime.fromisoformat(entry["time"]),
                    )


def _example() -> str:
    return (resources.files("extproc.policy") / "examples" / "demo.yaml").read_text(encoding="utf-8")


_AS_SHIPPED: Final = Plan()


class _Ports:
    def __init__(self) -> None:
        self.listener = free_port()
        self.envoy_admin = free_port()
        self.sidecar_admin = free_port()


_handed_out: set[int] = set()


def free_port() -> int:
    """Give a loopback port that nobody listens on now and that was not given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _handed_out:
            _handed_out.add(port)
            return port


def _run(command: list[str | Path], expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - our own commands
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if expect is not None and done.returncode != expect:
        said = (done.stdout + done.stderr).strip()
        raise ProcessFailedError(f"{' '.join(map(str, command[1:]))}: exit code {done.returncode}\n{said}")
    return done


@asynccontextmanager
async def running_world(
    root: Path, *, models: Path | None = None, envoy: str | None = None, plan: Plan = _AS_SHIPPED
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
