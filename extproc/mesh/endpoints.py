"""A cell's place as it is written: `host:port`."""

import re

from extproc.mesh.scalars import HIGHEST_PORT, parse_host
from extproc.mesh.section import TcpAddress
from extproc.strict_yaml import UnfitError


def parse_endpoint(written: str) -> TcpAddress:
    """Parse `host:port`, with an IPv6 host in brackets. Raises UnfitError."""
    host, colon, port = written.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not is_bracketed):
        raise UnfitError(f"'{written}' is no address and port", 'write it like "127.0.0.1:9001" or "[::1]:9001"')
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > HIGHEST_PORT:
        raise UnfitError(f"'{port}' is no port", f"write a number from 1 to {HIGHEST_PORT} after the colon")
    return TcpAddress(address=parse_host(host[1:-1] if is_bracketed else host), port=int(port))
