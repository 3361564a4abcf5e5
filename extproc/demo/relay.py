"""The way to one region, a process of its own: `python -m extproc.demo.relay PORT TO_PORT RTT_S [CONTROL]`.

A TCP relay on loopback that delays every byte by half a round trip in each direction. Opening a connection takes a
round trip before the first byte may leave; here the connection is there at once, and its first byte waits that long. No
loss, no bandwidth limit, no congestion: the speed of light and nothing else.

CONTROL is a unix socket by which the way is changed while it is used (:mod:`extproc.demo.ways`): one line for each
change, answered by a line, `ok` or `no` with the reason.

* `delay RTT_S`: what is sent from now on takes so long, but nothing overtakes what was sent before.
* `pause`: nothing arrives any more, in either direction, on any connection: a black hole.
* `resume`: what was held back arrives, in order.
* `cut`: every connection breaks, and new ones break at once; until `mend`.
* `mend`: new connections are taken again.
"""

import asyncio
import math
import selectors
import sys
from collections import deque
from pathlib import Path
from typing import Final

_LOOPBACK: Final = "127.0.0.1"
_LONGEST_RTT_S: Final = 60.0


class Way:
    """What the way is like now. `ends` are those of its connections."""

    def __init__(self, rtt_s: float) -> None:
        self.one_way_s = rtt_s / 2
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_cut = False
        self.ends: set[_End] = set()

    def obey(self, line: str) -> str:
        """Change the way as a line of the control says, and give the answer."""
        match line.split():
            case ["delay", text]:
                return self._delay(text)
            case ["pause"]:
                self.is_open.clear()
            case ["resume"]:
                self.is_open.set()
            case ["cut"]:
                self.is_cut = True
                for end in tuple(self.ends):
                    end.abort()
            case ["mend"]:
                self.is_cut = False
            case _:
                return "no: expected delay RTT_S, pause, resume, cut or mend"
        return "ok"

    def _delay(self, text: str) -> str:
        try:
            rtt_s = float(text)
        except ValueError:
            rtt_s = math.nan
        if not 0.0 <= rtt_s <= _LONGEST_RTT_S:
            return f"no: expected a round trip of 0 to {_LONGEST_RTT_S:g} seconds"
        self.one_way_s = rtt_s / 2
        return "ok"


class _End(asyncio.Protocol):
    """One of the two connections of a relayed one: what it receives, its peer sends later. None stands for the end."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._loop = asyncio.get_running_loop()
        self._on_their_way: deque[bytes | None] = deque()
        self._due = 0
        self._transport: asyncio.Transport | None = None
        self._open_at_s = 0.0
        self._last_at_s = 0.0
        self._held: asyncio.Task[None] | None = None
        self.peer: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self._transport = transport
        self._way.ends.add(self)

    def data_received(self, data: bytes) -> None:
        self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - an end is an end
        self._pass_on(None)
        self._transport = None
        self._way.ends.discard(self)

    def opened_by_client(self, opened_at_s: float) -> None:
        """Let nothing of the client's leave before the handshake would be done."""
        self._open_at_s = opened_at_s + 2 * self._way.one_way_s

    def abort(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _pass_on(self, data: bytes | None) -> None:
        if self.peer is not None:
            self.peer.send_at(max(self._loop.time(), self._open_at_s) + self._way.one_way_s, data)

    def send_at(self, at_s: float, data: bytes | None) -> None:
        """Send `data` at a time of the loop's clock, but not before what was given before."""
        self._last_at_s = max(self._last_at_s, at_s)
        self._on_their_way.append(data)
        self._loop.call_at(self._last_at_s, self._send_next)

    def _send_next(self) -> None:
        self._due += 1
        if self._way.is_open.is_set():
            self._send_due()
        elif self._held is None:
            self._held = self._loop.create_task(self._send_when_open())

    async def _send_when_open(self) -> None:
        await self._way.is_open.wait()
        self._held = None
        self._send_due()

    def _send_due(self) -> None:
        while self._due:
            self._due -= 1
            self._send(self._on_their_way.popleft())

    def _send(self, data: bytes | None) -> None:
        if self._transport is None:
            return
        if data is None:
            self._transport.close()
        else:
            self._transport.write(data)


class _ClientEnd(_End):
    def __init__(self, to_port: int, way: Way) -> None:
        super().__init__(way)
        self._to_port = to_port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        if self._way.is_cut:
            transport.abort()
            return
        self.opened_by_client(self._loop.time())
        transport.pause_reading()
        self._connecting = self._loop.create_task(self._connect(transport))

    async def _connect(self, transport: asyncio.Transport) -> None:
        try:
            _, peer = await self._loop.create_connection(lambda: _End(self._way), _LOOPBACK, self._to_port)
        except OSError:
            transport.abort()
            return
        self.peer, peer.peer = peer, self
        if transport.is_closing():
            self._pass_on(None)
        else:
            transport.resume_reading()


async def relay(port: int, to_port: int, rtt_s: float, control: Path | None = None) -> None:
    """Relay connections from `port` to `to_port` until cancelled."""
    loop = asyncio.get_running_loop()
    way = Way(rtt_s)
    server = await loop.create_server(lambda: _ClientEnd(to_port, way), _LOOPBACK, port)
    async with server:
        if control is None:
            await server.serve_forever()
            return
        async with await asyncio.start_unix_server(lambda r, w: _control(way, r, w), control):
            await server.serve_forever()


async def _control(way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(f"{way.obey(line.decode(errors='replace'))}\n".encode())
        await writer.drain()
    writer.close()


def exact_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop whose timers are exact: epoll waits in whole milliseconds, select in microseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main(argv: list[str]) -> None:
    """Relay until killed."""
    port, to_port, rtt_s, *rest = argv
    control = Path(rest[0]) if rest else None
    if control is not None:
        control.unlink(missing_ok=True)  # of a relay that was killed
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(relay(int(port), int(to_port), float(rtt_s), control))


if __name__ == "__main__":
    main(sys.argv[1:])
