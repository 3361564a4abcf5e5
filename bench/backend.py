"""A process that answers as a cell would, at next to no cost: `python -m bench.backend PORT`.

Not the real cell: running a model costs several times what is measured here, so on a shared machine the cell would be
the figure. This one reads each request to its end and writes one fixed answer, on uvloop, and also answers health
checks. The first rung of the ladder shows what it costs.
"""

import asyncio
import json
import re
import signal
import sys
from typing import Final, cast

import uvloop

_BODY: Final = json.dumps(
    {
        "model_name": "digits",
        "model_version": "1",
        "outputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [7]}],
    }
).encode()
# Probes ask which version is served, and a region that does not show the approved one is not permitted.
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-situs-model-version: 1\r\ncontent-length: %d\r\n\r\n%b"
) % (len(_BODY), _BODY)
_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


HOSTS: Final = tuple(f"127.0.0.{n}" for n in range(1, 13))
"""One address for each region, of which there are at most as many, because a cell is in one region only."""


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        while (end := received.find(_END)) >= 0:
            length = _LENGTH.search(received, 0, end)
            whole = end + len(_END) + (int(length[1]) if length else 0)
            if len(received) < whole:
                break
            received = received[whole:]
            self._transport.write(_ANSWER)
        self._received = received


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with await loop.create_server(_Answering, HOSTS, port):
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
