"""A real sidecar process, spoken to as Envoy speaks to it, without Envoy."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TypeVar

import grpc
import httpx
import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse

from extproc.demo.places import write_geo_database
from extproc.demo.process import Child, python
from extproc.demo.world import free_port
from extproc.names import EXT_PROC_SERVICE


@dataclass(kw_only=True)
class Setup:
    """The files of a sidecar that would start, in a folder of their own; spoil what a test is about."""

    root: Path
    admin: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    location: str | None = None
    """Where the sidecar takes its policy from, if not from the file."""
    options: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        example = resources.files("extproc.policy") / "examples" / "demo.yaml"
        self.policy.write_bytes(example.read_bytes())
        self.overrides.write_text("apiVersion: situs/v1\noverrides: []\n")
        write_geo_database(self.geo)

    @property
    def policy(self) -> Path:
        return self.root / "policy.yaml"

    @property
    def overrides(self) -> Path:
        return self.root / "overrides.yaml"

    @property
    def geo(self) -> Path:
        return self.root / "country.mmdb"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def key(self) -> Path:
        return self.root / "log.key"

    @property
    def socket(self) -> str:
        return f"unix:{self.root / 's.sock'}"

    @property
    def output(self) -> Path:
        return self.root / "output.txt"

    def command(self, *more: str) -> list[str]:
        parts = python(
            "extproc", "serve", "--policy", self.location or self.policy,
            "--overrides", self.overrides, "--geo-db", self.geo,
            "--log", self.log, "--key", self.key, "--listen", self.socket, "--admin", self.admin,
            "--node", "test", *self.options, *more,
        )  # fmt: skip
        return [str(part) for part in parts]

    def refused(self, *more: str, without: str | None = None) -> tuple[int, str]:
        """Start a sidecar that must not start; give its exit code and what it says."""
        command = self.command(*more)
        if without is not None:
            at = command.index(without)
            del command[at : at + 2]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr


class Sidecar:
    """A started sidecar."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.child = Child("sidecar", setup.command(), setup.output)
        self._channel: grpc.aio.Channel | None = None

    async def start(self) -> None:
        self.child.start()
        await self.until(self.ready)
        self._channel = grpc.aio.insecure_channel(self.setup.socket)

    async def stop(self) -> int | None:
        if self._channel is not None:
            await self._channel.close()
        return await asyncio.to_thread(self.child.stop)

    async def process(self, message: bytes) -> ProcessingResponse:
        assert self._channel is not None
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        call = self._channel.unary_unary(f"/{EXT_PROC_SERVICE}/Process")
        return ProcessingResponse.FromString(await call(message, timeout=10))

    async def ready(self) -> bool:
        self.child.check()
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://{self.setup.admin}/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def metric(self, sample: str) -> float:
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://{self.setup.admin}/metrics")).text
        found = [line.rpartition(" ")[2] for line in text.splitlines() if line.rpartition(" ")[0] == sample]
        return float(found[0]) if found else 0.0

    async def until(self, holds: Callable[[], object]) -> None:
        for _ in range(1500):
            result = holds()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.02)
        pytest.fail(f"it did not come about; the sidecar said:\n{self.child.last_words()}")


SidecarT = TypeVar("SidecarT", bound=Sidecar)


@asynccontextmanager
async def started(sidecar: SidecarT) -> AsyncIterator[SidecarT]:
    """Run a sidecar, or a set of them; whatever happens, nothing of it is left."""
    try:
        await sidecar.start()
        yield sidecar
    finally:
        await sidecar.stop()
        sidecar.child.kill()
