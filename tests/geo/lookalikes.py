"""Databases made up to look like MaxMind's public test databases (repository maxmind/MaxMind-DB), by the same names.

What is in them is ours: the few networks whose answers the tests compare, and every kind of damage that the public set
holds, each also under a type that we read, so that not the type alone refuses it.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

MARKER: Final = b"\xab\xcd\xefMaxMind.com"
BUILT: Final = 1_770_000_000
CITY: Final = "GeoLite2-City"

GB: Final = {"country": {"iso_code": "GB"}, "registered_country": {"iso_code": "US"}}
GB_OF_FR: Final = {"country": {"iso_code": "GB"}, "registered_country": {"iso_code": "FR"}}
ENGLAND: Final = {"subdivisions": [{"iso_code": "ENG"}, {"iso_code": "WBK"}]}
BASE: Final = {
    "country": {"iso_code": "PH"},
    "registered_country": {"iso_code": "PH"},
    "represented_country": {"iso_code": "US", "type": "military"},
}
JP: Final = {"country": {"iso_code": "JP"}, "registered_country": {"iso_code": "JP"}}
EVERYWHERE: Final = {"traits": {"is_anycast": True}}
CONTINENT: Final = {"continent": {"code": "EU"}}

_COUNTRIES: Final[dict[str, object]] = {
    "81.2.69.160/27": GB,
    "2.125.160.216/29": GB_OF_FR,
    "202.196.224.0/20": BASE,
    "2001:218::/32": JP,
    "2a02:d500::/29": CONTINENT,
}
_CITIES: Final[dict[str, object]] = _COUNTRIES | {
    "81.2.69.160/27": GB | ENGLAND,
    "2.125.160.216/29": GB_OF_FR | ENGLAND,
}
_ANYCAST: Final[dict[str, object]] = {"214.1.1.0/24": EVERYWHERE}
_ENTERPRISE: Final[dict[str, object]] = {
    "5.83.124.0/22": {"registered_country": {"iso_code": "RO"}},
    "74.209.16.0/20": {
        "country": {"iso_code": "US"},
        "registered_country": {"iso_code": "US"},
        "subdivisions": [{"iso_code": "NY"}],
        "traits": {"is_legitimate_proxy": True, "user_type": "residential"},
    },
} | {network: record for network, record in _CITIES.items() if ":" not in network}
_ANONYMOUS: Final[dict[str, object]] = {
    "1.2.0.0/16": {"is_anonymous": True, "is_anonymous_vpn": True},
    "1.124.213.1/32": {"is_anonymous": True, "is_anonymous_vpn": True, "is_tor_exit_node": True},
    "71.160.223.0/24": {"is_anonymous": True, "is_hosting_provider": True},
    "186.30.236.0/24": {"is_anonymous": True, "is_public_proxy": True},
    "6.1.0.4/32": {"is_anonymous": True, "is_residential_proxy": True},
    "2001:480:3a::/64": {"is_anonymous": True, "is_public_proxy": True},
}
SOUND: Final[Mapping[str, Mapping[str, object]]] = {
    "GeoIP2-City": _CITIES | _ANYCAST,
    "GeoIP2-City-Shield": _CITIES | _ANYCAST,
    "GeoIP2-Country": _COUNTRIES | _ANYCAST,
    "GeoIP2-Country-Shield": _COUNTRIES | _ANYCAST,
    "GeoIP2-Enterprise": _ENTERPRISE | _ANYCAST,
    "GeoIP2-Enterprise-Shield": _ENTERPRISE | _ANYCAST,
    "GeoIP2-Precision-Enterprise": _ENTERPRISE | _ANYCAST | {"2001:218::/32": JP},
    "GeoIP2-Precision-Enterprise-Shield": _ENTERPRISE | _ANYCAST | {"2001:218::/32": JP},
    "GeoLite2-City": _CITIES,
    "GeoLite2-Country": _COUNTRIES,
    "GeoIP2-Anonymous-IP": _ANONYMOUS,
    "GeoIP-Anonymous-Plus": _ANONYMOUS,
    "GeoIP-Residential-Proxy": {
        "1.2.0.4/32": {"provider_name": "one", "anonymizer_confidence": 82, "network_last_seen": "2026-05-11"},
        "6.0.42.17/32": {"provider_name": "two", "anonymizer_confidence": 1},
    },
    "GeoIP2-IP-Risk": {
        "214.2.3.0/30": {"ip_risk": 25, "is_anonymous": True, "is_anonymous_vpn": True},
        "214.2.3.5/32": {"ip_risk": 90, "is_anonymous": True, "is_anonymous_vpn": True, "is_tor_exit_node": True},
        "214.2.3.6/32": {"ip_risk": 85},
        "7.1.2.2/32": {"is_anonymous": True, "is_hosting_provider": True, "anonymizer_confidence": 80},
    },
    "GeoIP2-Connection-Type": {"1.0.0.0/24": {"connection_type": "Cable/DSL"}},
    "GeoIP2-Domain": {"1.2.0.0/16": {"domain": "example"}},
    "GeoIP2-ISP": {"1.0.0.0/24": {"isp": "one"}},
    "GeoLite2-ASN": {"1.0.0.0/24": {"autonomous_system_number": 15169}},
}
"""Networks by database type; the file's name is the type and `-Test.mmdb`."""


