"""The demo's world with a sidecar of two workers."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from extproc.demo.world import NODE, Folder, Plan, World

WORKERS = 2


class CrewWorld(World):
    """A world whose mesh file says how many workers the sidecar has, and nothing else does."""

    def _mesh(self, jwks: Path) -> dict[str, object]:
        mesh = super()._mesh(jwks)
        sidecar = mesh["sidecar"]
        assert isinstance(sidecar, dict)
        return {**mesh, "sidecar": {**sidecar, "workers": WORKERS}}

    async def samples(self, name: str, **labels: str) -> dict[str, float]:
        """Sum the samples of one name that bear these labels, by the worker."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(await self.metrics()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    worker = sample.labels.get("worker", "")
                    found[worker] = found.get(worker, 0.0) + sample.value
        return found

    def worker_pid(self, worker: int) -> int:
        """The process that is a worker now, by the lock of its log."""
        return int((self.folder.log / NODE / str(worker) / "lock").read_text())

    async def _all_up(self) -> bool:
        up = await self.samples("situs_region_up")
        return up == {str(worker): float(len(self.cells)) for worker in range(WORKERS)}


@asynccontextmanager
async def running_crew_world(root: Path, *, models: Path, envoy: str) -> AsyncIterator[CrewWorld]:
    """Prepare and start such a world; stop it on the way out."""
    world = CrewWorld(Folder(root=root), models=models, envoy=envoy, plan=Plan())
    try:
        world.prepare()
        await world.start()
        yield world
        await world.stop()
    finally:
        world.kill_all()
        shutil.rmtree(world.folder.models, ignore_errors=True)
