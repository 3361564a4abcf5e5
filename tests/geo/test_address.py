import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extproc.geo.address import _UNPLACED, is_locatable, parse_source_address


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("81.2.69.142:0", "81.2.69.142"),
        ("81.2.69.142:1", "81.2.69.142"),
        ("81.2.69.142:65535", "81.2.69.142"),
        ("81.2.69.142", "81.2.69.142"),
        ("[2001:218::1]:443", "2001:218::1"),
        ("[2001:218::1]:0", "2001:218::1"),
        ("[2001:218::1]", "2001:218::1"),
        ("2001:218::1", "2001:218::1"),
        ("2001:DB8::A", "2001:db8::a"),
        ("::", "::"),
        ("[::ffff:81.2.69.142]:443", "81.2.69.142"),
        ("::ffff:5102:458e", "81.2.69.142"),
        ("[64:ff9b::81.2.69.142]:443", "81.2.69.142"),
        ("64:ff9b::5102:458e", "81.2.69.142"),
        ("64:ff9b::10.0.0.1", "10.0.0.1"),
        ("64:ff9b:1::5102:458e", "64:ff9b:1::5102:458e"),  # a site's own prefix: where the IPv4 part is differs
        ("::81.2.69.142", "::5102:458e"),  # IPv4-compatible is not IPv4-mapped
        ("::fffe:81.2.69.142", "::fffe:5102:458e"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_source_address(text) == packed(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":0",
        "[",
        "]",
        "[]",
        "[]:0",
        "[:]",
        "localhost",
        "localhost:80",
        "/var/run/envoy.sock",
        "@envoy",
        "1",
        "1.2",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4\n",
        "1.2.3.4\x00",
        "\x00",
        "01.2.3.4",
        "0x1.2.3.4",
        "1.2.3.4/24",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:080",
        "1.2.3.4:00",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:1_0",
        "1.2.3.4:1:2",
        "1.2.3.4:٣",  # a digit of another script
        "1.2.3.4:" + "9" * 5_000,
        "１.2.3.4",  # noqa: RUF001
        "\ud800",
        "1.2.3.4:\ud800",
        "[1.2.3.4]:0",
        "[2001:218::1",
        "2001:218::1]",
        "[2001:218::1]443",
        "[2001:218::1]:",
        "[2001:218::1]:x",
        "[[2001:218::1]]:1",
        "[2001:218::1] :1",
        "2001:218::1::",
        "2001:218:::1",
        "fe80::1%eth0",
        "[fe80::1%eth0]:443",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
    ],
)
def test_what_is_not_an_address(text: str) -> None:
    assert parse_source_address(text) is None


@given(st.text())
@example("\x00:0")
def test_no_text_raises(text: str) -> None:
    for form in (text, f"{text}:0", f"[{text}]:0", f"1.2.3.4:{text}", f"[::1]{text}"):
        found = parse_source_address(form)
        assert found is None or len(found) in (4, 16)


@given(st.text(alphabet="0123456789abcdef.:[]%", max_size=45))
def test_near_addresses_agree_with_ipaddress(text: str) -> None:
    found = parse_source_address(text)
    try:
        expected = ipaddress.ip_address(text)
    except ValueError:
        # What only we take has a port or brackets.
        assert found is None or "]" in text or text.count(":") == 1
        return
    if isinstance(expected, IPv6Address) and expected.scope_id is not None:
        assert found is None
    elif isinstance(expected, IPv6Address) and expected.ipv4_mapped:
        assert found == expected.ipv4_mapped.packed
    elif expected not in ipaddress.ip_network("64:ff9b::/96"):
        assert found == expected.packed


EDGES = sorted(
    {
        (version, number)
        for network in map(ipaddress.ip_network, _UNPLACED)
        for version in [network.version]
        for edge in (int(network.network_address), int(network.broadcast_address))
        for number in (edge - 1, edge, edge + 1)
        if 0 <= number < 1 << network.max_prefixlen
    }
)

addresses = (
    st.ip_addresses()
    | st.sampled_from(EDGES).map(lambda edge: (IPv4Address if edge[0] == 4 else IPv6Address)(edge[1]))
    | st.integers(0x2000 << 112, (0x2004 << 112) - 1).map(IPv6Address)
)


def reference(address: IPv4Address | IPv6Address) -> bool:
    """Say the same slowly, by the standard library's networks."""
    return not any(address in network for network in map(ipaddress.ip_network, _UNPLACED))


@given(addresses)
def test_locatable_agrees_with_a_slow_reference(address: IPv4Address | IPv6Address) -> None:
    assert is_locatable(address.packed) == reference(address)


@given(addresses)
def test_nothing_that_is_not_global_is_locatable(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not is_locatable(address.packed)


@pytest.mark.parametrize("number", EDGES)
def test_every_edge(number: tuple[int, int]) -> None:
    address = (IPv4Address if number[0] == 4 else IPv6Address)(number[1])
    assert is_locatable(address.packed) == reference(address)


# By hand and not from the table, so that a row lost from it shows.
@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.88.99.2",
        "192.168.1.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "233.252.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::81.2.69.142",
        "::ffff:0:81.2.69.142",  # IPv4-translated
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:1::1",
        "2001:1::3",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:db8::1",
        "2002:5102:458e::1",
        "2620:4f:8000::1",
        "3ffe::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_without_a_place(address: str) -> None:
    assert not is_locatable(packed(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:218::1",
        "2003::1",
        "2620:4f:8001::1",
        "2a00::1",
        "2c0f:ffff::1",
    ],
)
def test_addresses_with_a_place(address: str) -> None:
    assert is_locatable(packed(address))


@pytest.mark.parametrize("length", [0, 1, 3, 5, 15, 17])
def test_other_lengths_are_not_addresses(length: int) -> None:
    assert not is_locatable(b"\x08" * length)
