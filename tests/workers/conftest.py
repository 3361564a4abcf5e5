"""Fixtures: the files of a set of workers, and a running one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.sidecar import Setup, started
from workers.crew import Crew


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(root=tmp_path)


@pytest.fixture
async def crew(setup: Setup) -> AsyncIterator[Crew]:
    async with started(Crew(setup)) as running:
        yield running
