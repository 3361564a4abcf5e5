"""The way to one region, a process of its own: `python -m bench.profiles.relay PORT TO_PORT RTT_S`.

A TCP relay on loopback that delays every byte by half a round trip in each direction. Opening a connection takes a
round trip before the first byte may leave; here the connection is there at once, and its first byte waits that long. No
loss, no bandwidth limit, no congestion: the speed of light and nothing else.
"""

import asyncio
import selectors
import sys
from collections import deque
from typing import Final

_LOOPBACK: Final = "127.0.0.1"


class _End(asyncio.Protocol):
    """One of the two connections of a relayed one: what it receives, its peer sends later. None stands for the end."""

    def __init__(self, one_way_s: float) -> None:
        self._one_way_s = one_way_s
        self._loop = asyncio.get_running_loop()
        self._on_their_way: deque[bytes | None] = deque()
        self._transport: asyncio.Transport | None = None
        self._open_at_s = 0.0
        self.peer: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - an end is an end
        self._pass_on(None)
        self._transport = None

    def opened_by_client(self, opened_at_s: float) -> None:
        """Let nothing of the client's leave before the handshake would be done."""
        self._open_at_s = opened_at_s + 2 * self._one_way_s

    def _pass_on(self, data: bytes | None) -> None:
        if self.peer is not None:
            self.peer.send_at(max(self._loop.time(), self._open_at_s) + self._one_way_s, data)

    def send_at(self, at_s: float, data: bytes | None) -> None:
        """Send `data` at a time of the loop's clock; in the order of the calls, which come with rising times."""
        self._on_their_way.append(data)
        self._loop.call_at(at_s, self._send_next)

    def _send_next(self) -> None:
        data = self._on_their_way.popleft()
        if self._transport is None:
            return
        if data is None:
            self._transport.close()
        else:
            self._transport.write(data)


class _ClientEnd(_End):
    def __init__(self, to_port: int, one_way_s: float) -> None:
        super().__init__(one_way_s)
        self._to_port = to_port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self.opened_by_client(self._loop.time())
        transport.pause_reading()
        self._connecting = self._loop.create_task(self._connect(transport))

    async def _connect(self, transport: asyncio.Transport) -> None:
        try:
            _, peer = await self._loop.create_connection(lambda: _End(self._one_way_s), _LOOPBACK, self._to_port)
        except OSError:
            transport.abort()
            return
        self.peer, peer.peer = peer, self
        if transport.is_closing():
            self._pass_on(None)
        else:
            transport.resume_reading()


async def relay(port: int, to_port: int, rtt_s: float) -> None:
    """Relay connections from `port` to `to_port` until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _ClientEnd(to_port, rtt_s / 2), _LOOPBACK, port)
    async with server:
        await server.serve_forever()


def exact_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop whose timers are exact: epoll waits in whole milliseconds, select in microseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main(argv: list[str]) -> None:
    """Relay until killed."""
    port, to_port, rtt_s = argv
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(relay(int(port), int(to_port), float(rtt_s)))


if __name__ == "__main__":
    main(sys.argv[1:])
