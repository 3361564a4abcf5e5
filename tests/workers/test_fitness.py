"""Workers and what must be looked at: no supervisor that hangs, and no old word, makes a region fit."""

import asyncio
import hashlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.messages import processing_request
from support.sidecar import Setup
from workers.crew import Crew

from extproc.demo.world import free_port
from extproc.names import ROUTE_HEADER
from inference.testing import running_cell

pytestmark = pytest.mark.slow

_FRA = 'eu-fra: {country: DE, models: {digits: {version: "1"}}'
_OTHER = f"sha256:{'0' * 64}"


@pytest.fixture
def digest(digits_store: Path) -> str:
    content = (digits_store / "digits" / "1" / "model.onnx").read_bytes()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
async def probing(setup: Setup, digits_store: Path, digest: str) -> AsyncIterator[Crew]:
    """A set whose supervisor probes a real cell, and a policy that approves its digest."""
    text = setup.policy.read_text()
    assert text.count(_FRA) == 1
    bound = f'eu-fra: {{country: DE, models: {{digits: {{version: "1", digest: "{digest}"}}}}'
    setup.policy.write_text(text.replace(_FRA, bound))
    with running_cell(["--region", "eu-fra", "--jurisdiction", "DE", "--models", str(digits_store)]) as cell:
        nobody = {name: {"endpoints": [f"127.0.0.1:{free_port()}"]} for name in ("eu-ams", "us-iad", "me-dxb")}
        mesh = {
            "apiVersion": "situs/v1",
            "listener": {"address": "127.0.0.1", "port": 10000},
            "sidecar": {"unix": setup.socket.removeprefix("unix:"), "workers": 2},
            "regions": {"eu-fra": {"endpoints": [cell.url.removeprefix("http://")]}, **nobody},
            "jwt": {"issuer": "https://id.example", "audiences": ["a"], "jwks_file": "/none"},
        }
        path = setup.root / "mesh.yaml"
        path.write_text(json.dumps(mesh))
        setup.options += ["--mesh", str(path)]
        crew = Crew(setup)
        try:
            await crew.start()
            yield crew
        finally:
            await crew.stop()
            crew.child.kill()


async def _is_steered(crew: Crew, worker: int) -> bool:
    answer = await crew.ask(worker, processing_request())
    headers = answer.request_headers.response.header_mutation.set_headers
    return any(each.header.key == ROUTE_HEADER for each in headers)


async def _until(crew: Crew, *, steered: bool, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while [await _is_steered(crew, worker) for worker in (0, 1)] != [steered] * 2:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def test_while_the_supervisor_hangs_no_worker_takes_a_region_for_fit_that_nobody_has_looked_at(
    probing: Crew, digest: str
) -> None:
    policy, supervisor = probing.setup.policy, probing.child.pid
    assert supervisor is not None
    await _until(probing, steered=True, within_s=10)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        approved = policy.read_text()
        # A policy that approves other bytes holds at once, though nobody holds what was seen against it.
        policy.write_text(approved.replace(digest, _OTHER).replace("version: 1\n", "version: 2\n"))
        await _until(probing, steered=False, within_s=3)
        policy.write_text(approved.replace("version: 1\n", "version: 3\n"))
        await _until(probing, steered=True, within_s=3)
        await _until(probing, steered=False, within_s=10)
        assert time.monotonic() - began_s > 4
    finally:
        os.kill(supervisor, signal.SIGCONT)
    await _until(probing, steered=True, within_s=10)
