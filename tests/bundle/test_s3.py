"""An S3-compatible store: a real protocol, spoken by moto and by a server that misbehaves."""

import threading
import time
from pathlib import Path

import obstore
import pytest
from bundle.world import Answer, Authority, Request, WebServer, make_authority, serve_file, web_server
from obstore.store import S3Store

from extproc.bundle.errors import SourceError
from extproc.bundle.s3 import S3Source
from extproc.bundle.source import Fetched, NotModified, SourceOptions

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.slow]
_FILE = b"policy: 1\n"


async def test_the_endpoint_of_the_environment_is_used(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = S3Store("policies", endpoint=s3_endpoint, client_options={"allow_http": True})
    await obstore.put_async(client, "environment", _FILE)
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        # Each wins over the ones before, which lead nowhere.
        monkeypatch.setenv(name, s3_endpoint)
        fetched = await S3Source("s3://policies/environment", SourceOptions()).fetch(None)
        assert isinstance(fetched, Fetched)
        assert fetched.data == _FILE
        monkeypatch.setenv(name, "https://127.0.0.1:1")
    option = S3Source("s3://policies/environment", SourceOptions(s3_endpoint=s3_endpoint, s3_region="eu-central-1"))
    assert isinstance(await option.fetch(None), Fetched)


async def test_a_bucket_that_is_not_there(s3_endpoint: str) -> None:
    with pytest.raises(SourceError, match=r"^s3://nothing/key: no such object or bucket\. Mend: "):
        await S3Source("s3://nothing/key", SourceOptions(s3_endpoint=s3_endpoint)).fetch(None)


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1", "http://store.example:9000", "ftp://127.0.0.1", "127.0.0.1"])
def test_plain_http_is_for_loopback_alone(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(SourceError, match=r"no HTTPS endpoint.*loopback alone"):
        S3Source("s3://policies/key", SourceOptions(s3_endpoint=endpoint))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(SourceError, match="no HTTPS endpoint"):
        S3Source("s3://policies/key", SourceOptions())


def test_credentials_in_an_endpoint_are_refused_and_not_shown() -> None:
    with pytest.raises(SourceError, match="holds a password") as caught:
        S3Source("s3://policies/key", SourceOptions(s3_endpoint="https://me:pa55word@store.example"))
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3://policies",
        "s3://policies/",
        "s3:///key",
        "s3://Policies/k",
        "s3://policies/k?v",
        "s3://policies//k",
        "s3://policies/a//b",
        "s3://policies/k/",
        "s3://policies/a/../b",
        "s3://policies/./k",
    ],
)
def test_strict_addresses(address: str) -> None:
    with pytest.raises(SourceError, match="no object of a store"):
        S3Source(address, SourceOptions())


async def test_tls_is_checked_whatever_the_environment_says(
    web: WebServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.answer = serve_file(_FILE)
    good = S3Source("s3://policies/key", SourceOptions(s3_endpoint=web.origin, ca=authority.ca))
    fetched = await good.fetch(None)
    assert isinstance(fetched, Fetched)
    assert fetched.data == _FILE
    assert await good.fetch(fetched.etag) == NotModified()
    assert "authorization" in web.asked[0][1]
    web.asked.clear()
    monkeypatch.setenv("AWS_ALLOW_INVALID_CERTIFICATES", "true")
    other = make_authority(tmp_path / "other")
    for options in (SourceOptions(s3_endpoint=web.origin), SourceOptions(s3_endpoint=web.origin, ca=other.ca)):
        with pytest.raises(SourceError, match="no whole answer"):
            await S3Source("s3://policies/key", options).fetch(None)
    assert web.asked == []


async def test_a_redirect_leads_nowhere_else(web: WebServer, authority: Authority) -> None:
    with web_server() as plain:
        plain.answer = serve_file(_FILE)
        web.answer = lambda request: request.reply(307, location=f"{plain.origin}/policies/key")
        with pytest.raises(SourceError):
            await S3Source("s3://policies/key", SourceOptions(s3_endpoint=web.origin, ca=authority.ca)).fetch(None)
        assert plain.asked == []


def _denied(request: Request) -> None:
    body = b"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>AKIDOFTHETESTS</AWSAccessKeyId></Error>"
    request.reply(403, body)


def _broken(request: Request) -> None:
    request.reply(400, b"<Error><Code>Odd</Code> AKIDOFTHETESTS secret-of-the-tests</Error>")


def _cut_short(request: Request) -> None:
    request.reply(
        200, _FILE, content_length=str(len(_FILE) + 1), etag='"1"', last_modified="Sat, 21 Nov 2026 09:00:00 GMT"
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_denied, r"refuses access \(InvalidAccessKeyId\)"),
        (_broken, r"no whole answer .*400 Bad Request.* … …"),
        (_cut_short, r"no whole answer .*"),
    ],
)
async def test_a_bad_answer_is_an_error_that_shows_no_credentials(
    answer: Answer, message: str, web: WebServer, authority: Authority
) -> None:
    web.answer = answer
    with pytest.raises(SourceError, match=message) as caught:
        await S3Source("s3://policies/key", SourceOptions(s3_endpoint=web.origin, ca=authority.ca)).fetch(None)
    assert "AKIDOFTHETESTS" not in str(caught.value)
    assert "secret-of-the-tests" not in str(caught.value)


async def test_a_store_that_does_not_answer_is_left_in_time() -> None:
    released = threading.Event()

    def hang(_: Request) -> None:
        released.wait(5)

    with web_server() as web:
        web.answer = hang
        began_s = time.monotonic()
        with pytest.raises(SourceError, match=r"no whole answer within 0.3 s\. Mend: .*the cred"):
            await S3Source("s3://policies/key", SourceOptions(s3_endpoint=web.origin, timeout_s=0.3)).fetch(None)
        assert time.monotonic() - began_s < 3
        released.set()


async def test_a_store_that_is_away() -> None:
    with web_server() as gone:
        address = gone.origin
    with pytest.raises(SourceError, match="Mend: check the endpoint"):
        await S3Source("s3://policies/key", SourceOptions(s3_endpoint=address, timeout_s=1)).fetch(None)


def test_no_ca_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"ca.pem: no CA file"):
        S3Source("s3://policies/key", SourceOptions(ca=tmp_path / "ca.pem"))
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    with pytest.raises(SourceError):
        S3Source("s3://policies/key", SourceOptions(ca=tmp_path / "ca.pem"))
