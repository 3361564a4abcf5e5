"""From a vendor's marks on a network to its kind.

Owns which fields are read as marks. A mark is set when it is there and not false: vendors leave false out, or write a
boolean, or the texts "true", "false" and "". Anything else counts as set, because a mark can only narrow.

SPEC: MaxMind "GeoIP Anonymous IP", "GeoIP Anonymous Plus" and "GeoIP Residential Proxy" binary database fields; IPinfo
"Privacy Detection", "Privacy Detection Extended", "Core" and "Plus" field lists.
"""

from collections.abc import Mapping
from typing import Final

from extproc.geo.network import NetworkKind

_NOT_SET: Final = (None, False, "", "false")

# In the order of precedence, so the first that is set is the answer.
_MAXMIND: Final = (
    ("is_tor_exit_node", NetworkKind.TOR),
    ("is_anonymous_vpn", NetworkKind.VPN),
    ("is_residential_proxy", NetworkKind.RESIDENTIAL_PROXY),
    ("is_public_proxy", NetworkKind.PROXY),
    ("is_anonymous_proxy", NetworkKind.PROXY),  # an older name
    # Only networks that sell anonymity have these two: a data centre with a VPN in it says so here alone.
    ("provider_name", NetworkKind.VPN),
    ("anonymizer_confidence", NetworkKind.VPN),
    ("is_satellite_provider", NetworkKind.SATELLITE),  # no longer maintained by MaxMind
    ("is_anycast", NetworkKind.ANYCAST),
    # `is_anonymous` sums up all others and hosting too: it tells something new only without them.
    ("is_hosting_provider", NetworkKind.HOSTING),
    ("is_anonymous", NetworkKind.ANONYMOUS),
)
_IPINFO: Final = (
    ("tor", NetworkKind.TOR),
    ("vpn", NetworkKind.VPN),
    ("res_proxy", NetworkKind.RESIDENTIAL_PROXY),
    ("proxy", NetworkKind.PROXY),
    ("relay", NetworkKind.RELAY),
    # Here it does not include hosting.
    ("anonymous", NetworkKind.ANONYMOUS),
    ("satellite", NetworkKind.SATELLITE),
    ("anycast", NetworkKind.ANYCAST),
    ("hosting", NetworkKind.HOSTING),
)
# Privacy Detection names the bare word; Core and Plus, whose other fields are about the place, begin with `is_`.
_IPINFO_OF_PLACES: Final = tuple((f"is_{name}", kind) for name, kind in _IPINFO)


def maxmind_mark(traits: object) -> NetworkKind | None:
    """Read the marks in the `traits` of a country record, or in the record of an anonymity database."""
    return _first_set(traits, _MAXMIND)


def ipinfo_mark(record: object) -> NetworkKind | None:
    """Read the marks of an IPinfo record that is about a place."""
    return _first_set(record, _IPINFO_OF_PLACES)


def ipinfo_privacy_mark(record: object) -> NetworkKind | None:
    """Read the marks of an IPinfo privacy record."""
    return _first_set(record, _IPINFO)


def _first_set(record: object, fields: tuple[tuple[str, NetworkKind], ...]) -> NetworkKind | None:
    if isinstance(record, Mapping):
        for name, kind in fields:
            if record.get(name) not in _NOT_SET:
                return kind
    return None
