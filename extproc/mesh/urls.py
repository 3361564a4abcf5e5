"""The URL at which a dependency of a region is asked: http or https, nothing in it that is secret or hidden.

SPEC: RFC 3986, the part of it that is needed.
"""

import re
from ipaddress import ip_address
from typing import Final

from extproc.strict_yaml import UnfitError

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[!$&-;=@-Z_a-z~%?]*)?"
)
_LONGEST: Final = 2000
_HIGHEST_PORT: Final = 65_535
_LIKE: Final = 'write it like "http://10.0.0.7:8080/freshness"'


def parse_url(written: str) -> str:
    """Give a URL as it is written, if it is one that may be asked. Raises UnfitError."""
    if "@" in written.partition("://")[2].partition("/")[0]:
        raise UnfitError("the URL has credentials in it", "leave them out: a probe needs none")
    found = _URL.fullmatch(written)
    if found is None or len(written) > _LONGEST or not _is_host(found["host"]):
        raise UnfitError(f"'{written[:80]}' is no URL that can be asked", _LIKE)
    if found["port"] and int(found["port"]) > _HIGHEST_PORT:
        raise UnfitError(f"'{found['port']}' is no port", f"write a number from 1 to {_HIGHEST_PORT} after the colon")
    return written


def _is_host(host: str) -> bool:
    """Tell whether this is a name or an address; one that is nearly an address must not be looked up as a name."""
    if not host.startswith("[") and not re.fullmatch(r"[0-9.]+", host):
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
