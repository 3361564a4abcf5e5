"""One body of files in each kind of place."""

from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from archive.world import FILES, write_zip
from obstore.store import S3Store
from support.s3 import s3_server

from extproc.archive import Archive, open_archive


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3-compatible store on loopback, with an empty bucket `evidence`."""
    with s3_server("evidence") as endpoint:
        yield endpoint


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, s3_endpoint: str) -> str:
    """Credentials and the endpoint in the environment, where S3 clients look for them."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHETESTS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return s3_endpoint


@pytest.fixture(params=["folder", "zip", pytest.param("bucket", marks=pytest.mark.slow)])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    """Each kind of place, with the same files in it."""
    match request.param:
        case "folder":
            for name, data in FILES.items():
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(data)
            return open_archive(str(tmp_path))
        case "zip":
            return open_archive(str(write_zip(tmp_path / "evidence.zip", FILES)))
        case _:
            client = S3Store("evidence", endpoint=request.getfixturevalue("aws"), client_options={"allow_http": True})
            for name, data in FILES.items():
                obstore.put(client, f"acme/prod/{name}", data)
            obstore.put(client, "acme/production/other", b"of a neighbour")
            return open_archive("s3://evidence/acme/prod")
