from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.geo import AnonymityDatabase, GeoDatabaseError, NetworkKind

WriteDatabase = Callable[..., Path]

NETWORKS: dict[str, object] = {
    "81.2.69.0/24": {"is_anonymous": True, "is_anonymous_vpn": True},
    "65.0.0.0/16": {"is_anonymous": True, "is_tor_exit_node": True},
    "71.160.223.0/24": {"is_anonymous": True, "is_hosting_provider": True},
    "10.0.0.0/8": {"is_anonymous": True, "is_public_proxy": True},
    "2001:480:10::/48": {"is_anonymous": True, "is_public_proxy": True},
    "46.16.0.0/16": {"network_last_seen": "2026-11-01"},
    "46.17.0.0/16": ["is_anonymous"],
}


@pytest.fixture(scope="module")
def path(write_database: WriteDatabase) -> Path:
    return write_database(NETWORKS, database_type="GeoIP2-Anonymous-IP", build_epoch=1_700_000_000)


@pytest.fixture(scope="module")
def opened(path: Path) -> Iterator[AnonymityDatabase]:
    database = AnonymityDatabase.load(path)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("81.2.69.142:0", NetworkKind.VPN),
        ("[::ffff:81.2.69.142]:443", NetworkKind.VPN),
        ("[64:ff9b::81.2.69.142]:443", NetworkKind.VPN),
        ("65.0.255.1", NetworkKind.TOR),
        ("71.160.223.1:1", NetworkKind.HOSTING),
        ("[2001:480:10::1]:1", NetworkKind.PROXY),
        ("46.16.0.1:0", None),
        ("46.17.0.1:0", NetworkKind.UNREADABLE),
        ("9.9.9.9:0", None),
        ("[2a00::1]:0", None),
        ("10.0.0.1:0", None),  # has no place, so nobody asks
        ("[2002:5102:458e::1]:0", None),
        ("", None),
        ("/run/envoy.sock", None),
    ],
)
def test_marks(opened: AnonymityDatabase, address: str, kind: NetworkKind | None) -> None:
    assert opened.marks(address) is kind
    assert opened.marks(address) is kind
    assert opened.unreadable == 0


@given(st.text() | st.ip_addresses().map(str))
def test_no_text_raises(opened: AnonymityDatabase, text: str) -> None:
    assert opened.marks(text) in (None, *NetworkKind)


def test_identity_and_age(opened: AnonymityDatabase, path: Path) -> None:
    assert opened.identity.sha256 == sha256(path.read_bytes()).hexdigest()
    assert opened.identity.database_type == "GeoIP2-Anonymous-IP"
    assert opened.age_s(1_700_000_060.0) == 60.0


def test_after_close_nothing_is_harmless(path: Path) -> None:
    database = AnonymityDatabase.load(path, apart=False)
    assert database.marks("9.9.9.9") is None
    database.close()
    database.close()
    assert database.marks("9.9.9.9") is NetworkKind.UNREADABLE
    assert database.unreadable == 1


def test_a_damaged_record_is_not_harmless_and_not_kept(write_database: WriteDatabase) -> None:
    networks: dict[str, object] = {
        f"1.{n >> 8}.{n & 255}.0/24": {"is_anonymous": True, "provider_name": f"name{n % 2}"} for n in range(1_500)
    }
    path = write_database(networks | {"81.2.69.0/24": {"is_tor_exit_node": "XY"}}, database_type="GeoIP-Anonymous-Plus")
    content = path.read_bytes()
    assert content.count(b"\x42XY") == 1
    path.write_bytes(content.replace(b"\x42XY", b"\x42\xff\xff"))
    database = AnonymityDatabase.load(path, apart=False)
    for lookups in (1, 2):
        assert database.marks("81.2.69.142:0") is NetworkKind.UNREADABLE
        assert database.unreadable == lookups
    database.close()


def refusal(path: Path, **options: object) -> GeoDatabaseError:
    with pytest.raises(GeoDatabaseError) as refused:
        AnonymityDatabase.load(path, apart=False, **options)  # type: ignore[arg-type]
    assert refused.value.path == path
    return refused.value


def test_a_database_of_places_is_refused(city: Path) -> None:
    error = refusal(city)
    assert "'GeoLite2-City' is not one of anonymous networks" in error.what
    assert "Anonymous Plus" in error.mend


def test_a_database_that_marks_nothing_is_refused(write_database: WriteDatabase) -> None:
    path = write_database({"81.2.69.0/24": {"renamed": True}}, database_type="GeoIP2-Anonymous-IP")
    error = refusal(path)
    assert "gives no mark in its first 1024 networks (only no mark)" in error.what


def test_age_and_future(path: Path) -> None:
    assert "before 1700000001" in refusal(path, not_older_than=1_700_000_001).what
    assert "in the future" in refusal(path, now_s=1_600_000_000.0).what
