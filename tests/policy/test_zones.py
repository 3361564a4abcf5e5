"""The zones that the program ships: which places are in them on which day."""

from datetime import date

import pytest

from extproc.core.iso3166 import is_jurisdiction
from extproc.policy import parse_policy
from extproc.policy.document import ZoneId
from extproc.policy.zones import BUILTIN_ZONES

OUTSIDE = "GL NC PF TF WF PM BL AW CW SX BQ FO GI IM JE GG MC SM VA AD".split()
EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE GP GF MQ RE YT MF AX".split()


def _codes(zone: str, day: date = date(2026, 11, 21)) -> set[str]:
    return {
        str(member.code)
        for member in BUILTIN_ZONES[ZoneId(zone)].members
        if (member.valid_from is None or member.valid_from <= day)
        and (member.valid_until is None or day <= member.valid_until)
    }


def test_the_union_is_its_members_with_the_regions_that_have_codes_of_their_own() -> None:
    assert _codes("EU") == set(EU)
    assert _codes("EEA") == {*EU, "IS", "LI", "NO"}
    assert not (_codes("EEA") & {*OUTSIDE, "GB", "CH", "US"})


def test_the_three_adequacy_lists_are_three_lists() -> None:
    assert _codes("EU_ADEQUATE") == set("AD AR CA CH FO GB GG IL IM JE NZ UY JP KR BR".split())
    assert _codes("UK_ADEQUATE") == {*EU, *"IS LI NO GI AD AR CA CH FO GG IL IM JE JP NZ UY KR".split()}
    assert _codes("CH_ADEQUATE") == {*EU, *"IS LI NO GB AD AR CA FO GG GI IL IM JE MC NZ UY".split()}
    assert not any("US" in _codes(zone) for zone in ("EU_ADEQUATE", "UK_ADEQUATE", "CH_ADEQUATE"))


def test_members_come_and_go_on_their_days() -> None:
    assert "BR" not in _codes("EU_ADEQUATE", date(2026, 1, 25))
    assert "BR" in _codes("EU_ADEQUATE", date(2026, 1, 26))
    assert "GB" in _codes("EU_ADEQUATE", date(2031, 12, 27))
    assert "GB" not in _codes("EU_ADEQUATE", date(2031, 12, 28))


def test_the_countries_of_concern() -> None:
    assert _codes("US_CONCERN") == {"CN", "HK", "MO", "CU", "IR", "KP", "RU", "VE"}


@pytest.mark.parametrize("zone", BUILTIN_ZONES)
def test_each_zone_can_be_written_and_cites_each_member(zone: str) -> None:
    members = BUILTIN_ZONES[ZoneId(zone)].members
    assert all(member.cite and is_jurisdiction(member.code) for member in members)
    assert [member.code for member in members] == sorted({member.code for member in members})
    text = f"""
apiVersion: situs/v1
policy: {{id: a, version: 1, as_of: 2026-01-01, review_by: 2026-01-01, profile: hybrid}}
ingress: {{region: r, edge: direct}}
classes: [personal]
zones: {{{zone}: builtin}}
regions: {{r: {{country: DE, models: {{m: {{}}}}}}}}
regimes: [{{id: law, when: {{subject_in: {zone}}}, permits: []}}]
tenants: {{all: {{match: anonymous, class: personal}}}}
signals: {{geoip: {{}}}}
"""
    assert parse_policy(text).zones[ZoneId(zone)].members == members
