"""An HTTPS server that does what it should not."""

import time
from pathlib import Path

import pytest
from bundle.world import Answer, Authority, Request, WebServer, make_authority, serve_file, web_server

from extproc.bundle.errors import SourceError
from extproc.bundle.https import HttpsSource
from extproc.bundle.locations import source_of
from extproc.bundle.source import LARGEST, Fetched, NotModified, SourceOptions

_FILE = b"policy: 1\n"


def _source(web: WebServer, authority: Authority, path: str = "/p", timeout_s: float = 5.0) -> HttpsSource:
    return HttpsSource(f"{web.origin}{path}", SourceOptions(ca=authority.ca, timeout_s=timeout_s))


async def test_the_etag_is_sent_and_304_believed(web: WebServer, authority: Authority) -> None:
    web.answer = serve_file(_FILE)
    source = _source(web, authority)
    fetched = await source.fetch(None)
    assert isinstance(fetched, Fetched)
    assert await source.fetch(fetched.etag) == NotModified()
    (_, first), (_, second) = web.asked
    assert "if-none-match" not in first
    assert second["if-none-match"] == fetched.etag
    assert first["accept-encoding"] == "identity"
    assert "authorization" not in first


async def test_a_server_without_etags_gives_the_file_each_time(web: WebServer, authority: Authority) -> None:
    web.answer = lambda request: request.reply(200, _FILE)
    assert await _source(web, authority).fetch(None) == Fetched(data=_FILE, etag=None)


async def test_another_authority_is_refused(web: WebServer, tmp_path: Path) -> None:
    web.answer = serve_file(_FILE)
    other = make_authority(tmp_path / "other")
    for options in (SourceOptions(ca=other.ca), SourceOptions()):
        with pytest.raises(SourceError, match=r"certificate is not trusted .*Mend: .*CA file"):
            await HttpsSource(f"{web.origin}/p", options).fetch(None)
    assert web.asked == []


async def test_another_host_name_is_refused(web: WebServer, authority: Authority) -> None:
    web.answer = serve_file(_FILE)
    address = web.origin.replace("127.0.0.1", "localhost")
    with pytest.raises(SourceError, match="certificate is not trusted"):
        await HttpsSource(f"{address}/p", SourceOptions(ca=authority.ca)).fetch(None)
    assert web.asked == []


def _cut_short(request: Request) -> None:
    request.reply(200, _FILE, content_length=str(len(_FILE) + 1))


def _cut_short_in_chunks(request: Request) -> None:
    request.reply(200, b"5\r\npolic\r\n", content_length="", transfer_encoding="chunked")


def _endless(request: Request) -> None:
    request.reply(200, content_length="", transfer_encoding="chunked")
    block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(LARGEST // 0x10000 + 100):
        request.wfile.write(block)


def _compressed(request: Request) -> None:
    request.reply(200, b"\x1f\x8b", content_encoding="gzip")


def _without_length(request: Request) -> None:
    request.reply(200, _FILE, content_length="")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_cut_short, "no whole answer"),
        (_cut_short_in_chunks, "no whole answer"),
        (_without_length, "how long its answer is"),
        (_endless, "larger than"),
        (_compressed, "compressed"),
        (lambda request: request.wfile.write(b"nonsense\r\n\r\n"), "no whole answer"),
        (lambda request: request.connection.close(), "no whole answer"),
        (lambda request: request.reply(304, content_length=""), "answered 304"),
        (lambda request: request.reply(206, _FILE), "answered 206"),
        (lambda request: request.reply(403, b"secret words"), "answered 403 Forbidden"),
        (lambda request: request.reply(500), "answered 500"),
        (lambda request: request.reply(302), "redirect to nowhere"),
        (lambda request: request.reply(302, location="http://127.0.0.1/p"), "redirect to http://127.0.0.1, which is n"),
        (lambda request: request.reply(302, location="file:///etc/passwd"), "redirect to file://"),
        (lambda request: request.reply(302, location="/p"), "more than 3 redirects"),
    ],
)
async def test_a_bad_answer_is_an_error_and_never_a_file(
    web: WebServer, authority: Authority, answer: Answer, message: str
) -> None:
    web.answer = answer
    with pytest.raises(SourceError, match=message) as caught:
        await _source(web, authority).fetch(None)
    assert str(caught.value).startswith(f"{web.origin}/p: ")
    assert "secret" not in str(caught.value)


