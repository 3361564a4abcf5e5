"""Three gateways, one for each profile, before the same four cells at their distances.

    client -> Envoy + sidecar + log, legal-first       --+              +-- relay,   8 ms -- cell eu-fra
           -> Envoy + sidecar + log, hybrid            --+--------------+-- relay,  14 ms -- cell eu-ams
           -> Envoy + sidecar + log, performance-first --+              +-- ...

The cells belong to the first gateway's world: it starts, stops and reads them; the others only reach them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from bench.profiles.policies import policy_of, round_trips_s
from extproc.core.ids import RegionId
from extproc.core.tables import Profile
from extproc.demo.process import Child, ProcessFailedError, python
from extproc.demo.world import Folder, Plan, Received, World, free_port

PROFILES: Final = tuple(Profile)
_POLL_S: Final = 0.1
_PATIENCE_S: Final = 30.0


class _Gateway(World):
    """A world whose Envoy and sidecar reach the regions at `endpoints`, and not at its own cells."""

    def __init__(self, folder: Folder, *, models: Path | None, envoy: str | None, plan: Plan) -> None:
        super().__init__(folder, models=models, envoy=envoy, plan=plan)
        self.endpoints: Mapping[RegionId, int] = {}

    def _mesh(self, jwks: Path) -> dict[str, object]:
        regions = {str(region): {"endpoints": [f"127.0.0.1:{port}"]} for region, port in self.endpoints.items()}
        return super()._mesh(jwks) | {"regions": regions}


class Worlds:
    """The gateways by profile, the cells and the ways to them."""

    def __init__(self, root: Path, *, models: Path | None, envoy: str | None) -> None:
        self._ports = {region: free_port() for region in round_trips_s()}
        self._gateways = {
            profile: _Gateway(
                Folder(root=root / profile.value), models=models, envoy=envoy, plan=Plan(policy=policy_of(profile))
            )
            for profile in PROFILES
        }
        self._home = self._gateways[PROFILES[0]]
        # One client, made before anything is measured: making one takes tens of milliseconds of this process.
        self._http = httpx.AsyncClient(timeout=1.0, trust_env=False)
        self._cells: dict[RegionId, Child] = {}
        self._relays: dict[RegionId, Child] = {}

    @property
    def by_profile(self) -> Mapping[Profile, World]:
        """The gateways."""
        return self._gateways

    @property
    def digits(self) -> Path:
        """The images that clients send."""
        return self._home.folder.models / "digits" / "samples.json"

    async def prepare(self) -> None:
        """Write every file. The gateways' mesh files name the relays."""
        for gateway in self._gateways.values():
            gateway.endpoints = self._ports
            gateway.folder.root.mkdir(parents=True)
        await asyncio.gather(*(asyncio.to_thread(gateway.prepare) for gateway in self._gateways.values()))
        for region, rtt_s in round_trips_s().items():
            to_port = self._home.cell_port(region)
            self._relays[region] = Child(
                f"relay to {region}",
                python("extproc.demo.relay", str(self._ports[region]), str(to_port), str(rtt_s)),
                self._home.folder.output(f"relay-{region}"),
            )
        # A world starts its cells before its Envoy. These stand before all three gateways, so they are started first.
        self._cells = dict(self._home.cells)
        for gateway in self._gateways.values():
            gateway.cells.clear()

    async def start(self) -> None:
        """Start cells and ways, then all gateways at once; return when every gateway sees every region up."""
        self._start_regions(self._cells)
        await asyncio.gather(*(self._cell_ready(region) for region in self._cells))
        await asyncio.gather(*(world.start() for world in self.by_profile.values()))
        await self.all_up()

    async def all_up(self) -> None:
        """Wait until every sidecar sees every region up."""
        await self._until(self._seen_up, "every region is seen up by every sidecar")

    async def _seen_up(self) -> bool:
        urls = [f"{gateway.sidecar_admin}/metrics" for gateway in self._gateways.values()]
        texts = [(await self._http.get(url)).text for url in urls]
        return all(f'situs_region_up{{region="{region}"}} 1.0' in text for text in texts for region in self._cells)

    def lose(self, region: RegionId) -> None:
        """Kill a region's cell, and the way to it: connections break, new ones are refused."""
        self._cells[region].kill()
        self._relays[region].kill()

    async def restore(self, regions: Iterable[RegionId]) -> None:
        """Start lost regions again and wait until their cells can serve."""
        lost = list(regions)
        self._start_regions(lost)
        await asyncio.gather(*(self._cell_ready(region) for region in lost))

    async def stop(self) -> None:
        """Stop the gateways, each Envoy before its sidecar so that its last reports are in; then the cells."""
        others = [world for world in self.by_profile.values() if world is not self._home]
        await asyncio.gather(*(world.stop() for world in others))
        self._home.cells.update(self._cells)
        await self._home.stop()
        await self._http.aclose()

    def received(self) -> list[Received]:
        """Give what the cells say that they received, from whichever gateway; after :meth:`stop`."""
        return list(self._home.received())

    def kill_all(self) -> None:
        """End every process at once."""
        for child in (*self._cells.values(), *self._relays.values()):
            child.kill()
        for world in self.by_profile.values():
            world.kill_all()

    def _start_regions(self, regions: Iterable[RegionId]) -> None:
        for region in regions:
            self._cells[region].start()
            self._relays[region].start()

    async def _cell_ready(self, region: RegionId) -> None:
        url = f"http://127.0.0.1:{self._home.cell_port(region)}/v2/health/ready"

        async def ready() -> bool:
            self._cells[region].check()
            try:
                return (await self._http.get(url)).is_success
            except httpx.HTTPError:
                return False

        await self._until(ready, f"{region}'s cell is ready")

    async def _until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until something holds, asking seldom: who waits here also sends the requests that are measured."""
        end_s = time.monotonic() + _PATIENCE_S
        while not await holds():
            if time.monotonic() > end_s:
                raise ProcessFailedError(f"not within {_PATIENCE_S:g} s: {what}")
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def running_worlds(root: Path, *, models: Path | None, envoy: str | None = None) -> AsyncIterator[Worlds]:
    """Prepare and start the worlds in the empty folder `root`; leave no process behind, whatever happens."""
    worlds = Worlds(root, models=models, envoy=envoy)
    try:
        await worlds.prepare()
        await worlds.start()
        yield worlds
        await worlds.stop()
    finally:
        worlds.kill_all()
