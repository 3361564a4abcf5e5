from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.iso3166 import is_country, is_jurisdiction
from extproc.geo.adapters import SUPPORTED, SUPPORTED_ANONYMITY, adapter_for, mark_adapter_for
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.network import NetworkKind
from extproc.geo.result import GeoResult, GeoStatus

HERE = Path("db.mmdb")

NESTED = [
    "GeoLite2-Country",
    "GeoLite2-City",
    "GeoIP2-Country",
    "GeoIP2-City",
    "GeoIP2-City-Europe",
    "GeoIP2-City-Asia-Pacific",
    "GeoIP2-Precision-City",
    "GeoIP2-Enterprise",
    "GeoIP-City-Redacted-US",
    "DBIP-Country",
    "DBIP-Country-Lite",
    "DBIP-City-Lite",
    "DBIP-Location (compat=City)",
    "DBIP-ISP (compat=Enterprise)",
    "DBIP-Location-ISP (compat=Enterprise)",
]
CODES = [
    "ipinfo bundle_location_lite.mmdb",
    "ipinfo bundle_location_lite_sample.mmdb",
    "ipinfo bundle_location_core.mmdb",
    "ipinfo bundle_location_plus.mmdb",
    "ipinfo ipinfo_lite.mmdb",
]
OLD = [
    "ipinfo generic_country_free.mmdb",
    "ipinfo generic_country_free_country_asn.mmdb",
    "ipinfo ip_country_sample.mmdb",
    "ipinfo extended_location_v2.mmdb",
]


def adapted(database_type: str, record: object) -> GeoResult:
    return adapter_for(database_type, HERE)(record)


@pytest.mark.parametrize("database_type", NESTED)
def test_nested(database_type: str) -> None:
    record = {
        "country": {"iso_code": "CA", "is_in_european_union": True, "names": {"en": "Canada"}},
        "registered_country": {"iso_code": "US"},
        "represented_country": {"iso_code": "FR", "type": "military"},
        "subdivisions": [{"iso_code": "QC"}, {"iso_code": "06"}],
    }
    assert adapted(database_type, record) == GeoResult(
        status=GeoStatus.LOCATED,
        country="CA",
        subdivision="CA-QC",
        registered_country="US",
        represented_country="FR",
    )


@pytest.mark.parametrize("database_type", CODES)
def test_ipinfo_where_country_is_a_name(database_type: str) -> None:
    record = {"country": "Canada", "country_code": "CA", "continent_code": "NA", "region_code": "QC"}
    assert adapted(database_type, record) == GeoResult(status=GeoStatus.LOCATED, country="CA", subdivision="CA-QC")
    # A name is never taken for a code, even one that looks like it.
    assert adapted(database_type, {"country": "CA"}).status is GeoStatus.NO_COUNTRY


@pytest.mark.parametrize("database_type", OLD)
def test_ipinfo_where_country_is_a_code(database_type: str) -> None:
    record = {"country": "JP", "country_name": "Japan", "region": "Kanagawa"}
    assert adapted(database_type, record) == GeoResult(status=GeoStatus.LOCATED, country="JP")


@pytest.mark.parametrize(
    "database_type",
    [
        "",
        "GeoIP",
        "GeoLite2-ASN",
        "GeoIP2-ISP",
        "GeoIP2-Anonymous-IP",
        "GeoLite2-CountryX",
        "xGeoLite2-Country",
        "GeoLite2-Country\n",
        "DBIP-ASN-Lite (compat=GeoLite2-ASN)",
        "ipinfo",
        "ipinfo generic_asn_free.mmdb",
        "ipinfo standard_privacy.mmdb",
        "bundle_location_lite.mmdb",
        "IP2LITE-Country",
    ],
)
def test_unknown_types_are_refused_by_name(database_type: str) -> None:
    with pytest.raises(GeoDatabaseError) as refused:
        adapter_for(database_type, HERE)
    assert repr(database_type) in refused.value.what
    assert SUPPORTED in refused.value.mend
    assert refused.value.path == HERE


@pytest.mark.parametrize("code", ["EU", "AP", "A1", "A2", "T1", "XK", "UK", "gb", "United Kingdom", "ZZ"])
def test_codes_that_are_no_country(code: str) -> None:
    expected = GeoResult(status=GeoStatus.NOT_A_COUNTRY)
    assert adapted(NESTED[0], {"country": {"iso_code": code}}) == expected
    assert adapted(CODES[0], {"country_code": code}) == expected
    assert adapted(OLD[0], {"country": code}) == expected


def test_registered_and_represented_codes_that_are_no_country_are_left_out() -> None:
    record = {"registered_country": {"iso_code": "EU"}, "represented_country": {"iso_code": "xx"}}
    assert adapted(NESTED[0], record) == GeoResult(status=GeoStatus.NO_COUNTRY)


def test_a_registered_country_does_not_locate() -> None:
    result = adapted(NESTED[0], {"continent": {"code": "EU"}, "registered_country": {"iso_code": "FR"}})
    assert result == GeoResult(status=GeoStatus.NO_COUNTRY, registered_country="FR")


