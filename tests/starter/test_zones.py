"""The built-in zones: three lists of adequate countries, and what is in none of them."""

from datetime import date

import pytest

from extproc.core.iso3166 import is_country
from extproc.policy.document import ZoneId, ZoneMember
from extproc.policy.zones import BUILTIN_ZONES

EU27 = set("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split())
OUTERMOST = set("GP GF MQ RE YT MF AX".split())
EFTA = {"IS", "LI", "NO"}
NOT_EU = set("GL NC PF TF WF PM BL AW CW SX BQ FO GI IM JE GG MC SM VA AD".split())
PRE_BREXIT = set("AD AR CA FO GG IL IM JE NZ CH UY".split())


def _members(zone: str) -> dict[str, ZoneMember]:
    return {str(member.code): member for member in BUILTIN_ZONES[ZoneId(zone)].members}


def test_the_union_and_the_economic_area() -> None:
    assert set(_members("EU")) == EU27 | OUTERMOST
    assert set(_members("EEA")) == EU27 | OUTERMOST | EFTA
    assert not NOT_EU & set(_members("EEA"))


def test_what_the_commission_found_adequate() -> None:
    assert set(_members("EU_ADEQUATE")) == PRE_BREXIT | {"JP", "KR", "GB", "BR"}


def test_what_the_united_kingdom_holds_adequate() -> None:
    assert set(_members("UK_ADEQUATE")) == EU27 | OUTERMOST | EFTA | PRE_BREXIT | {"GI", "JP", "KR"}


def test_what_switzerland_lists() -> None:
    assert set(_members("CH_ADEQUATE")) == EU27 | OUTERMOST | EFTA | (PRE_BREXIT - {"CH"}) | {"GB", "GI", "MC"}


def test_the_united_states_is_in_no_list() -> None:
    assert all("US" not in _members(zone) for zone in BUILTIN_ZONES)


def test_countries_of_concern_take_hong_kong_and_macau_with_them() -> None:
    assert set(_members("US_CONCERN")) == {"CN", "HK", "MO", "RU", "IR", "KP", "CU", "VE"}


def test_decisions_that_begin_or_end_say_so() -> None:
    members = _members("EU_ADEQUATE")
    assert members["GB"].valid_until == date(2031, 12, 27)
    assert members["BR"].valid_from == date(2026, 1, 26)
    assert members["JP"].cite == "Dec. (EU) 2019/419"
    assert members["KR"].cite == "Dec. (EU) 2022/254"


@pytest.mark.parametrize("zone", BUILTIN_ZONES)
def test_every_member_is_a_country_with_its_source_once(zone: ZoneId) -> None:
    members = BUILTIN_ZONES[zone].members
    codes = [member.code for member in members]
    assert codes == sorted(set(codes))
    assert all(is_country(code) for code in codes)
    assert all(member.cite for member in members)
    assert BUILTIN_ZONES[zone].builtin
