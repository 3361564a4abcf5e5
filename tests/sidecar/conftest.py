"""Fixtures: the files of a sidecar, and a running one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.sidecar import Setup, Sidecar, started


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(root=tmp_path)


@pytest.fixture
async def sidecar(setup: Setup) -> AsyncIterator[Sidecar]:
    async with started(Sidecar(setup)) as running:
        yield running
