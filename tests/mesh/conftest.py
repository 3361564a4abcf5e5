"""The Envoys on which the rendered configuration is tried."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session", params=["envoy_binary", "oldest_envoy"])
def any_envoy(request: pytest.FixtureRequest) -> Path:
    """The Envoy that is shipped, and then the oldest that is supported."""
    binary: Path = request.getfixturevalue(request.param)
    return binary
