"""An HTTPS server: conditional, bounded in bytes and time, and never led astray.

Plain HTTP is for loopback alone. Redirects are followed a few times, and never to another scheme. The answer must say
how long it is, so that the beginning of a policy is not taken for one.

SPEC: RFC 9110 section 13 (conditional requests) and 15.4 (redirects).
"""

import asyncio
import ssl
from typing import Final

import httpx

from extproc.bundle.errors import SourceError
from extproc.bundle.source import LARGEST, Fetched, NotModified, SourceOptions, is_loopback

_REDIRECTS: Final = 3
_REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 1 << 16
_LAST_PORT: Final = 65_535
_HEADERS: Final = {"accept": "*/*", "accept-encoding": "identity"}
"""A compressed answer has no size that can be bounded."""


class HttpsSource:
    """An `https://` address; `http://` on loopback."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        """Check the address and read the authorities. Raises SourceError."""
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise SourceError("https://", "an address that cannot be read", "write https://HOST/PATH") from None
        # A query may hold a signature that gives access, so the name is without it.
        host = f"[{self._url.host}]" if ":" in self._url.host else self._url.host
        port = "" if self._url.port is None else f":{self._url.port}"
        self.name = f"{self._url.scheme}://{host}{port}{self._url.path}{'?…' if self._url.query else ''}"
        if not self._url.host:
            raise SourceError(self.name, "an address without a host", "write https://HOST/PATH")
        if (self._url.port or 0) > _LAST_PORT:
            raise SourceError(self.name, "an address with no such port", f"write a port up to {_LAST_PORT}")
        if self._url.userinfo:
            raise SourceError(self.name, "the address holds a password", "remove it: addresses are logged")
        self._loopback = is_loopback(self._url.host)
        if self._url.scheme == "http" and not self._loopback:
            raise SourceError(self.name, "plain http, which anybody on the way could change", "use https://")
        self._timeout_s = options.timeout_s
        self._tls = self._trusted(options)

    async def fetch(self, etag: str | None) -> Fetched | NotModified:
        """Ask once. Raises SourceError."""
        try:
            async with asyncio.timeout(self._timeout_s), self._client() as client:
                return await self._follow(client, etag)
        except (TimeoutError, httpx.TimeoutException):
            mend = "check the server and the way to it"
            raise SourceError(self.name, f"no whole answer within {self._timeout_s:g} s", mend) from None
        except httpx.HTTPError as error:
            raise self._unreached(error) from None

    def _client(self) -> httpx.AsyncClient:
        """Respect the environment's proxies, but not for this very machine. Raises SourceError for a bad one."""
        try:
            return httpx.AsyncClient(verify=self._tls, timeout=self._timeout_s, trust_env=not self._loopback)
        except (ValueError, ImportError, httpx.InvalidURL):
            # The cause is dropped on purpose: it might quote a password.
            mend = "mend HTTPS_PROXY or ALL_PROXY: http://HOST:PORT"
            raise SourceError(self.name, "the proxy that the environment names cannot be used", mend) from None

    async def _follow(self, client: httpx.AsyncClient, etag: str | None) -> Fetched | NotModified:
        headers = _HEADERS if etag is None else {**_HEADERS, "if-none-match": etag}
        url = self._url
        for _ in range(_REDIRECTS + 1):
            async with client.stream("GET", url, headers=headers) as response:
                if response.status_code not in _REDIRECT_STATUSES:
                    return await self._take(response, etag)
                url = self._next(response)
        raise SourceError(self.name, f"more than {_REDIRECTS} redirects", "name the final address")

    def _next(self, response: httpx.Response) -> httpx.URL:
        """Give where a redirect leads. Raises SourceError for another scheme, or another machine in plain HTTP."""
        try:
            url = response.url.join(response.headers["location"])
        except (KeyError, httpx.InvalidURL):
            raise SourceError(self.name, "a redirect to nowhere", "name the final address") from None
        if url.scheme != self._url.scheme or (url.scheme == "http" and not is_loopback(url.host)):
            message = f"a redirect to {url.scheme}://{url.host}, which is not followed"
            raise SourceError(self.name, message, "name the final address, by https")
        return url

    async def _take(self, response: httpx.Response, etag: str | None) -> Fetched | NotModified:
        if response.status_code == httpx.codes.NOT_MODIFIED and etag is not None:
            return NotModified()
        if response.status_code != httpx.codes.OK:
            message = f"answered {response.status_code} {response.reason_phrase}".rstrip()
            raise SourceError(self.name, message, "check the address, and that this machine may read it")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SourceError(self.name, "answered compressed, unasked", "serve the file as it is")
        if "content-length" not in response.headers and "transfer-encoding" not in response.headers:
            message = "does not say how long its answer is, so that a part could pass for the whole"
            raise SourceError(self.name, message, "serve it with Content-Length")
        data = bytearray()
        async for chunk in response.aiter_raw(_CHUNK):
            data += chunk
            if len(data) > LARGEST:
                raise SourceError(self.name, f"the file is larger than {LARGEST} bytes", "name the right file")
        return Fetched(data=bytes(data), etag=response.headers.get("etag"))

    def _unreached(self, error: httpx.HTTPError) -> SourceError:
        words = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in words:
            mend = "check the address; for a private authority, name its CA file"
            return SourceError(self.name, f"the server's certificate is not trusted ({words})", mend)
        return SourceError(self.name, f"no whole answer ({words})", "check the server and the way to it")

    def _trusted(self, options: SourceOptions) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=options.ca)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or str(error)
            raise SourceError(str(options.ca), f"no CA file ({reason})", "name a file of certificates in PEM") from None
