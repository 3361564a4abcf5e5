"""What must hold of the law as data, whichever policy it goes into."""

from datetime import UTC, date, datetime

import pytest

from extproc.policy.document import Confidence
from extproc.policy.starter.fragments import PermitText, RegimeText, read_part, read_yaml, regime_texts
from extproc.policy.starter.places import catalogue_of
from extproc.policy.starter.presets import AREAS
from extproc.policy.starter.selection import PUBLIC_DATA

REGIMES = list(regime_texts().values())
PERMITS = [(regime, permit) for regime in REGIMES for permit in regime.permits]

NAMED = """
    eu-gdpr efta-gdpr fr-hds uk-gdpr ch-fadp cn-pipl hk-pdpo mo-pdpa ru-152fz in-dpdp br-lgpd kr-pipa jp-appi sg-pdpa
    au-privacy-act ca-pipeda ca-qc-law25 us-federal us-28cfr202 ae-pdpl ae-health ae-difc ae-adgm sa-pdpl tr-kvkk
    vn-pdpl id-gr71 id-pdp kz public-data
"""

DOUBTFUL = {
    "kz": "Digital Code",
    "jp-appi": "bill of 2026",
    "ae-pdpl": "executive regulations",
    "au-privacy-act": "Australian list",
    "fr-hds": "health-sector hosting laws",
    "vn-pdpl": "local copy",
}

LAST_KNOWN = date(2026, 9, 30)
"""What came later was not verified by anybody."""

every_regime = pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.id)
every_permit = pytest.mark.parametrize(
    ("regime", "permit"), PERMITS, ids=[f"{regime.id}.{permit.id}" for regime, permit in PERMITS]
)


def test_every_law_that_is_promised_is_there_and_in_an_area() -> None:
    assert set(regime_texts()) == set(NAMED.split())
    assert set(regime_texts()) == {name for area in AREAS.values() for name in area.regimes} | {PUBLIC_DATA}


@every_permit
def test_a_permit_can_be_looked_up_and_says_how_sure_it_is(regime: RegimeText, permit: PermitText) -> None:
    assert permit.data["cite"], regime.id
    checked = date.fromisoformat(permit.data["as_of"])
    assert checked <= min(LAST_KNOWN, datetime.now(UTC).date()), "nobody can have checked it then"
    assert permit.data["confidence"] in set(Confidence)


@every_permit
def test_a_transfer_is_off_until_it_is_declared_and_is_looked_at_again(regime: RegimeText, permit: PermitText) -> None:
    if permit.is_transfer:
        assert permit.mechanism is not None, regime.id
        assert permit.mechanism in read_yaml(read_part("mechanisms")), "it has no definition"
        assert permit.data["review_by"] > permit.data["as_of"]
    else:
        assert permit.data["basis"] in ("internal", "unrestricted")
        assert permit.mechanism is None


@every_regime
def test_what_was_not_verified_is_marked_and_says_what(regime: RegimeText) -> None:
    verified = regime.data.get("verified", True)
    note = regime.data.get("note", "")
    assert verified is (regime.id not in DOUBTFUL)
    if not verified:
        assert note.startswith("Not verified: ")
        assert DOUBTFUL[regime.id] in note


@every_regime
def test_a_regime_tells_a_reader_what_it_is_and_what_it_leaves_out(regime: RegimeText) -> None:
    assert regime.about.startswith("# ")
    if regime.id not in ("efta-gdpr", PUBLIC_DATA):
        assert "# Governs: " in regime.about
        assert "# Not covered: " in regime.about


@every_regime
def test_a_class_rule_names_permits_that_are_no_transfer(regime: RegimeText) -> None:
    home = {permit.id for permit in regime.permits if not permit.is_transfer}
    for data_class, only in regime.rules.items():
        assert set(only) <= home, data_class


@every_regime
def test_the_words_are_ours(regime: RegimeText) -> None:
    text = "".join([regime.about, regime.head, *(permit.text for permit in regime.permits)]).lower()
    for word in ("whitelist", "blacklist", "gdpr-compliant", "allowed countr", "safe countr", "todo"):
        assert word not in text


def test_the_pieces_make_the_file_again() -> None:
    for regime in REGIMES:
        rules = "".join(
            f"    {name}: {{only: [{', '.join(only)}], cite: {regime.rule_cites[name]}}}\n"
            for name, only in regime.rules.items()
        )
        tail = f"{regime.rules_comment}  class:\n{rules}" if regime.rules else ""
        text = regime.about + regime.head + "".join(permit.text for permit in regime.permits)
        assert read_yaml(text + regime.obligations + tail) == [regime.data]


def test_a_mechanism_that_is_defined_is_used() -> None:
    used = {permit.mechanism for _, permit in PERMITS} - {None}
    assert used == set(read_yaml(read_part("mechanisms")))


def test_china_russia_and_kazakhstan_let_nothing_out() -> None:
    for name, home in (("cn-pipl", "CN"), ("ru-152fz", "RU"), ("kz", "KZ"), ("mo-pdpa", "MO")):
        assert [permit.data["to"] for permit in regime_texts()[name].permits] == [home]


def test_the_american_rule_denies_places_and_operators_of_concern() -> None:
    (permit,) = regime_texts()["us-28cfr202"].permits
    covered = catalogue_of(AREAS).covered(permit.data["to"])
    refused = {place.id for place in catalogue_of(AREAS).places} - covered
    assert refused == {
        "cn-pek",
        "cn-sha",
        "hk-hkg",
        "hk-tko",
        "mo-cot",
        "mo-mfm",
        "ru-led",
        "ru-mow",
        "sg-tua",
        "us-sea",
    }


def test_no_transfer_reaches_an_operator_from_outside_the_places_it_names() -> None:
    catalogue = catalogue_of(AREAS)
    for regime, permit in PERMITS:
        if permit.data["basis"] == "safeguards":
            assert not catalogue.covered(permit.data["to"]) & {"us-sea", "sg-tua"}, f"{regime.id}.{permit.id}"


@pytest.mark.parametrize("area", AREAS)
def test_an_area_has_a_region_to_fail_over_to(area: str) -> None:
    assert len(catalogue_of([area]).places) > 1
