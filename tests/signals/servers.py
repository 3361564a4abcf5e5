"""Servers on loopback that answer as they are told, for probes: well, badly, late, or not in HTTP."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

HANG = b""
"""Says nothing until the client goes."""


def http(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """Write a whole answer."""
    fields = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


@dataclass(kw_only=True)
class Server:
    """A running server. `answer` gives the bytes for a path; `asked` has each path that was asked, in order."""

    answer: Callable[[str], bytes]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set["asyncio.Task[object]"] = field(default_factory=set)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                path = request.split(b" ", 2)[1].decode()
                self.asked.append(path)
                self.requests.append(request)
                said = self.answer(path)
                if said == HANG:
                    await reader.read()
                    break
                writer.write(said)
                await writer.drain()
                if not said.startswith(b"HTTP/1.1") or b"connection: close" in said:
                    break
        writer.close()

    async def close(self) -> None:
        """Close every connection."""
        for writer in self.writers:
            writer.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(
    answer: Callable[[str], bytes] | bytes, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Run a server that gives these answers, by TLS where there is a context."""
    server = Server(answer=answer if callable(answer) else lambda _path: answer)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, limit=1 << 16, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.close()
