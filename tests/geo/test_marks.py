import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.geo.marks import ipinfo_mark, ipinfo_privacy_mark, maxmind_mark
from extproc.geo.network import NetworkKind, strongest

# By hand and not from the tables, so that a row lost from them shows.
MAXMIND: list[tuple[dict[str, object], NetworkKind | None]] = [
    ({"is_anonymous": True}, NetworkKind.ANONYMOUS),
    ({"is_anonymous": True, "is_anonymous_vpn": True}, NetworkKind.VPN),
    ({"is_anonymous": True, "is_anonymous_vpn": True, "is_tor_exit_node": True}, NetworkKind.TOR),
    ({"is_anonymous": True, "is_public_proxy": True}, NetworkKind.PROXY),
    ({"is_anonymous": True, "is_residential_proxy": True, "is_public_proxy": True}, NetworkKind.RESIDENTIAL_PROXY),
    # A data centre is counted among the anonymous networks, and still nobody is said to hide there …
    ({"is_anonymous": True, "is_hosting_provider": True}, NetworkKind.HOSTING),
    # … until the vendor names who sells anonymity from it, or how sure it is of that.
    ({"is_anonymous": True, "is_hosting_provider": True, "provider_name": "foo"}, NetworkKind.VPN),
    ({"is_anonymous": True, "is_hosting_provider": True, "anonymizer_confidence": 30}, NetworkKind.VPN),
    ({"is_hosting_provider": True, "is_anycast": True}, NetworkKind.ANYCAST),
    ({"is_anonymous_proxy": True}, NetworkKind.PROXY),
    ({"is_satellite_provider": True}, NetworkKind.SATELLITE),
    ({"is_legitimate_proxy": True}, None),  # a company's own
    ({"is_in_european_union": True}, None),
    ({}, None),
]
IPINFO: list[tuple[dict[str, object], NetworkKind | None]] = [
    ({"vpn": True, "hosting": True}, NetworkKind.VPN),
    ({"tor": True, "vpn": True}, NetworkKind.TOR),
    ({"proxy": True}, NetworkKind.PROXY),
    ({"res_proxy": True, "proxy": True}, NetworkKind.RESIDENTIAL_PROXY),
    ({"relay": True, "hosting": True}, NetworkKind.RELAY),
    # Here "anonymous" does not include hosting, so both together are more than hosting.
    ({"anonymous": True, "hosting": True}, NetworkKind.ANONYMOUS),
    ({"satellite": True}, NetworkKind.SATELLITE),
    ({"anycast": True, "hosting": True}, NetworkKind.ANYCAST),
    ({"hosting": True}, NetworkKind.HOSTING),
    ({"mobile": True, "service": "a name"}, None),
]


@pytest.mark.parametrize(("record", "kind"), MAXMIND)
def test_maxmind(record: dict[str, object], kind: NetworkKind | None) -> None:
    assert maxmind_mark(record) is kind


@pytest.mark.parametrize(("record", "kind"), IPINFO)
def test_ipinfo(record: dict[str, object], kind: NetworkKind | None) -> None:
    assert ipinfo_privacy_mark(record) is kind
    of_places = {f"is_{name}": value for name, value in record.items()}
    assert ipinfo_mark(of_places) is kind
    assert ipinfo_mark(record) is None
    assert ipinfo_privacy_mark(of_places) is None


@pytest.mark.parametrize("unset", [False, None, "", "false", 0])
def test_false_is_written_in_many_ways(unset: object) -> None:
    assert ipinfo_privacy_mark({"vpn": unset, "hosting": "true"}) is NetworkKind.HOSTING


@pytest.mark.parametrize("odd", [True, "true", 1, "1", "yes", "TRUE", {}, [], b"", 0.5])
def test_what_is_not_false_counts_as_set(odd: object) -> None:
    assert ipinfo_privacy_mark({"vpn": odd}) is NetworkKind.VPN


@pytest.mark.parametrize("record", [None, True, "tor", ["tor"], 5])
def test_what_is_no_map_has_no_mark(record: object) -> None:
    assert maxmind_mark(record) is None


@given(st.dictionaries(st.sampled_from(sorted({name for record, _ in IPINFO for name in record})), st.booleans()))
def test_the_mark_is_the_strongest_of_those_set(record: dict[str, bool]) -> None:
    alone = [ipinfo_privacy_mark({name: value}) for name, value in record.items()]
    assert ipinfo_privacy_mark(record) is strongest(*alone)


kinds = st.none() | st.sampled_from(NetworkKind)


@given(kinds, kinds)
def test_no_mark_is_weakened_by_another(first: NetworkKind | None, second: NetworkKind | None) -> None:
    both = strongest(first, second)
    assert both in (first, second)
    assert both is strongest(second, first)
    assert (both is None) == (first is None and second is None)
    assert strongest(first, None) is first
    for kind in (first, second):
        assert kind is None or not kind.hides_place or (both is not None and both.hides_place)


def test_only_hosting_leaves_a_place_to_be_believed() -> None:
    assert [kind for kind in NetworkKind if not kind.hides_place] == [NetworkKind.HOSTING]
