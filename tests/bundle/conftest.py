"""Places from which bundles come: real ones, and the one in memory that stands in for them elsewhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest
from bundle.world import Authority, MemorySource, WebServer, make_authority, serve_file, web_server
from obstore.store import S3Store
from support.s3 import s3_server

from extproc.bundle.locations import source_of
from extproc.bundle.source import Source, SourceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A source, and the way to put a file there; None takes it away."""

    source: Source
    put: Callable[[bytes | None], None]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def web(authority: Authority) -> Iterator[WebServer]:
    with web_server(authority.tls) as server:
        yield server


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3-compatible store on loopback, with an empty bucket `policies`."""
    with s3_server("policies") as endpoint:
        yield endpoint


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment, where S3 clients look for them, and nothing else of AWS there."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHETESTS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(params=["memory", "file", "https", pytest.param("s3", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of source, empty."""
    match request.param:
        case "memory":
            memory = MemorySource()
            return Place(source=memory, put=lambda data: setattr(memory, "data", data))
        case "file":
            path = tmp_path / "policy.yaml"

            def write(data: bytes | None) -> None:
                path.unlink(missing_ok=True) if data is None else path.write_bytes(data)

            return Place(source=source_of(str(path)), put=write)
        case "https":
            web: WebServer = request.getfixturevalue("web")
            authority: Authority = request.getfixturevalue("authority")

            def serve(data: bytes | None) -> None:
                web.answer = serve_file(data)

            source = source_of(f"{web.origin}/policy.bundle", SourceOptions(ca=authority.ca))
            return Place(source=source, put=serve)
        case _:
            endpoint: str = request.getfixturevalue("s3_endpoint")
            request.getfixturevalue("aws")
            # Another client of the store than ours, with the same credentials.
            client = S3Store("policies", endpoint=endpoint, client_options={"allow_http": True})

            def store(data: bytes | None) -> None:
                if data is None:
                    obstore.delete(client, "prod/policy.bundle")
                else:
                    obstore.put(client, "prod/policy.bundle", data)

            store(None)
            options = SourceOptions(s3_endpoint=endpoint)
            return Place(source=source_of("s3://policies/prod/policy.bundle", options), put=store)
