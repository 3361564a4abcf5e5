"""A real set of workers, spoken to as Envoy speaks to them, without Envoy."""

import asyncio
from pathlib import Path

import grpc
import httpx
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse
from prometheus_client.parser import text_string_to_metric_families
from support.sidecar import Setup, Sidecar

from extproc.names import EXT_PROC_SERVICE


class Crew(Sidecar):
    """A supervisor and its workers; ready when every worker is."""

    def __init__(self, setup: Setup, workers: int = 2) -> None:
        setup.options += ["--workers", str(workers), "--drain", "1"]
        super().__init__(setup)
        self.workers = workers
        self.channels: list[grpc.aio.Channel] = []

    def socket(self, worker: int) -> str:
        return self.setup.socket if worker == 0 else f"{self.setup.socket}.{worker}"

    async def start(self) -> None:
        self.child.start()
        await self.until(self.all_ready)
        self.channels = [grpc.aio.insecure_channel(self.socket(worker)) for worker in range(self.workers)]

    async def stop(self) -> int | None:
        for channel in self.channels:
            await channel.close()
        return await asyncio.to_thread(self.child.stop, 30.0)

    async def ask(self, worker: int, message: bytes) -> ProcessingResponse:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
        call = self.channels[worker].unary_unary(f"/{EXT_PROC_SERVICE}/Process")
        return ProcessingResponse.FromString(await call(message, timeout=10, wait_for_ready=True))

    async def all_ready(self) -> bool:
        return await self.reasons() == []

    async def reasons(self) -> list[str] | None:
        """What is wrong, by the admin endpoint; None where it does not answer."""
        self.child.check()
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = (await client.get(f"http://{self.setup.admin}/readyz")).json()
        except (httpx.HTTPError, ValueError):
            return None
        reasons: list[str] = answer["reasons"]
        return reasons

    async def page(self) -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://{self.setup.admin}/metrics")).text

    async def samples(self, name: str, **labels: str) -> dict[str, float]:
        """The samples of one name that bear these labels, by the worker."""
        return {
            sample.labels.get("worker", ""): sample.value
            for family in text_string_to_metric_families(await self.page())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    def pid(self, worker: int) -> int:
        """The process that is a worker now, by the lock of its log."""
        return int((self.setup.log / "test" / str(worker) / "lock").read_text())


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def descriptors(pid: int) -> set[str]:
    """What a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return found
