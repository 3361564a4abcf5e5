from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.facts import Signal, Source, Tier
from extproc.core.georules import GeoRules
from extproc.core.ids import Jurisdiction
from extproc.geo import AnonymityDatabase, GeoDatabase, GeoResult, GeoStatus, NetworkKind, geolocate, signals_of
from extproc.geo.signal import DETAILS

WriteDatabase = Callable[..., Path]
BUILT = 1_700_000_000
STRICT = GeoRules()
ALL = GeoRules(locate_anonymous=True, registered=True, represented=True)


def signal(place: str | None, detail: str = "", source: Source = Source.GEOIP) -> Signal:
    jurisdiction = None if place is None else Jurisdiction(place)
    return Signal(source=source, tier=Tier.TRUSTED_EDGE, jurisdiction=jurisdiction, detail=detail)


def located(country: str, **fields: object) -> GeoResult:
    return GeoResult(status=GeoStatus.LOCATED, country=country, **fields)  # type: ignore[arg-type]


def test_a_located_address_gives_one_signal() -> None:
    assert signals_of(located("DE"), rules=STRICT) == (signal("DE"),)
    assert signals_of(located("CA", subdivision="CA-QC"), rules=STRICT) == (signal("CA-QC"),)


@pytest.mark.parametrize("status", [status for status in GeoStatus if status is not GeoStatus.LOCATED])
@pytest.mark.parametrize("network", [None, NetworkKind.VPN, NetworkKind.HOSTING])
def test_an_unknown_place_says_why(status: GeoStatus, network: NetworkKind | None) -> None:
    assert signals_of(GeoResult(status=status), rules=ALL, network=network) == (signal(None, status.value),)


@pytest.mark.parametrize(
    ("network", "detail"),
    [
        (NetworkKind.TOR, "anonymous_tor"),
        (NetworkKind.VPN, "anonymous_vpn"),
        (NetworkKind.PROXY, "anonymous_proxy"),
        (NetworkKind.RESIDENTIAL_PROXY, "anonymous_residential_proxy"),
        (NetworkKind.RELAY, "anonymous_relay"),
        (NetworkKind.ANONYMOUS, "anonymous"),
        (NetworkKind.SATELLITE, "satellite"),
        (NetworkKind.ANYCAST, "anycast"),
        (NetworkKind.UNREADABLE, "anonymity_unreadable"),
    ],
)
def test_a_network_that_hides_its_users_has_no_place_unless_the_policy_believes_it(
    network: NetworkKind, detail: str
) -> None:
    believing = GeoRules(locate_anonymous=True)
    assert signals_of(located("DE"), rules=STRICT, network=network) == (signal(None, detail),)
    assert signals_of(located("DE"), rules=believing, network=network) == (signal("DE", detail),)
    # The mark of the database of places itself counts alike.
    assert signals_of(located("DE", network=network), rules=STRICT) == (signal(None, detail),)


def test_a_data_centre_has_a_place_and_the_record_says_so() -> None:
    assert signals_of(located("DE"), rules=STRICT, network=NetworkKind.HOSTING) == (signal("DE", "hosting"),)


def test_the_stronger_mark_counts() -> None:
    result = located("DE", network=NetworkKind.ANYCAST)
    assert signals_of(result, rules=STRICT, network=NetworkKind.HOSTING) == (signal(None, "anycast"),)
    assert signals_of(result, rules=STRICT, network=NetworkKind.TOR) == (signal(None, "anonymous_tor"),)


def test_every_kind_has_a_code_of_its_own() -> None:
    assert set(DETAILS) == set(NetworkKind)
    assert len(set(DETAILS.values())) == len(NetworkKind)
    assert not set(DETAILS.values()) & {status.value for status in GeoStatus}


REGISTERED = signal("FR", source=Source.GEOIP_REGISTERED)
REPRESENTED = signal("US", source=Source.GEOIP_REPRESENTED)


@pytest.mark.parametrize(
    ("rules", "further"),
    [
        (STRICT, ()),
        (GeoRules(registered=True), (REGISTERED,)),
        (GeoRules(represented=True), (REPRESENTED,)),
        (ALL, (REGISTERED, REPRESENTED)),
    ],
)
def test_further_countries_count_only_where_the_policy_says_so(rules: GeoRules, further: tuple[Signal, ...]) -> None:
    result = located("DE", registered_country="FR", represented_country="US")
    assert signals_of(result, rules=rules) == (signal("DE"), *further)


def test_further_countries_count_only_where_they_differ_from_the_located_one() -> None:
    same = located("CA", subdivision="CA-QC", registered_country="CA", represented_country="CA")
    assert signals_of(same, rules=ALL) == (signal("CA-QC"),)


def test_further_countries_do_not_place() -> None:
    result = GeoResult(status=GeoStatus.NO_COUNTRY, registered_country="FR")
    assert signals_of(result, rules=ALL) == (signal(None, "no_country"), REGISTERED)


