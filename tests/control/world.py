"""A control socket over a real override file, and a stand-in for the process behind it."""

import asyncio
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from extproc.control.server import ControlServer
from extproc.control.status import LogStatus, RegionStatus, Status
from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension, TargetKind
from extproc.policy.override_file import load_overrides

NOW_S = 1_800_000_000.0
APPROVERS = ["A. Counsel", "B. Officer"]


def order(**changes: object) -> dict[str, object]:
    """Give an order that is complete, with changes; None takes a field away."""
    document: dict[str, object] = {
        "region": "eu-fra",
        "reason": "injunction",
        "until": "2099-01-01",
        "approved_by": APPROVERS,
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def status(*suspensions: Suspension) -> Status:
    return Status(
        at_s=NOW_S,
        policy="acme",
        version=3,
        revision="sha256:ab",
        configuration="sha256:cd",
        reasons=(),
        regions=(
            RegionStatus(
                region="eu-fra",
                state="up",
                latency_s=0.0124,
                budget=64,
                in_flight=3,
                drained=False,
                missing_slo=True,
                suspended_by=("LT-1",),
                unfit=("digits: dependency_stale (vectors)",),
            ),
            RegionStatus(
                region="eu-ams",
                state="unknown",
                latency_s=None,
                budget=None,
                in_flight=None,
                drained=True,
                missing_slo=False,
                suspended_by=(),
                unfit=(),
            ),
        ),
        orders=suspensions,
        inert=("LT-9",),
        logs=(LogStatus(worker="0", origin="situs.local/dev/n/0", size=12, awaited=2),),
    )


@dataclass(slots=True, kw_only=True)
class Process:
    """A process that takes orders when its file has them; `tells` is whether it knows, `hangs` that it never does.

    `silent` is that nobody says which names there are.
    """

    overrides: Path
    tells: bool = True
    hangs: bool = False
    silent: bool = False
    waited: list[tuple[frozenset[OverrideId], frozenset[OverrideId]]] = field(default_factory=list)

    async def status(self) -> Status:
        return status(*load_overrides(self.overrides))

    async def names(self, kind: TargetKind) -> Collection[str] | None:
        return (
            None
            if self.silent
            else {
                TargetKind.REGION: ["eu-fra", "eu-ams"],
                TargetKind.PERMIT: ["eu-gdpr.dpf"],
                TargetKind.MODEL: list[str](),
            }[kind]
        )

    async def taken(self, added: frozenset[OverrideId], ended: frozenset[OverrideId]) -> bool:
        self.waited.append((added, ended))
        if self.hangs:
            await asyncio.Event().wait()
        return self.tells


@dataclass(slots=True, kw_only=True)
class Socket:
    """A started control server and its files."""

    server: ControlServer
    process: Process
    path: Path

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    @property
    def overrides(self) -> Path:
        return self.process.overrides


async def start(root: Path, *, users: Collection[str] = ()) -> Socket:
    overrides, path = root / "overrides.yaml", root / "c.sock"
    if not overrides.exists():
        overrides.write_text("apiVersion: situs/v1\noverrides: []\n")
    process = Process(overrides=overrides)
    server = await ControlServer.start(
        f"unix:{path}", users=list(users), overrides=overrides, running=process, clock=lambda: NOW_S
    )
    return Socket(server=server, process=process, path=path)


def raw(path: Path, data: bytes, *, end: bool = True, timeout_s: float = 10.0) -> bytes:
    """Send bytes as they are, then read to the end; `end` closes our half first."""
    deadline_s = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        with suppress(BrokenPipeError, ConnectionResetError, OSError):  # a refusal need not wait for the end
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        got = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(1 << 16):
                got += chunk
                assert time.monotonic() < deadline_s
        return got


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds that nobody announces."""
    async with asyncio.timeout(10):
        while True:
            result = holds()
            if await result if asyncio.iscoroutine(result) else result:
                return
            await asyncio.sleep(0.005)
