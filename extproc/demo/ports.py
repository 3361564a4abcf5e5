"""Loopback ports for the processes of the demo's world."""

import socket

_handed_out: set[int] = set()


def free_port() -> int:
    """Give a loopback port that nobody listens on now and that was not given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _handed_out:
            _handed_out.add(port)
            return port