@pytest.mark.parametrize(
    "subdivisions", [[], {}, None, "QC", [None], [[]], [{}], [{"iso_code": c} for c in ("", "qc", "CA-QC", 5)]]
)
def test_subdivisions_that_cannot_be_said(subdivisions: object) -> None:
    result = adapted(NESTED[0], {"country": {"iso_code": "CA"}, "subdivisions": subdivisions})
    assert result == GeoResult(status=GeoStatus.LOCATED, country="CA")


def test_no_subdivision_without_a_country() -> None:
    assert adapted(NESTED[0], {"subdivisions": [{"iso_code": "QC"}]}).subdivision is None


def test_the_mark_of_a_network_is_read_beside_its_country() -> None:
    country = {"country": {"iso_code": "CA"}}
    assert adapted(NESTED[0], country | {"traits": {"is_anycast": True}}).network is NetworkKind.ANYCAST
    assert adapted(NESTED[0], country | {"traits": ["is_anycast"]}).network is None
    assert adapted(NESTED[0], country).network is None
    assert adapted(CODES[0], {"country_code": "CA", "is_anycast": True}).network is NetworkKind.ANYCAST
    assert adapted(CODES[0], {"country_code": "CA", "anycast": True}).network is None


def marked(database_type: str, record: object) -> NetworkKind | None:
    return mark_adapter_for(database_type, HERE)(record)


@pytest.mark.parametrize(
    "database_type", ["GeoIP2-Anonymous-IP", "GeoIP-Anonymous-IP", "GeoIP-Anonymous-Plus", "GeoIP2-IP-Risk"]
)
def test_anonymity_of_maxmind(database_type: str) -> None:
    assert marked(database_type, {"is_anonymous": True, "is_anonymous_vpn": True}) is NetworkKind.VPN
    assert marked(database_type, {"ip_risk": 85}) is None


@pytest.mark.parametrize("database_type", ["GeoIP-Residential-Proxy", "GeoIP2-Residential-Proxy"])
def test_every_network_of_a_database_of_residential_proxies_is_one(database_type: str) -> None:
    assert marked(database_type, {"anonymizer_confidence": 1}) is NetworkKind.RESIDENTIAL_PROXY
    assert marked(database_type, {}) is NetworkKind.RESIDENTIAL_PROXY


@pytest.mark.parametrize(
    "database_type",
    [
        "ipinfo standard_privacy.mmdb",
        "ipinfo privacy_detection_sample.mmdb",
        "ipinfo privacy_detection_extended_sample.mmdb",
        "ipinfo extended_privacy_v2.mmdb",
    ],
)
def test_anonymity_of_ipinfo(database_type: str) -> None:
    record = {"hosting": "true", "proxy": "", "relay": "true", "tor": "false", "vpn": "", "service": "a name"}
    assert marked(database_type, record) is NetworkKind.RELAY


@pytest.mark.parametrize("database_type", [*NESTED, *CODES, *OLD, "", "ipinfo", "GeoIP2-Anonymous-IPv6", "GeoIP2-ISP"])
def test_other_types_mark_nothing_and_are_refused(database_type: str) -> None:
    with pytest.raises(GeoDatabaseError) as refused:
        mark_adapter_for(database_type, HERE)
    assert repr(database_type) in refused.value.what
    assert SUPPORTED_ANONYMITY in refused.value.mend


@pytest.mark.parametrize("database_type", ["GeoIP2-Anonymous-IP", "GeoIP-Residential-Proxy", "ipinfo standard_privacy"])
@pytest.mark.parametrize("record", ["true", ["is_anonymous"], 1, True, None])
def test_a_record_of_another_shape_rules_nothing_out(database_type: str, record: object) -> None:
    assert marked(database_type, record) is NetworkKind.UNREADABLE


def test_equal_results_are_one_object() -> None:
    first, second = (adapted(NESTED[0], {"country": {"iso_code": "CA"}}) for _ in range(2))
    assert first is second


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just("CA"),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text()
            | st.sampled_from(
                ["country", "country_code", "iso_code", "subdivisions", "region_code", "registered_country", "traits"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(anything, st.sampled_from([NESTED[0], CODES[0], OLD[0]]))
def test_no_record_raises_and_no_result_leaves_iso_3166(record: object, database_type: str) -> None:
    result = adapted(database_type, record)
    assert (result.status is GeoStatus.LOCATED) == (result.country is not None)
    assert result.country is None or is_country(result.country)
    assert result.subdivision is None or is_jurisdiction(result.subdivision)


@pytest.mark.slow
@given(anything, st.sampled_from(["GeoIP2-Anonymous-IP", "GeoIP-Residential-Proxy", "ipinfo standard_privacy.mmdb"]))
def test_no_record_of_an_anonymity_database_raises(record: object, database_type: str) -> None:
    assert marked(database_type, record) in (None, *NetworkKind)
