import pytest

from extproc.core.iso3166 import COUNTRIES, is_country, is_jurisdiction


def test_there_are_249_countries_of_two_capital_letters() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isalpha() and code.isupper() for code in COUNTRIES)


# The starter regimes name these; a policy must be able to.
@pytest.mark.parametrize(
    "codes",
    [
        "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE",
        "IS LI NO GP GF MQ RE YT MF AX",
        "GL NC PF TF WF PM BL AW CW SX BQ FO GI IM JE GG MC SM VA AD",
        "AR CA IL NZ CH UY JP KR GB US BR CN HK MO RU IN SG AU IR KP CU VE AE SA TR VN ID KZ",
    ],
)
def test_places_that_regimes_name_are_countries(codes: str) -> None:
    assert [code for code in codes.split() if not is_country(code)] == []


# Reserved, left to users, or withdrawn: databases and people use them, the standard does not assign them.
@pytest.mark.parametrize("code", "EU UK XK AP A1 A2 T1 T2 O1 ZZ XX AN SU YU EL FX AC TA".split(" "))
def test_codes_that_the_standard_does_not_assign(code: str) -> None:
    assert not is_country(code)
    assert not is_jurisdiction(code)
    assert not is_jurisdiction(f"{code}-QC")


@pytest.mark.parametrize("code", ["CA", "CA-QC", "US-CA", "GB-ENG", "FR-75C", "FR-2A", "AT-9", "CN-11", "AE-DU"])
def test_jurisdictions(code: str) -> None:
    assert is_jurisdiction(code)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "C",
        "ca",
        "Ca",
        "CAN",
        "CA ",
        "CA\n",
        "CA-",
        "CA-QC\n",
        "CA-qc",
        "ca-QC",
        "CA_QC",
        "CAQC",
        "CA-QUEB",
        "CA-Q C",
        "CA-QC-1",
        "-QC",
        "CA-٣",  # a digit of another script
        "СА-QC",  # Cyrillic letters  # noqa: RUF001
    ],
)
def test_not_jurisdictions(code: str) -> None:
    assert not is_jurisdiction(code)
    assert not is_country(code)
