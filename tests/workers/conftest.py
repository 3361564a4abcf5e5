"""Fixtures: the files of a set of workers, and a running one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.sidecar import Setup
from workers.crew import Crew


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(root=tmp_path)


@pytest.fixture
async def crew(setup: Setup) -> AsyncIterator[Crew]:
    running = Crew(setup)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
        running.child.kill()
