"""From a vendor's record to a GeoResult or to a kind of network, by the type that the database declares.

Owns which database types are known and which of their fields tell a place. Does not open files. What it never reads:
names (`country` is one in IPinfo Lite), and MaxMind's `is_in_european_union`, which is not the EEA and is absent
where it is false.

SPEC: MaxMind "GeoIP2 and GeoLite2 databases", DB-IP "MMDB format", IPinfo "Lite", "Core", "Plus" and "IP to
Country + ASN" field lists, and those named in :mod:`extproc.geo.marks`. The type strings are those found in published
files.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from extproc.core.iso3166 import is_country, is_jurisdiction
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.marks import ipinfo_mark, ipinfo_privacy_mark, maxmind_mark
from extproc.geo.network import NetworkKind
from extproc.geo.result import NO_COUNTRY, GeoResult, GeoStatus, shared_result

Adapter = Callable[[object], GeoResult]
"""Takes one decoded record of a database of places, of any shape, and never raises."""

MarkAdapter = Callable[[object], NetworkKind | None]
"""Takes one decoded record of a database of anonymous networks, of any shape, and never raises."""

SUPPORTED: Final = (
    "MaxMind GeoIP2 and GeoLite2 Country, City and Enterprise, DB-IP Country, City, Location and ISP, "
    "IPinfo Lite, Core and Plus, IPinfo Country, Country + ASN and extended location"
)
"""The databases of places that have an adapter, for people."""

SUPPORTED_ANONYMITY: Final = (
    "MaxMind GeoIP2 Anonymous IP and IP Risk, GeoIP Anonymous Plus and Residential Proxy, "
    "IPinfo Privacy Detection and Privacy Detection Extended"
)
"""The databases of anonymous networks that have an adapter, for people."""

# Vendors sell parts and samples under longer names with the same shape: GeoIP2-City-Europe, GeoIP2-Precision-City.
_NESTED: Final = re.compile(
    r"Geo(?:IP|IP2|Lite2)-(?:Precision-)?(?:Country|City|Enterprise)(?:-[A-Za-z-]+)?"
    r"|DBIP-(?:Country|City|Location|ISP|Location-ISP)(?:-Lite)?(?: \(compat=(?:Country|City|Enterprise)\))?"
)
_IPINFO_CODE: Final = frozenset({"ipinfo_lite", "bundle_location_lite", "bundle_location_core", "bundle_location_plus"})
_IPINFO_OLD: Final = frozenset(
    {
        "generic_country_free",
        "generic_country_free_country_asn",
        "ip_country",
        "ip_country_asn",
        "extended_location_v2",
    }
)

_MAXMIND_MARKED: Final = re.compile(r"Geo(?:IP|IP2)-(?:Anonymous-IP|Anonymous-Plus|IP-Risk)")
_MAXMIND_RESIDENTIAL: Final = re.compile(r"Geo(?:IP|IP2)-Residential-Proxy")
# The last two are the names of the files: which types they declare has not been seen.
_IPINFO_PRIVACY: Final = frozenset(
    {
        "standard_privacy",
        "privacy_detection",
        "privacy_detection_extended",
        "extended_privacy_v2",
        "ipinfo_privacy",
        "ipinfo_privacy_extended",
    }
)


def adapter_for(database_type: str, path: Path) -> Adapter:
    """Return the adapter for a declared type.

    Raises GeoDatabaseError, naming `path`, for a type whose shape is not known: a guess could take a name for a
    code.
    """
    if _NESTED.fullmatch(database_type):
        return _nested
    product = _ipinfo_product(database_type)
    if product in _IPINFO_CODE:
        return _country_code
    if product in _IPINFO_OLD:
        return _country
    raise GeoDatabaseError(path, f"type {database_type!r} is not supported", f"use one of: {SUPPORTED}")


def mark_adapter_for(database_type: str, path: Path) -> MarkAdapter:
    """Return the adapter for the declared type of a database of anonymous networks.

    Raises GeoDatabaseError, naming `path`, for a type whose marks are not known: every network would seem harmless.
    """
    if _MAXMIND_MARKED.fullmatch(database_type):
        return _maxmind_marked
    if _MAXMIND_RESIDENTIAL.fullmatch(database_type):
        return _residential_proxy
    if _ipinfo_product(database_type) in _IPINFO_PRIVACY:
        return _ipinfo_privacy
    raise GeoDatabaseError(
        path, f"type {database_type!r} is not one of anonymous networks", f"use one of: {SUPPORTED_ANONYMITY}"
    )


def _ipinfo_product(database_type: str) -> str | None:
    vendor, _, product = database_type.removesuffix(".mmdb").removesuffix("_sample").partition(" ")
    return product if vendor == "ipinfo" else None


def _maxmind_marked(record: object) -> NetworkKind | None:
    return maxmind_mark(record) if isinstance(record, dict) else NetworkKind.UNREADABLE


def _residential_proxy(record: object) -> NetworkKind | None:
    """Every network in the database is one; its records only say how sure that is."""
    return NetworkKind.RESIDENTIAL_PROXY if isinstance(record, dict) else NetworkKind.UNREADABLE


def _ipinfo_privacy(record: object) -> NetworkKind | None:
    return ipinfo_privacy_mark(record) if isinstance(record, dict) else NetworkKind.UNREADABLE


def _nested(record: object) -> GeoResult:
    """MaxMind and DB-IP: `country.iso_code`, and subdivisions from the largest to the smallest."""
    if not isinstance(record, dict):
        return NO_COUNTRY
    subdivisions = record.get("subdivisions")
    largest = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None
    return _result(
        _iso_code(record.get("country")),
        subdivision=_iso_code(largest),
        registered=_iso_code(record.get("registered_country")),
        represented=_iso_code(record.get("represented_country")),
        network=maxmind_mark(record.get("traits")),
    )


def _country_code(record: object) -> GeoResult:
    """IPinfo Lite, Core, Plus: flat, `country_code` is a code and `country` a name."""
    if not isinstance(record, dict):
        return NO_COUNTRY
    return _result(
        record.get("country_code"),
        subdivision=record.get("region_code"),
        network=ipinfo_mark(record),
    )


def _country(record: object) -> GeoResult:
    """IPinfo before Lite: flat, `country` is a code; a region is a name and so not read."""
    return _result(record.get("country")) if isinstance(record, dict) else NO_COUNTRY


def _result(
    country: object,
    *,
    subdivision: object = None,
    registered: object = None,
    represented: object = None,
    network: NetworkKind | None = None,
) -> GeoResult:
    located = _country_or_none(country)
    if located is not None:
        status = GeoStatus.LOCATED
    else:
        status = GeoStatus.NOT_A_COUNTRY if isinstance(country, str) and country else GeoStatus.NO_COUNTRY
    return shared_result(
        status=status,
        country=located,
        subdivision=_subdivision_or_none(located, subdivision),
        registered_country=_country_or_none(registered),
        represented_country=_country_or_none(represented),
        network=network,
    )


def _iso_code(place: object) -> object:
    return place.get("iso_code") if isinstance(place, dict) else None


def _country_or_none(code: object) -> str | None:
    return code if isinstance(code, str) and is_country(code) else None


def _subdivision_or_none(country: str | None, code: object) -> str | None:
    if country is None or not isinstance(code, str) or not code:
        return None
    # SPEC: the databases give the part after the hyphen.
    subdivision = f"{country}-{code}"
    return subdivision if is_jurisdiction(subdivision) else None
