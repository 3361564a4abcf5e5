"""The client's address: from Envoy's text to packed bytes, and whether bytes can have a place at all.

Owns the text form of `source.address` and the list of networks that no database can place. Does not decide which
peer is believed: Envoy does, from the edge that the operator declared. Header fields such as X-Forwarded-For are
never read here.

SPEC: RFC 4291 and RFC 5952 (text), RFC 6052 (NAT64), the IANA special-purpose registries (RFC 6890 and updates).
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

_MAPPED: Final = bytes(10) + b"\xff\xff"
# SPEC: RFC 6052 section 2.1, the well-known prefix: the last 32 bits are the IPv4 address.
_NAT64: Final = bytes.fromhex("0064ff9b") + bytes(8)
_MAX_PORT: Final = 65_535

# SPEC: the IANA IPv4 and IPv6 Special-Purpose Address Registries, whole, and with them what is no unicast and what the
# IANA IPv6 Address Space registry keeps or took back. Globally reachable ones too: they are at many places, or at the
# end of a tunnel.
_UNPLACED: Final = (
    "0.0.0.0/8",  # this network, unspecified: RFC 791
    "10.0.0.0/8",  # private: RFC 1918
    "100.64.0.0/10",  # carrier-grade NAT: RFC 6598
    "127.0.0.0/8",  # loopback: RFC 1122
    "169.254.0.0/16",  # link-local: RFC 3927
    "172.16.0.0/12",  # private: RFC 1918
    "192.0.0.0/24",  # protocol assignments, with DS-Lite, PCP and TURN anycast: RFC 6890
    "192.0.2.0/24",  # documentation: RFC 5737
    "192.31.196.0/24",  # AS112, anycast: RFC 7535
    "192.52.193.0/24",  # automatic multicast tunnelling, anycast: RFC 7450
    "192.88.99.0/24",  # 6to4 and 6a44 relays, anycast: RFC 7526, RFC 6751
    "192.168.0.0/16",  # private: RFC 1918
    "192.175.48.0/24",  # AS112, anycast: RFC 7534
    "198.18.0.0/15",  # benchmarking: RFC 2544
    "198.51.100.0/24",  # documentation: RFC 5737
    "203.0.113.0/24",  # documentation: RFC 5737
    "224.0.0.0/4",  # multicast, with its documentation block: RFC 5771, RFC 6676
    "240.0.0.0/4",  # reserved, broadcast: RFC 1112, RFC 8190
    # Outside 2000::/3 nothing is global unicast (RFC 3513, RFC 4291). ::/3 holds unspecified, loopback, IPv4-compatible
    # (which databases alias to IPv4) and IPv4-translated addresses, the translation prefix of one site (RFC 8215),
    # discard-only (RFC 6666) and the dummy prefix (RFC 9780); 4000::/2 segment routing, 5f00::/16 (RFC 9602); 8000::/1
    # unique local (RFC 4193), link-local, site-local (RFC 3879) and multicast.
    "::/3",
    "4000::/2",
    "8000::/1",
    # Protocol assignments (RFC 2928), with Teredo (RFC 4380), PCP, TURN and SRP anycast (RFC 7723, RFC 8155, RFC 9665),
    # benchmarking (RFC 5180), AMT (RFC 7450), AS112 (RFC 7535), ORCHID (RFC 4843, RFC 7343) and drone tags (RFC 9374).
    "2001::/23",
    "2001:db8::/32",  # documentation: RFC 3849
    "2002::/16",  # 6to4: RFC 3056
    "2620:4f:8000::/48",  # AS112, anycast: RFC 7534
    "3ffe::/16",  # 6bone, returned: RFC 3701
    "3fff::/20",  # documentation: RFC 9637
)


def _rows(version: type[IPv4Network | IPv6Network]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Index the networks of one IP version by first byte: (mask, value) pairs in each of 256 rows."""
    rows: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for network in map(ip_network, _UNPLACED):
        if isinstance(network, version):
            first, last = network.network_address.packed[0], network.broadcast_address.packed[0]
            for byte in range(first, last + 1):
                rows[byte].append((int(network.netmask), int(network.network_address)))
    return tuple(map(tuple, rows))


# Most first bytes have an empty row, so most clients cost one index.
_ROWS: Final = {4: _rows(IPv4Network), 16: _rows(IPv6Network)}


def parse_source_address(text: str) -> bytes | None:
    """Read Envoy's `source.address` (`81.2.69.142:0`, `[2001:218::1]:443`, also without port).

    Returns 4 or 16 packed bytes, or None for anything else: a name, a path, a zone (`fe80::1%eth0`), a port out of
    range. IPv4-mapped and NAT64 addresses come back as the IPv4 address in them. Never raises.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not (rest[0] == ":" and _is_port(rest[1:]))):
            return None
        family = AF_INET6
    else:
        host, colon, port = text.partition(":")
        family = AF_INET
        if ":" in port:
            host, family = text, AF_INET6
        elif colon and not _is_port(port):
            return None
    try:
        packed = inet_pton(family, host)
    except (OSError, ValueError):  # ValueError: a null byte or a lone surrogate
        return None
    if family is AF_INET6 and packed[:12] in (_MAPPED, _NAT64):
        return packed[12:]
    return packed


def is_locatable(packed: bytes) -> bool:
    """Tell whether 4 or 16 packed bytes are an address that can have a place. Any other length is not."""
    rows = _ROWS.get(len(packed))
    if rows is None:
        return False
    row = rows[packed[0]]
    if not row:
        return True
    number = int.from_bytes(packed, "big")
    for mask, value in row:  # noqa: SIM110 - a generator costs more than the row
        if number & mask == value:
            return False
    return True


def _is_port(text: str) -> bool:
    if text == "0":  # ENVOY: port 0 means that the address came from X-Forwarded-For
        return True
    # The length first: int() of a long enough text raises.
    decimal = len(text) <= 5 and text.isascii() and text.isdecimal() and text[0] != "0"  # noqa: PLR2004
    return decimal and int(text) <= _MAX_PORT
