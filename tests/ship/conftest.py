"""Stores for the tests of shipping: moto as a process of its own, one for all, and a bucket for each test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from ship.world import Bucket, Logs, make_bucket, moto_server

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials in the environment, where S3 clients look for them, and nothing else of AWS there."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHETESTS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def bucket(s3_server: str, aws: None) -> Bucket:
    """An empty bucket with object lock, in the right place."""
    del aws
    return make_bucket(s3_server, f"evidence-{next(_NUMBERS)}")


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    root = tmp_path / "root"
    root.mkdir()
    return Logs(root=root)
