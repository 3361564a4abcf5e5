"""Questions to servers that may do anything: bounded in time and in size, and never an exception.

A question carries nothing of a user's. Nothing that a server says is acted on: no redirect is followed, no cookie kept,
no body unpacked, and of a long answer the beginning is all that is read.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx
import structlog

TIMEOUT_S: Final = 1.0
"""For a whole answer, from the connection to its last byte."""
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

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, url: str) -> Answer | Silence:
        """Ask one server, for a second at most."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                try:
                    return await self._ask(url)
                except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                    # A connection that was kept may be closed by the server at the moment when it is used again.
                    return await self._ask(url)
        except httpx.RemoteProtocolError as error:
            # One kind to the library: a connection that ended without an answer, and an answer that is no HTTP.
            return Silence.UNREACHED if "disconnected" in str(error) else Silence.FAILED
        except (httpx.ConnectError, httpx.ReadError, httpx.WriteError):
            return Silence.UNREACHED
        except (TimeoutError, httpx.HTTPError):
            return Silence.FAILED
        except Exception:  # noqa: BLE001 - whatever an answer does to the library, the server said nothing
            _log.exception("an answer could not be read", url=url)
            return Silence.FAILED

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


@contextlib.asynccontextmanager
async def asking(connections: int) -> AsyncIterator[Asker]:
    """Give an asker that keeps so many connections at most."""
    client = httpx.AsyncClient(
        timeout=TIMEOUT_S,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=connections),
        headers={"accept": "*/*", "accept-encoding": "identity", "user-agent": "situs-probe"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        # No proxy of the environment's; authorities are the system's own.
        trust_env=False,
        verify=ssl.create_default_context(),
    )
    async with client:
        yield Asker(client)
