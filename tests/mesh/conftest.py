"""Fixtures of the tests that need a real Envoy."""

import os
from pathlib import Path

import pytest

from extproc.mesh.binary import EnvoyNotFoundError, find_envoy


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    try:
        return find_envoy()
    except EnvoyNotFoundError as error:
        if os.environ.get("SITUS_TESTS_MUST_NOT_SKIP") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
