"""International bank account numbers, by country, length and check digits.

SPEC: ISO 13616-1; the lengths are those of the IBAN registry that SWIFT keeps, release 99.
"""

from typing import Final

from extproc.detect.candidates import Candidates, signs_of
from extproc.detect.check_digits import mod_97_10

LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""Characters of a number by ISO 3166 country, with country and check digits."""

_GROUP: Final = 4
_COUNTRIES: Final = "|".join(sorted(LENGTHS))
_BEGINNINGS: Final = Candidates(
    # The length of the shortest: together, or in groups of four with a space or a dash between them.
    rf"(?i:{_COUNTRIES})[0-9]{{2}}(?i:[A-Z0-9]{{11,29}}|(?:[ -][A-Z0-9]{{4}}){{2}}[ -][A-Z0-9]{{3,4}})"
)


def has_iban(text: bytes) -> bool:
    """Tell whether the text holds an IBAN. Raises TooManyError."""
    return any(_is_iban(text, start) for start, _ in _BEGINNINGS.find(text))


def _is_iban(text: bytes, start: int) -> bool:
    length = LENGTHS[text[start : start + 2].decode().upper()]
    in_groups = text[start + _GROUP] in b" -"
    end = start + length + ((length - 1) // _GROUP if in_groups else 0)
    if text[end : end + 1].isalnum():
        return False
    number = signs_of(text[start:end])
    return len(number) == length and number.isalnum() and mod_97_10(number[_GROUP:] + number[:_GROUP])
