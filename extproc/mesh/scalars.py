"""The small values of the mesh file: hosts, ports, paths, durations and identities, each with its mend."""

import re
from ipaddress import ip_address
from typing import Final

from extproc.strict_yaml import UnfitError, integer, number
from extproc.tls import identity

_LONGEST_S: Final = 86_400.0
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NAME: Final = re.compile(r"(?=.{1,63}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
HIGHEST_PORT: Final = 65_535

duration: Final = number(minimum=0.001, maximum=_LONGEST_S)
port_number: Final = integer(minimum=1, maximum=HIGHEST_PORT)


def parse_host(written: str) -> str:
    """Parse an IP address or a host name. Raises UnfitError."""
    try:
        return str(ip_address(written))
    except ValueError:
        # An address that is nearly one must not be taken for a name and be looked up.
        if _HOST.fullmatch(written) and not re.fullmatch(r"[0-9.]+", written):
            return written
    raise UnfitError(f"'{written}' is neither an IP address nor a host name", "write one of them, without a scheme")


def parse_absolute(written: str) -> str:
    """Parse a path from / on. Raises UnfitError."""
    if not written.startswith("/"):
        raise UnfitError(f"'{written}' is not absolute", "write the path from / on: Envoy has a directory of its own")
    return written


def parse_name(written: str) -> str:
    """Parse the name of a thing in Kubernetes. Raises UnfitError. SPEC: RFC 1123, one label."""
    if not _NAME.fullmatch(written):
        raise UnfitError(f"'{written}' is no name in Kubernetes", "write up to 63 of a-z, 0-9 and '-'")
    return written


def parse_hosts(written: str) -> str:
    """Parse which hosts are meant: a name with or without a port, `*.` and a name, or `*`. Raises UnfitError.

    ENVOY: the domains of a virtual host.
    """
    name, colon, port = written.partition(":")
    if written == "*" or (_DOMAIN.fullmatch(name.removeprefix("*.")) and (not colon or port == "*" or port.isdigit())):
        return written
    raise UnfitError(f"'{written}' names no hosts", 'write "models.acme.example", "*.acme.example" or "*"')


def parse_domain(written: str) -> str:
    """Parse a domain name. Raises UnfitError. SPEC: RFC 1123."""
    if not _DOMAIN.fullmatch(written):
        raise UnfitError(f"'{written}' is no domain name", "write it like cells.acme.internal")
    return written


def parse_spiffe(written: str) -> str:
    """Parse who a peer must prove to be. Raises UnfitError. SPEC: SPIFFE-ID section 2, with a path."""
    try:
        return identity.parse_spiffe(written)
    except ValueError as error:
        problem = f"'{written[:80]}' is no SPIFFE id"
        raise UnfitError(problem, 'write it like "spiffe://acme.example/cells/eu-fra"') from error
