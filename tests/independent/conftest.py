"""What the judges share: their programs, compiled once, and the logs, each made once."""

from pathlib import Path

import pytest
from independent.logs import Keys, Logs, Made, make_log
from independent.programs import compile_judges


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_judges(tmp_path_factory.mktemp("judges"))


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Logs:
    made: dict[int, Made] = {}

    def give(size: int) -> Made:
        if size not in made:
            made[size] = make_log(tmp_path_factory.mktemp(f"log-{size}-"), size, keys)
        return made[size]

    return give
