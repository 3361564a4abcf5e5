"""What a number of each state must fulfil. All take its digits and capital letters, without anything between them.

That the signs are of the right kind and number is seen to by the patterns of :mod:`extproc.detect.national_id`, where
the sources are named too.
"""

from datetime import date
from typing import Final

from extproc.detect.check_digits import luhn, mod_11_2, mod_11_10, verhoeff, weighted

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CURP_SIGNS: Final = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_CF_ODD: Final = "BAKPLCQDREVOSFTGUHMINJWZYX"
"""Letters by their value in an odd place; digits have the value of the letter at their place in the alphabet.

SPEC: D.M. 23 dicembre 1976.
"""
_NRIC_LETTERS: Final = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT"}
_PESEL_CENTURIES: Final = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}


def is_us_ssn(digits: str) -> bool:
    """Tell whether it is an SSN, or an ITIN, which begins with 9.

    SPEC: SSA POMS RM 10201.035; IRS Publication 1915.
    """
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area[0] == "9":
        return int(group) in (*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100))
    return area not in {"000", "666"} and group != "00" and serial != "0000"


def is_uk_nino(text: str) -> bool:
    """Tell whether it is a National Insurance number, by the letters that are given out."""
    first, second = text[0], text[1]
    return (
        first not in "DFIQUV" and second not in "DFIQUVO" and text[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
    )


def is_canadian_sin(digits: str) -> bool:
    """Tell whether it is a Social Insurance Number."""
    return luhn(digits)


def is_french_nir(text: str) -> bool:
    """Tell whether it is a numéro d'inscription au répertoire, with its key; 2A and 2B are Corsica."""
    month = int(text[3:5])
    if not (1 <= month <= 12 or 20 <= month <= 42 or 50 <= month <= 99):  # noqa: PLR2004 - months, and unknown ones
        return False
    place = text[5:7]
    number = text[:5] + {"2A": "19", "2B": "18"}.get(place, place) + text[7:13]
    return number.isdecimal() and place != "00" and 97 - int(number) % 97 == int(text[13:])


def is_spanish_dni(text: str) -> bool:
    """Tell whether it is a DNI, or an NIE (which begins with X, Y or Z)."""
    number = {"X": "0", "Y": "1", "Z": "2"}.get(text[0], text[0]) + text[1:-1]
    return _DNI_LETTERS[int(number) % 23] == text[-1]


def is_italian_cf(text: str) -> bool:
    """Tell whether it is a codice fiscale of a person; letters in place of digits (omocodia) count like others."""
    values = [int(sign) if sign.isdecimal() else _LETTERS.index(sign) for sign in text[:15]]
    odd = sum(_CF_ODD.index(_LETTERS[value]) for value in values[::2])
    return _LETTERS[(odd + sum(values[1::2])) % 26] == text[15]


def is_german_tax_id(digits: str) -> bool:
    """Tell whether it is a Steuer-ID: of its first ten digits one is there twice or thrice, the others once."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    return counts[-1] in {2, 3} and counts[-2] == 1 and mod_11_10(digits)


def is_polish_pesel(digits: str) -> bool:
    """Tell whether it is a PESEL: a date whose month tells the century, and a check digit."""
    century = _PESEL_CENTURIES.get(int(digits[2]) // 2)
    if century is None or not _is_day(century + int(digits[:2]), int(digits[2:4]) % 20, int(digits[4:6])):
        return False
    return weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def is_dutch_bsn(digits: str) -> bool:
    """Tell whether it is a burgerservicenummer: the elfproef with minus one for the last digit."""
    return digits != "000000000" and weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def is_swedish_personnummer(digits: str) -> bool:
    """Tell whether it is a personnummer, or a samordningsnummer (60 more in its day)."""
    short = digits[-10:]
    day = int(short[4:6])
    # The century is not known without its digits; 2000 was a leap year.
    year = int(digits[:4]) if len(digits) > len(short) else 2000 + int(short[:2])
    return _is_day(year, int(short[2:4]), day - 60 if day > 60 else day) and luhn(short)  # noqa: PLR2004


def is_finnish_hetu(text: str) -> bool:
    """Tell whether it is a henkilötunnus.

    The sign for the century does not count for the check, and is not there if it is no letter.
    """
    number = text[:6] + text[-4:-1]
    return _is_day(2000 + int(text[4:6]), int(text[2:4]), int(text[:2])) and _HETU_LETTERS[int(number) % 31] == text[-1]


def is_belgian_nrn(digits: str) -> bool:
    """Tell whether it is a rijksregisternummer, or a BIS number (20 or 40 more in its month).

    For persons born since 2000 a 2 is put before it to work out the check digits.
    """
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    if not _is_day(2000 + int(digits[:2]), month, day) or digits[6:9] in {"000", "999"}:
        return False
    number, key = int(digits[:9]), int(digits[9:])
    return key in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)


def is_swiss_ahv(digits: str) -> bool:
    """Tell whether it is an AHV number: an EAN-13."""
    return weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def is_brazilian_cpf(digits: str) -> bool:
    """Tell whether it is a cadastro de pessoas físicas: two check digits, and not one digit eleven times."""
    first = weighted(digits, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(digits, range(11, 1, -1)) * 10 % 11 % 10
    return len(set(digits)) > 1 and digits[9:] == f"{first}{second}"


def is_mexican_curp(text: str) -> bool:
    """Tell whether it is a clave única de registro de población."""
    total = sum(_CURP_SIGNS.index(sign) * (18 - place) for place, sign in enumerate(text[:17]))
    return _is_day(2000 + int(text[4:6]), int(text[6:8]), int(text[8:10])) and -total % 10 == int(text[17])


def is_indian_aadhaar(digits: str) -> bool:
    """Tell whether it is an Aadhaar number."""
    return verhoeff(digits)


def is_chinese_resident_id(text: str) -> bool:
    """Tell whether it is a resident identity number: a place, a day of birth, and a check sign."""
    year = int(text[6:10])
    return 1800 <= year <= 2199 and _is_day(year, int(text[10:12]), int(text[12:14])) and mod_11_2(text)  # noqa: PLR2004


def is_singapore_nric(text: str) -> bool:
    """Tell whether it is an NRIC or FIN of the series S, T, F and G."""
    return _NRIC_LETTERS[text[0]][weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) % 11] == text[8]


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
