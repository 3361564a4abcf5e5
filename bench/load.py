"""The load generator, a process of its own: `python -m bench.load --help`. Prints one JSON object.

Plain sockets and epoll in one thread, because an event loop's timers are coarser than what is measured here.

Closed loop: each connection sends its next request when the answer to the last one is whole. It tells what a system
can take; a slow answer delays the requests after it, so its percentiles say nothing of clients who do not wait.

Open loop: requests are due at fixed times. One that is due while all connections are busy waits, and its latency counts
from when it was *due*, so that a stall is charged to every request that it held up (coordinated omission).
"""

import argparse
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from itertools import cycle
from math import ceil
from typing import Final

from bench.traffic import requests

CONNECTIONS: Final = 32
MOST: Final = 1_000_000
"""Requests after which a load ends, whatever the clock says."""
_PATIENCE_S: Final = 10.0
_OK: Final = b"HTTP/1.1 200"
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_NS: Final = 1_000_000_000


class LoadError(Exception):
    """A load that could not be brought to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a load has seen.

    `late_p99_us` is how late requests were sent, by the generator's own fault or because every connection was busy; the
    latencies include it.
    """

    requests: int
    failed: int
    seconds: float
    cpu_s: float
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    late_p99_us: float = 0.0


class _Connection:
    """One connection with at most one request on its way."""

    __slots__ = ("_received", "_whole", "began_ns", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began_ns = 0
        self._received = b""
        self._whole = 0

    def send(self, request: bytes, began_ns: int) -> None:
        self.began_ns = began_ns
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Take what came; give the answer once it is whole."""
        data = self.socket.recv(65536)
        if not data:
            raise LoadError("the server closed a connection")
        received = self._received + data if self._received else data
        end = received.find(_END)
        at = received.find(_LENGTH, 0, end)
        if end >= 0 and at < 0:
            raise LoadError(f"an answer without a length: {received[:200]!r}")
        if end < 0 or len(received) < end + len(_END) + int(received[at + len(_LENGTH) : received.find(b"\r", at)]):
            self._received = received
            return None
        self._received = b""
        return received


class _Load:
    """Connections, what is sent over them, and what came of it."""

    def __init__(self, port: int, connections: int) -> None:
        self._open = [_Connection(port) for _ in range(connections)]
        self._by_descriptor = {each.socket.fileno(): each for each in self._open}
        self._next = cycle(requests()).__next__
        self._epoll = select.epoll()
        for descriptor in self._by_descriptor:
            self._epoll.register(descriptor, select.EPOLLIN)
        self._took_ns: list[int] = []
        self._late_ns: list[int] = []
        self._failed = 0

    def closed(self, seconds: float, most: int) -> Report:
        """Send on every connection, again as soon as it is answered, for `seconds`."""
        began_ns, began_cpu_s = time.perf_counter_ns(), time.process_time()
        ends_ns = began_ns + int(seconds * _NS)
        for connection in self._open:
            connection.send(self._next(), time.perf_counter_ns())
        left = most - len(self._open)
        busy = len(self._open)
        while busy:
            for connection in self._answered(_PATIENCE_S):
                now_ns = time.perf_counter_ns()
                if now_ns < ends_ns and left > 0:
                    left -= 1
                    connection.send(self._next(), now_ns)
                else:
                    busy -= 1
        return self._report(began_ns, began_cpu_s)

    def open(self, seconds: float, rate: float, most: int) -> Report:
        """Send at `rate` requests a second, whatever becomes of them, for `seconds`."""
        began_ns, began_cpu_s = time.perf_counter_ns(), time.process_time()
        count = min(most, int(seconds * rate))
        due = deque(began_ns + int(i * _NS / rate) for i in range(count))
        idle = list(self._open)
        while due or len(idle) < len(self._open):
            now_ns = time.perf_counter_ns()
            while due and idle and due[0] <= now_ns:
                self._late_ns.append(now_ns - due[0])
                idle.pop().send(self._next(), due.popleft())
            wait_s = max(0.0, (due[0] - time.perf_counter_ns()) / _NS) if due and idle else _PATIENCE_S
            # epoll waits in whole milliseconds, select in microseconds.
            if select.select([self._epoll], [], [], wait_s)[0]:
                idle += self._answered(0)
            elif wait_s == _PATIENCE_S:
                raise LoadError(f"no answer within {_PATIENCE_S:g} s")
        return self._report(began_ns, began_cpu_s)

    def _answered(self, wait_s: float) -> list[_Connection]:
        """Wait for answers and give the connections that are free again."""
        events = self._epoll.poll(wait_s)
        if not events and wait_s:
            raise LoadError(f"no answer within {wait_s:g} s")
        free = []
        for descriptor, _ in events:
            connection = self._by_descriptor[descriptor]
            answer = connection.receive()
            if answer is not None:
                self._took_ns.append(time.perf_counter_ns() - connection.began_ns)
                if not answer.startswith(_OK):
                    self._failed += 1
                free.append(connection)
        return free

    def _report(self, began_ns: int, began_cpu_s: float) -> Report:
        took = sorted(self._took_ns)
        return Report(
            requests=len(took),
            failed=self._failed,
            seconds=(time.perf_counter_ns() - began_ns) / _NS,
            cpu_s=time.process_time() - began_cpu_s,
            p50_us=percentile(took, 50) / 1000,
            p99_us=percentile(took, 99) / 1000,
            p999_us=percentile(took, 99.9) / 1000,
            max_us=took[-1] / 1000,
            late_p99_us=percentile(sorted(self._late_ns), 99) / 1000 if self._late_ns else 0.0,
        )


def percentile(ordered: list[int], percent: float) -> int:
    """Give a percentile of values in ascending order, by the nearest rank."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def main() -> int:
    """Put one load on a port."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Put one load on a port of loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, help="open loop at this many requests a second (default: closed loop)")
    parser.add_argument("--most", type=int, default=MOST, help="end after this many requests (default: %(default)s)")
    args = parser.parse_args()
    load = _Load(args.port, args.connections)
    gc.disable()
    try:
        report = (
            load.closed(args.seconds, args.most) if args.rate is None else load.open(args.seconds, args.rate, args.most)
        )
    except (LoadError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
