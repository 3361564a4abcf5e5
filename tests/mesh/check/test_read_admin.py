"""A running proxy is asked at its admin port, and what it has in force is what is judged."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mesh.check.readable import EXPECTED, FAULTS, bootstrap, said, source, with_faults
from mesh.example import LOOPBACK
from mesh.world import free_port, running_envoy, wait_for

from extproc.mesh.check import admin as admin_module
from extproc.mesh.check.admin import fetch_dump
from extproc.mesh.check.judge import judge
from extproc.mesh.check.read import read_sources
from extproc.strict_yaml import DocumentError

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], tuple[str, list[str]]]]:
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> tuple[str, list[str]]:
        asked: list[str] = []
        status, headers, body = answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                pass

        server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://{LOOPBACK}:{server.server_address[1]}", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(url: str) -> str:
    with pytest.raises(DocumentError) as caught:
        fetch_dump(url)
    return str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/config_dump", "/config_dump?resource=x"])
def test_the_whole_of_it_is_asked_for(serve: Callable[[Answer], tuple[str, list[str]]], path: str) -> None:
    url, asked = serve((200, {}, b"{}"))
    found = fetch_dump(url + path)
    assert asked == ["/config_dump?include_eds"]
    assert (found.origin, found.data, found.directory) == (url, b"{}", None)


def test_what_is_no_admin_port_is_refused(serve: Callable[[Answer], tuple[str, list[str]]]) -> None:
    url, _ = serve((404, {}, b""))
    assert "the answer to /config_dump was 404" in refused(url)
    moved, _ = serve((302, {"location": url}, b""))
    assert "was 302" in refused(moved)


def test_a_dump_that_is_too_large_or_too_late_is_refused(
    serve: Callable[[Answer], tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = serve((200, {}, b"x" * 100_000))
    monkeypatch.setattr(admin_module, "MOST_BYTES", 99_999)
    assert "the dump is larger than" in refused(url)
    monkeypatch.setattr(admin_module, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(admin_module, "_WITHIN_S", 0.5)
    ticks = iter([0.0, 1000.0, 1000.0, 1000.0])
    monkeypatch.setattr("extproc.mesh.check.admin.time.monotonic", lambda: next(ticks, 1000.0))
    assert "did not come within" in refused(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("127.0.0.1:9901", "no URL"),
        ("ftp://127.0.0.1", "no URL of an admin port"),
        ("http://", "no URL of an admin port"),
        ("http://[::1", "no URL"),
        ("http://127.0.0.1:9901/stats", "the path /stats is not that of a whole configuration"),
        ("http://me:secret@127.0.0.1:9901", "credentials"),
        ("http://127.0.0.1:1", "the admin port cannot be asked"),
    ],
)
def test_a_url_that_cannot_be_asked_is_refused(url: str, told: str) -> None:
    found = refused(url)
    assert told in found
    assert "Mend: " in found
    assert "secret" not in found


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("names", [(), tuple(FAULTS)])
@pytest.mark.parametrize("binary", ["envoy_binary", "oldest_envoy"])
def test_a_running_envoy_shows_what_its_file_says(
    names: tuple[str, ...], binary: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    fields = with_faults(*names) if names else bootstrap()
    port = free_port()
    fields["admin"]["address"]["socket_address"]["port_value"] = port
    listener = fields["static_resources"]["listeners"][0]["address"]["socket_address"]
    listener["port_value"] = free_port()
    url = f"http://{LOOPBACK}:{port}"

    def dump() -> object:
        try:
            return fetch_dump(url)
        except DocumentError:
            return None

    with running_envoy(request.getfixturevalue(binary), tmp_path, json.dumps(fields)):
        found = wait_for("the admin port", dump)
    of_proxy = judge(read_sources([found]), EXPECTED)  # type: ignore[list-item]
    of_file = judge(read_sources([source(fields)]), EXPECTED)
    assert said(of_proxy.findings) == said(of_file.findings)
    assert bool(names) == bool(of_proxy.findings)
    assert (of_proxy.checked.listeners, of_proxy.checked.clusters, of_proxy.checked.ways) == (
        of_file.checked.listeners,
        of_file.checked.clusters,
        of_file.checked.ways,
    )