class Pointer(int):
    """Encoded as a pointer to this offset of the section."""


class Short(int):
    """Encoded as an unsigned integer of 16 bits."""


class Long(int):
    """Encoded as an unsigned integer of 64 bits."""


class Raw(bytes):
    """Encoded as it is."""


def encoded(value: object) -> bytes:
    """Encode one value. SPEC: MaxMind DB 2.0, "Output Data Section"."""
    match value:
        case Raw():
            return bytes(value)
        case Pointer():
            return bytes([1 << 5 | 3 << 3]) + struct.pack(">I", value)
        case bool():
            return _control(14, int(value))
        case int():
            digits = value.to_bytes((value.bit_length() + 7) // 8)
            kind = 5 if isinstance(value, Short) else 9 if isinstance(value, Long) else 6
            return _control(kind, len(digits)) + digits
        case float():
            return _control(3, 8) + struct.pack(">d", value)
        case str():
            return _control(2, len(value.encode())) + value.encode()
        case list():
            return _control(11, len(value)) + b"".join(map(encoded, value))
        case dict():
            pairs = (encoded(key) + encoded(item) for key, item in value.items())
            return _control(7, len(value)) + b"".join(pairs)
        case _:
            raise TypeError(type(value))


def _control(kind: int, size: int) -> bytes:
    if size < 29:
        length, rest = size, b""
    elif size < 285:
        length, rest = 29, (size - 29).to_bytes(1)
    elif size < 65_821:
        length, rest = 30, (size - 285).to_bytes(2)
    else:
        length, rest = 31, (size - 65_821).to_bytes(3)
    return (bytes([kind << 5 | length]) if kind < 8 else bytes([length, kind - 7])) + rest


def database(
    data: bytes, *, nodes: Sequence[tuple[int, int]] = ((17, 17),), metadata: Mapping[str, object] | None = None
) -> bytes:
    """Build a database of IPv4 with records of 24 bits. `metadata` is declared in its place, last; None is not."""
    declared: dict[str, object] = {
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(BUILT),
        "database_type": CITY,
        "description": {"en": "made up"},
        "ip_version": Short(4),
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": Short(24),
    }
    replaced = metadata or {}
    declared = {key: value for key, value in declared.items() if key not in replaced}
    kept = {key: value for key, value in (declared | {**replaced}).items() if value is not None}
    tree = b"".join(record.to_bytes(3) for node in nodes for record in node)
    return tree + bytes(16) + data + MARKER + encoded(kept)


def nested(depth: int, *, in_arrays: bool) -> Raw:
    around = _control(11, 1) if in_arrays else _control(7, 1) + encoded("a")
    return Raw(around * depth + encoded("x"))


LEAF: Final = encoded(GB)
POINTS_AT_DATA: Final = [(17, 17)]
TEST: Final[dict[str, object]] = {"database_type": "Test"}


def damaged_like_public() -> Iterator[tuple[str, bytes]]:
    """Give the files of the public set that are damaged, by their names there."""
    declarations: tuple[tuple[str, bytes, list[tuple[int, int]], dict[str, object]], ...] = (
        ("corrupt-search-tree", LEAF, [(116, 116)] + [(0, 0)] * 99, {}),
        ("deep-array-nesting", encoded(nested(600, in_arrays=True)), POINTS_AT_DATA, {}),
        ("deep-nesting", encoded(nested(600, in_arrays=False)), POINTS_AT_DATA, {}),
        ("empty-array-last-in-metadata", LEAF, POINTS_AT_DATA, {"languages": []}),
        ("empty-map-last-in-metadata", LEAF, POINTS_AT_DATA, {"description": {}}),
        ("oversized-array", _control(11, 1_000_000) + encoded("x") + encoded("y"), POINTS_AT_DATA, {}),
        ("oversized-map", _control(7, 1_000_000) + encoded("k") + encoded("v"), POINTS_AT_DATA, {}),
        ("separator-record-max-left", LEAF, [(16, 17)], {}),
        ("separator-record-min-left", LEAF, [(2, 17)], {}),
        ("separator-record-min-right", LEAF, [(17, 2)], {}),
        ("uint64-max-epoch", LEAF, POINTS_AT_DATA, {"build_epoch": Long(2**64 - 1)}),
        ("offset-integer-overflow", _control(2, 31)[:1] + b"\xff\xff\xff", POINTS_AT_DATA, {}),
    )
    for name, data, nodes, metadata in declarations:
        content = database(data, nodes=nodes, metadata=TEST | metadata)
        yield f"bad-data/libmaxminddb/libmaxminddb-{name}.mmdb", content
    yield "bad-data/libmaxminddb/libmaxminddb-metadata-marker-only.mmdb", MARKER
    golang = "bad-data/maxminddb-golang"
    cycle = database(encoded({"a": Pointer(0)}), metadata=TEST)
    yield f"{golang}/cyclic-data-structure.mmdb", cycle
    yield f"{golang}/invalid-bytes-length.mmdb", MARKER + _control(4, 20)
    yield f"{golang}/invalid-data-record-offset.mmdb", database(LEAF, nodes=[(9_000, 17)], metadata=TEST)
    key = _control(7, 1) + _control(2, 280)
    yield f"{golang}/invalid-map-key-length.mmdb", database(key, metadata=TEST)
    yield f"{golang}/invalid-string-length.mmdb", MARKER + _control(2, 140)
    yield f"{golang}/metadata-is-an-uint128.mmdb", MARKER + _control(10, 2)
    yield f"{golang}/unexpected-bytes.mmdb", MARKER + encoded({"a": "b"})[:-3] + b"\xff\xff\xff"
    unicode_key = encoded({"a": Pointer(13_827_916)}).replace(b"\x41a", b"\x41\xff")
    yield "bad-data/maxminddb-python/bad-unicode-in-map-key.mmdb", database(unicode_key, metadata=TEST)
    broken_double = encoded({"country": {"iso_code": "GB"}, "location": {"latitude": Raw(_control(3, 2) + b"xx")}})
    here = {"database_type": "GeoIP2-City"}
    yield "test-data/GeoIP2-City-Test-Broken-Double-Format.mmdb", database(broken_double, metadata=here)
    many = database(LEAF, metadata=here | {"node_count": 200_000})
    yield "test-data/GeoIP2-City-Test-Invalid-Node-Count.mmdb", many
    pointer = database(encoded({"a": Pointer(100_052)}), metadata=TEST)
    yield "test-data/MaxMind-DB-test-broken-pointers-24.mmdb", pointer
    yield "test-data/MaxMind-DB-test-broken-search-tree-24.mmdb", database(LEAF, nodes=[(0, 17)], metadata=TEST)
    yield "test-data/maps-with-pointers.raw", encoded({"long_key": "long_value1"}) * 3


def damaged_of_a_type_that_we_read() -> Iterator[tuple[str, bytes, str]]:
    """Give name, bytes and what the refusal says."""
    for name, data, what in (
        ("deep-arrays", encoded(nested(33, in_arrays=True)), "nests deeper"),
        ("deep-maps", encoded(nested(33, in_arrays=False)), "nests deeper"),
        ("huge-map", _control(7, 16_000_000) + encoded("k"), "ends"),
        ("many-values", encoded([0] * 10_001), "more than 10000 values"),
        ("cycle", encoded({"a": Pointer(0)}), "contains itself"),
        ("cycle-of-two", encoded([Pointer(9), 0, 0]) + encoded([Pointer(0)]), "contains itself"),
        ("pointer-to-pointer", encoded(Pointer(0)), "pointer to the pointer"),
        ("pointer-out", encoded({"a": Pointer(100_000)}), "ends inside"),
        ("pointer-far-out", encoded({"a": Pointer(2**32 - 1)}), "ends inside"),
        ("key-that-is-no-text", Raw(_control(7, 1)) + encoded(1.5) + encoded("v"), "key that is not text"),
        ("key-by-pointer-that-is-no-text", _control(7, 1) + encoded(Pointer(9)) + encoded("xx") + encoded(1.5), "key"),
        ("key-that-is-not-utf-8", encoded({"aa": 1}).replace(b"\x42aa", b"\x42\xff\xfe"), "unreadable record"),
        ("text-that-is-not-utf-8", encoded({"country": {"iso_code": Raw(b"\x42\xff\xfe")}}), "unreadable record"),
        ("double-of-two-bytes", encoded({"a": Raw(_control(3, 2) + b"xx")}), "type 3 and size 2"),
        ("boolean-of-two", encoded({"a": Raw(_control(14, 2))}), "boolean of 2"),
        ("unknown-type", encoded({"a": Raw(bytes([0, 200]))}), "type 207"),
        ("end-marker", encoded({"a": Raw(bytes([0, 6]))}), "type 13"),
        ("no-data", b"", "ends inside"),
    ):
        yield name, database(data), what
    for name, nodes, what in (
        ("record-far-out", [(2**24 - 1, 17)], "ends inside"),
        ("record-into-separator", [(2, 17)], "separator"),
        ("loop-in-the-tree", [(0, 0)], "unreadable record at 0.0.0.0"),
        ("loop-of-two-nodes", [(1, 1), (0, 0)], "unreadable record at 0.0.0.0"),
    ):
        yield name, database(LEAF, nodes=nodes), what
    declarations: tuple[tuple[str, dict[str, object], str], ...] = (
        ("record-size-0", {"record_size": Short(0)}, "is damaged"),
        ("record-size-20", {"record_size": Short(20)}, "is damaged"),
        ("record-size-36", {"record_size": Short(36)}, "is damaged"),
        ("record-size-of-text", {"record_size": "24"}, "is damaged"),
        ("record-size-none", {"record_size": None}, "is damaged"),
        ("node-count-0", {"node_count": 0}, "is damaged"),
        ("node-count-too-large", {"node_count": 1_000}, "is damaged"),
        ("node-count-overflow", {"node_count": 2**32 - 1}, "is damaged"),
        ("node-count-of-64-bits", {"node_count": Long(2**63)}, "is damaged"),
        ("node-count-a-double", {"node_count": 1.0}, "is damaged"),
        ("node-count-none", {"node_count": None}, "is damaged"),
        ("ip-version-5", {"ip_version": Short(5)}, "is damaged"),
        ("ip-version-none", {"ip_version": None}, "is damaged"),
        ("format-3", {"binary_format_major_version": Short(3)}, "is damaged"),
        ("type-a-number", {"database_type": 5}, "is damaged"),
        ("type-not-utf-8", {"database_type": Raw(b"\x42\xff\xfe")}, "is damaged"),
        ("type-none", {"database_type": None}, "is damaged"),
        ("epoch-text", {"build_epoch": "now"}, "is damaged"),
        ("epoch-max", {"build_epoch": Long(2**64 - 1)}, "in the future"),
        ("description-deep", {"description": nested(600, in_arrays=False)}, "nests deeper"),
        ("description-cycle", {"description": Pointer(0)}, "contains itself"),
        ("languages-huge", {"languages": Raw(_control(11, 16_000_000))}, "is damaged"),
        ("description-not-utf-8", {"description": {"en": Raw(b"\x42\xff\xfe")}}, "is damaged"),
    )
    for name, declared, what in declarations:
        yield name, database(LEAF, metadata=declared), what
    whole = database(LEAF)
    at = whole.rindex(MARKER)
    yield "cut-in-the-tree", whole[:4], "no metadata"
    yield "cut-in-the-marker", whole[: at + 6], "no metadata"
    yield "cut-behind-the-marker", whole[: at + len(MARKER)], "ends inside"
    for end in range(at + len(MARKER) + 1, len(whole), 23):
        yield f"cut-at-{end}", whole[:end], "is damaged"
    yield "metadata-alone", whole[at:], "is damaged"
    yield "metadata-an-array", whole[:at] + MARKER + encoded(["database_type", CITY]), "is damaged"
    yield "metadata-empty", whole[:at] + MARKER + encoded({}), "is damaged"
    yield "metadata-too-far-from-the-end", whole + bytes(128 * 1024), "no metadata"
