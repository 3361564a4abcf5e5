"""A client that costs little: HTTP/1.1 over kept connections, as many as requests are on their way."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n\r\n"
PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `status` is 0 when no whole answer came.

    `headers` are by lower-case name, and may have come all the same.
    That is so where a cell is killed between the head and the body of its answer: Envoy can only break off.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    latency_s: float


class Client:
    """Connections to one gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: bytes) -> Reply:
        """Send one request and wait for the whole answer; the latency holds both, but no opening of a connection."""
        try:
            reader, writer = await self._connection()
        except OSError:
            return Reply(status=0, headers={}, body=b"", latency_s=0.0)
        began_s = time.perf_counter()
        headers: dict[str, str] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(request)
                status = await _read_head(reader, headers)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.close()
            return Reply(status=0, headers=headers, body=b"", latency_s=time.perf_counter() - began_s)
        latency_s = time.perf_counter() - began_s
        if headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return Reply(status=status, headers=headers, body=body, latency_s=latency_s)

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def close(self) -> None:
        """Close every connection; no request may be on its way."""
        for _, writer in self._idle:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in self._idle), return_exceptions=True)
        self._idle.clear()


async def _read_head(reader: asyncio.StreamReader, headers: dict[str, str]) -> int:
    """Read up to the body; give the status and fill `headers`."""
    first, *lines = (await reader.readuntil(_END)).removesuffix(_END).decode("latin-1").split("\r\n")
    headers.update((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return int(first.split(" ", 2)[1])