codes = st.none() | st.sampled_from(["DE", "FR", "US"])
networks = st.none() | st.sampled_from(NetworkKind)
rules = st.builds(GeoRules, locate_anonymous=st.booleans(), registered=st.booleans(), represented=st.booleans())


@given(codes, codes, codes, networks, networks, rules)
def test_the_main_signal_is_first_and_the_others_only_add(  # noqa: PLR0913, PLR0917 - what a result consists of
    country: str | None,
    registered: str | None,
    represented: str | None,
    own: NetworkKind | None,
    other: NetworkKind | None,
    rules: GeoRules,
) -> None:
    result = GeoResult(
        status=GeoStatus.NOT_FOUND if country is None else GeoStatus.LOCATED,
        country=country,
        registered_country=registered,
        represented_country=represented,
        network=own,
    )
    main, *further = signals_of(result, rules=rules, network=other)
    assert main.source is Source.GEOIP
    assert main.jurisdiction in (None, country)
    assert main.jurisdiction is not None or main.detail
    for signal in further:
        assert signal.source in (Source.GEOIP_REGISTERED, Source.GEOIP_REPRESENTED)
        assert signal.jurisdiction not in (None, country)
    # Neither a further rule nor a further mark adds a place that was not there.
    bare, *_ = signals_of(result, rules=GeoRules(locate_anonymous=rules.locate_anonymous))
    assert main.jurisdiction in (None, bare.jurisdiction)


@pytest.fixture(scope="module")
def places(write_database: WriteDatabase) -> Iterator[GeoDatabase]:
    database = GeoDatabase.load(write_database(build_epoch=BUILT), apart=False)
    yield database
    database.close()


@pytest.fixture(scope="module")
def hidden(write_database: WriteDatabase) -> Iterator[AnonymityDatabase]:
    networks = {"81.2.69.128/25": {"is_anonymous": True, "is_anonymous_vpn": True}}
    path = write_database(networks, database_type="GeoIP2-Anonymous-IP", build_epoch=BUILT - 100)
    database = AnonymityDatabase.load(path, apart=False)
    yield database
    database.close()


def test_the_whole_way(places: GeoDatabase, hidden: AnonymityDatabase) -> None:
    def of(address: str, rules: GeoRules = STRICT, anonymity: AnonymityDatabase | None = hidden) -> tuple[Signal, ...]:
        return geolocate(address, now_s=BUILT, rules=rules, database=places, anonymity=anonymity)

    assert of("81.2.69.1:0") == (signal("GB"),)
    assert of("81.2.69.142:0") == (signal(None, "anonymous_vpn"),)
    assert of("81.2.69.142:0", GeoRules(locate_anonymous=True)) == (signal("GB", "anonymous_vpn"),)
    assert of("81.2.69.142:0", anonymity=None) == (signal("GB"),)
    assert of("24.48.0.1:0", ALL) == (signal("CA-QC"), signal("US", source=Source.GEOIP_REGISTERED))
    assert of("214.1.1.1:0", ALL) == (signal("DE"), signal("US", source=Source.GEOIP_REPRESENTED))
    assert of("10.0.0.1:0") == (signal(None, "not_locatable"),)
    assert of("") == (signal(None, "unparsable"),)


def test_without_a_database_nobody_is_placed(hidden: AnonymityDatabase) -> None:
    assert geolocate("81.2.69.1", now_s=BUILT, rules=ALL, database=None, anonymity=hidden) == (
        signal(None, "not_configured"),
    )


@pytest.mark.parametrize(
    ("max_age_s", "age_s", "detail"),
    [
        (None, 1e9, ""),
        (100.0, 100.0, ""),
        (100.0, 100.5, "database_too_old"),
        (0.0, 0.0, ""),
        (0.0, -50.0, ""),  # a clock that is behind
    ],
)
def test_a_database_that_is_too_old_places_nobody(
    places: GeoDatabase, max_age_s: float | None, age_s: float, detail: str
) -> None:
    rules = GeoRules(max_age_s=max_age_s, registered=True)
    signals = geolocate("24.48.0.1", now_s=BUILT + age_s, rules=rules, database=places, anonymity=None)
    if detail:
        assert signals == (signal(None, detail),)
    else:
        assert signals == (signal("CA-QC"), signal("US", source=Source.GEOIP_REGISTERED))


def test_an_anonymity_database_that_is_too_old_rules_nothing_out(
    places: GeoDatabase, hidden: AnonymityDatabase
) -> None:
    def main(rules: GeoRules) -> Signal:
        return geolocate("81.2.69.1", now_s=BUILT + 10, rules=rules, database=places, anonymity=hidden)[0]

    assert main(GeoRules(max_age_s=200.0)) == signal("GB")
    assert main(GeoRules(max_age_s=50.0)) == signal(None, "anonymity_database_too_old")
    assert main(GeoRules(max_age_s=50.0, locate_anonymous=True)) == signal("GB")
