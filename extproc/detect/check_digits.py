"""Check digits that several kinds of numbers share. All take text of ASCII digits and letters, in capitals."""

from collections.abc import Sequence
from typing import Final

# SPEC: J. Verhoeff, Error Detecting Decimal Codes, 1969: the dihedral group D5 and the permutation.
_D5: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTATIONS: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")


def luhn(digits: str) -> bool:
    """SPEC: ISO/IEC 7812-1 annex B: every second digit from the right is doubled."""
    from_right = digits.encode()[::-1]
    # The digits' codes are 48 and more.
    return (sum(from_right[::2]) + sum(from_right[1::2].translate(_DOUBLED)) - 48 * len(digits)) % 10 == 0


def verhoeff(digits: str) -> bool:
    """Check a number whose last digit is Verhoeff's."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = _D5[state][_PERMUTATIONS[place % 8][int(digit)]]
    return state == 0


def mod_97_10(text: str) -> bool:
    """SPEC: ISO 7064 MOD 97-10, with letters as two digits (A is 10)."""
    return int("".join(str(int(sign, 36)) for sign in text)) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """SPEC: ISO 7064 MOD 11,10 (hybrid)."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def mod_11_2(text: str) -> bool:
    """SPEC: ISO 7064 MOD 11-2: the last sign may be X, which is ten."""
    total = 0
    for sign in text:
        total = (total * 2 + (10 if sign == "X" else int(sign))) % 11
    return total == 1


def weighted(digits: str, weights: Sequence[int]) -> int:
    """Give the sum of the digits, each times its weight; digits beyond the weights do not count."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
