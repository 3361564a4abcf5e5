"""A started control socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from control.world import Socket, start


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Socket]:
    started = await start(tmp_path)
    yield started
    await started.server.close()
