"""The readers in Go, compiled once."""

from pathlib import Path

import pytest
from compose.programs import compile_readers


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_readers(tmp_path_factory.mktemp("readers"))
