"""Questions to servers that may do anything: bounded in time and in size, and never an exception.

A question carries nothing of a user's. Nothing that a server says is acted on: no redirect is followed, no cookie kept,
no body unpacked, and of a long answer the beginning is all that is read.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from math import inf
from typing import Final

import httpx
import structlog

TIMEOUT_S: Final = 1.0
"""For a whole answer, from the connection to its last byte."""
_HANDSHAKE_S: Final = 0.45
"""For the connection and again for the handshake on it, where both must be. Together they end before the whole answer
would: the library closes a connection whose handshake it gave up itself, and not one that is taken from it."""
RENEW_S: Final = 30.0
"""After this long other connections are made, where TLS is spoken, and those of before end as long after that: whom a
server proves to be is looked at in the handshake alone, and a certificate ends."""
MOST_BYTES: Final = 64 * 1024
"""Of a body; an answer with more is taken without its body."""

_log = structlog.get_logger(__name__)


class Silence(StrEnum):
    """Why there is no answer."""

    UNREACHED = "unreached"
    """No connection could be made, or it broke."""
    FAILED = "failed"
    """None came in time, or what came is no HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said. `took_s` is how long it took to begin; `body` is None where it was longer than is read."""

    status: int
    headers: httpx.Headers
    body: bytes | None
    took_s: float


class Asker:
    """Asks by GET over connections that are kept. Not for several event loops."""

    def __init__(self, connect: Callable[[], httpx.AsyncClient], *, renew_s: float = inf) -> None:
        """Ask over connections of what `connect` makes, and over others after `renew_s` seconds."""
        self._connect = connect
        self._renew_s = renew_s
        self._client = connect()
        self._made_s = time.monotonic()
        self._before: httpx.AsyncClient | None = None
        self._untrusted: dict[str, str] = {}

    async def close(self) -> None:
        """End all connections."""
        for client in (self._client, self._before):
            if client is not None:
                await client.aclose()

    async def _renew(self) -> None:
        """Make other connections where it is time; those that answers still come by end at the next time."""
        if time.monotonic() - self._made_s < self._renew_s:
            return
        ended, self._before, self._client = self._before, self._client, self._connect()
        self._made_s = time.monotonic()
        if ended is not None:
            await ended.aclose()

    async def ask(self, url: str) -> Answer | Silence:
        """Ask one server, for a second at most."""
        await self._renew()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                try:
                    answer = await self._ask(url)
                except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, ssl.SSLError):
                    # A connection that was kept may be closed by the server at the moment when it is used again.
                    answer = await self._ask(url)
        except (httpx.ConnectError, ssl.SSLError) as error:
            self._note_distrust(url, error)
            return Silence.UNREACHED
        except httpx.RemoteProtocolError as error:
            # One kind to the library: a connection that ended without an answer, and an answer that is no HTTP.
            return Silence.UNREACHED if "disconnected" in str(error) else Silence.FAILED
        except (httpx.ReadError, httpx.WriteError):
            return Silence.UNREACHED
        except (TimeoutError, httpx.HTTPError):
            return Silence.FAILED
        except Exception:  # noqa: BLE001 - whatever an answer does to the library, the server said nothing
            _log.exception("an answer could not be read", url=url)
            return Silence.FAILED
        self._untrusted.pop(_origin(url), None)
        return answer

    def _note_distrust(self, url: str, error: BaseException) -> None:
        """Say, once for each reason, why a server and we do not trust each other; a person must mend that."""
        why = _distrust(error)
        if why is not None and self._untrusted.get(_origin(url)) != why:
            self._untrusted[_origin(url)] = why
            _log.error("a server was not reached, because one of us does not trust the other", url=url, why=why)

    async def _ask(self, url: str) -> Answer:
        began_s = time.monotonic()
        async with self._client.stream("GET", url) as response:
            took_s = time.monotonic() - began_s
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) > MOST_BYTES:
                    return Answer(status=response.status_code, headers=response.headers, body=None, took_s=took_s)
            return Answer(status=response.status_code, headers=response.headers, body=body, took_s=took_s)


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _distrust(error: BaseException | None) -> str | None:
    """Give what TLS had against a connection; None where it failed by something else."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            # OpenSSL's own text of a certificate that it refused has the reason in a field of its own.
            return str(getattr(error, "verify_message", None) or error.strerror or error)
        error = error.__cause__ or error.__context__
    return None


@contextlib.asynccontextmanager
async def asking(
    connections: int, context: ssl.SSLContext | None = None, *, renew_s: float = RENEW_S
) -> AsyncIterator[Asker]:
    """Give an asker that keeps so many connections at most.

    `context` makes those by https, which are made anew every `renew_s` seconds; without one the system's authorities
    are believed.
    """
    verify = context or ssl.create_default_context()

    def connect() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=TIMEOUT_S if context is None else httpx.Timeout(TIMEOUT_S, connect=_HANDSHAKE_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=connections),
            headers={"accept": "*/*", "accept-encoding": "identity", "user-agent": "situs-probe"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            # No proxy and no authorities of the environment's.
            trust_env=False,
            verify=verify,
        )

    asker = Asker(connect, renew_s=inf if context is None else renew_s)
    try:
        yield asker
    finally:
        await asker.close()