async def test_redirects_within_https_are_followed(web: WebServer, authority: Authority) -> None:
    def answer(request: Request) -> None:
        if request.path == "/p":
            request.reply(301, location="/elsewhere")
        else:
            serve_file(_FILE)(request)

    web.answer = answer
    fetched = await _source(web, authority).fetch('"old"')
    assert isinstance(fetched, Fetched)
    assert fetched.data == _FILE
    assert [(path, headers["if-none-match"]) for path, headers in web.asked] == [
        ("/p", '"old"'),
        ("/elsewhere", '"old"'),
    ]


@pytest.mark.slow
async def test_a_server_that_drips_is_left_in_time(web: WebServer, authority: Authority) -> None:
    def drip(request: Request) -> None:
        request.reply(200, content_length="1000")
        for _ in range(100):
            request.wfile.write(b"x")
            time.sleep(0.05)

    web.answer = drip
    began_s = time.monotonic()
    with pytest.raises(SourceError, match=r"no whole answer within 0.4 s"):
        await _source(web, authority, timeout_s=0.4).fetch(None)
    assert time.monotonic() - began_s < 3


async def test_a_server_that_is_away() -> None:
    with web_server() as gone:
        address = gone.origin
    with pytest.raises(SourceError, match=r"no whole answer .*Mend: check the server"):
        await HttpsSource(f"{address}/p", SourceOptions()).fetch(None)


async def test_plain_http_is_for_loopback_alone() -> None:
    with web_server() as web:
        web.answer = serve_file(_FILE)
        fetched = await HttpsSource(f"{web.origin}/p", SourceOptions()).fetch(None)
        assert isinstance(fetched, Fetched)
        web.answer = lambda request: request.reply(302, location="http://192.0.2.1/p")
        with pytest.raises(SourceError, match=r"redirect to http://192.0.2.1, which is not followed"):
            await HttpsSource(f"{web.origin}/p", SourceOptions()).fetch(None)
    for host in ("policies.example", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example", "localhost.example"):
        with pytest.raises(SourceError, match=r"plain http.*Mend: use https"):
            HttpsSource(f"http://{host}/p", SourceOptions())
    HttpsSource("http://[::1]:8080/p", SourceOptions())


async def test_the_proxy_of_the_environment_is_asked_but_not_for_this_machine(
    web: WebServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    web.answer = serve_file(_FILE)
    with web_server() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        with pytest.raises(SourceError, match=r"no whole answer \(501"):
            await HttpsSource("https://policies.example/p", SourceOptions()).fetch(None)
        assert isinstance(await _source(web, authority).fetch(None), Fetched)
    for bad in ("ftp://me:pa55word@proxy.example", "http://me:pa55word@proxy.example:x"):
        monkeypatch.setenv("HTTPS_PROXY", bad)
        with pytest.raises(SourceError, match="the proxy that the environment names") as caught:
            await HttpsSource("https://policies.example/p", SourceOptions()).fetch(None)
        assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://", "without a host"),
        ("https:///p", "without a host"),
        ("https://user:pa55word@host/p", "https://host/p: the address holds a password"),
        ("https://host:99999999/p", "no such port"),
        ("ftp://host/p", "ftp://: no kind of source"),
        ("https://host/p\x00", "cannot be read"),
    ],
)
def test_strict_addresses(address: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        source_of(address)
    assert "pa55word" not in str(caught.value)


def test_a_query_which_may_give_access_is_not_in_the_name() -> None:
    source = source_of("https://host:8443/p?X-Signature=pa55word")
    assert source.name == "https://host:8443/p?…"
    assert source_of("https://[2001:db8::1]:8443/p").name == "https://[2001:db8::1]:8443/p"


def test_no_ca_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"ca.pem: no CA file \(No such file"):
        HttpsSource("https://host/p", SourceOptions(ca=tmp_path / "ca.pem"))
    (tmp_path / "ca.pem").write_text("nothing\n")
    with pytest.raises(SourceError, match=r"ca.pem: no CA file"):
        HttpsSource("https://host/p", SourceOptions(ca=tmp_path / "ca.pem"))
