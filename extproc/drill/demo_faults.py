"""What can be done to the demo's world, and undone. What each one overrides is what it does."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.core.ids import OverrideId, RegionId
from extproc.demo.process import ProcessFailedError
from extproc.demo.world import World
from extproc.drill.orders import resume, suspend
from extproc.drill.scenarios import SLOWER, Scenario
from extproc.drill.system import Fault

_APPROVERS: Final = ("A. Counsel (drill)", "B. Officer (drill)")
_PATIENCE_S: Final = 15.0
_SEEN_S: Final = 5.0
_POLL_S: Final = 0.1


@dataclass(slots=True)
class _Fault:
    """A fault of a world. What it overrides is what it does."""

    world: World
    region: RegionId

    async def seen(self) -> Sequence[str]:
        return ()

    async def settled(self) -> Sequence[str]:
        return await self._within(self._all_up, "every region is seen up again")

    async def _all_up(self) -> bool:
        text = await self.world.metrics()
        return all(f'situs_region_up{{region="{region}"}} 1.0' in text for region in self.world.cells)

    async def _within(
        self, holds: Callable[[], Awaitable[bool]], what: str, patience_s: float = _PATIENCE_S
    ) -> Sequence[str]:
        """Wait until something holds; give a sentence where it does not."""
        end_s = time.monotonic() + patience_s
        while time.monotonic() < end_s:
            if await holds():
                return ()
            # Seldom: who waits here also sends the requests that are measured.
            await asyncio.sleep(_POLL_S)
        return (f"not within {patience_s:g} s: {what}",)


@dataclass(slots=True)
class _RegionLoss(_Fault):
    @property
    def done(self) -> str:
        return f"{self.region} is lost: its cell and the way to it are killed"

    def strike(self) -> float:
        at_s = time.monotonic()
        self.world.ways[self.region].relay.kill()
        self.world.cells[self.region].kill()
        return at_s

    def mend(self) -> None:
        self.world.cells[self.region].start()
        self.world.ways[self.region].relay.start()

    async def settled(self) -> Sequence[str]:
        await self.world.cell_ready(self.region)
        return await self._within(self._all_up, f"{self.region} is seen up again")


@dataclass(slots=True)
class _BrownOut(_Fault):
    @property
    def done(self) -> str:
        return f"the way to {self.region} becomes {SLOWER:g} times slower"

    def strike(self) -> float:
        at_s = time.monotonic()
        self.world.ways[self.region].slow(SLOWER)
        return at_s

    def mend(self) -> None:
        self.world.ways[self.region].mend()


@dataclass(slots=True)
class _SidecarKill(_Fault):
    """The drill plays the supervisor, which starts a dead sidecar at once."""

    @property
    def done(self) -> str:
        return "the sidecar is killed, and started again at once"

    def strike(self) -> float:
        at_s = time.monotonic()
        self.world.sidecar.kill()
        self.world.sidecar.start()
        return at_s

    def mend(self) -> None:
        try:
            self.world.sidecar.check()
        except ProcessFailedError:
            self.world.sidecar.start()

    async def settled(self) -> Sequence[str]:
        await self.world.sidecar_ready()
        return await self._within(self._all_up, "every region is seen up again")


@dataclass(slots=True)
class _Suspended(_Fault):
    order: OverrideId | None = None

    @property
    def done(self) -> str:
        return f"a legal order suspends {self.region}"

    def strike(self) -> float:
        at_s = time.monotonic()
        self.order = suspend(self.world.folder.overrides, self.region, _APPROVERS)
        return at_s

    def mend(self) -> None:
        if self.order is not None:
            resume(self.world.folder.overrides, self.order, _APPROVERS)


@dataclass(slots=True)
class _Reload(_Fault):
    original: str = ""
    version: int = 0

    @property
    def done(self) -> str:
        return "the policy is replaced by its next version, and that by another"

    def strike(self) -> float:
        self.version = self.world.tables().version
        self.original = self.world.folder.policy.read_text()
        at_s = time.monotonic()
        self._put(self.version + 1)
        return at_s

    async def seen(self) -> Sequence[str]:
        return await self._decides_by(self.version + 1)

    async def settled(self) -> Sequence[str]:
        return await self._decides_by(self.version + 2)

    def _put(self, version: int) -> None:
        # A sidecar refuses a version below the one in force: also what was before comes back as a next one.
        text = self.original.replace(_version(self.version), _version(version), 1)
        _replace(self.world.folder.policy, text.encode())

    async def _decides_by(self, version: int) -> Sequence[str]:
        sample = f'situs_policy_version{{policy="{self.world.tables().id}"}}'

        async def is_taken() -> bool:
            return await self.world.metric(sample) == version

        return await self._within(is_taken, f"the sidecar decides by version {version} of the policy", _SEEN_S)

    def mend(self) -> None:
        if self.original:
            self._put(self.version + 2)


@dataclass(slots=True)
class _GeoLoss(_Fault):
    original: bytes = b""

    @property
    def done(self) -> str:
        return "the geolocation database is overwritten with garbage, then deleted"

    def strike(self) -> float:
        geo = self.world.folder.geo
        self.original = geo.read_bytes()
        at_s = time.monotonic()
        _replace(geo, b"garbage" + self.original[: len(self.original) // 2])
        return at_s

    async def seen(self) -> Sequence[str]:
        async def stale() -> bool:
            return await self.world.metric("situs_configuration_stale") == 1

        unseen = await self._within(stale, "the sidecar says that its configuration is stale", _SEEN_S)
        self.world.folder.geo.unlink(missing_ok=True)
        return unseen

    def mend(self) -> None:
        if self.original:
            _replace(self.world.folder.geo, self.original)

    async def settled(self) -> Sequence[str]:
        async def fresh() -> bool:
            return await self.world.metric("situs_configuration_stale") == 0

        return await self._within(fresh, "the sidecar takes the database again", _SEEN_S)


FAULTS: Final[dict[Scenario, Callable[[World, RegionId], Fault]]] = {
    Scenario.REGION_LOSS: _RegionLoss,
    Scenario.BROWN_OUT: _BrownOut,
    Scenario.SIDECAR_KILL: _SidecarKill,
    Scenario.SUSPENSION: _Suspended,
    Scenario.RELOAD: _Reload,
    Scenario.GEO_LOSS: _GeoLoss,
}


def _version(version: int) -> str:
    return f"\n  version: {version}\n"


def _replace(path: Path, content: bytes) -> None:
    """Replace a file whole, as a careful program does."""
    beside = path.with_name(f"{path.name}.next")
    beside.write_bytes(content)
    beside.replace(path)
