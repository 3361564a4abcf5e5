"""Payment cards' numbers, by issuer range, length and check digit.

SPEC: ISO/IEC 7812-1. The ranges are those that the networks publish for those who accept cards.
"""

from collections.abc import Iterator
from typing import Final

from extproc.detect.candidates import Candidates
from extproc.detect.check_digits import luhn

_RANGES: Final = (
    # First and last prefix of four digits, and lengths.
    (2200, 2204, range(16, 20)),  # Mir
    (2221, 2720, range(16, 17)),  # Mastercard
    (3000, 3059, range(14, 20)),  # Diners Club
    (3095, 3095, range(14, 20)),  # Diners Club
    (3400, 3499, range(15, 16)),  # American Express
    (3528, 3589, range(16, 20)),  # JCB
    (3600, 3699, range(14, 20)),  # Diners Club
    (3700, 3799, range(15, 16)),  # American Express
    (3800, 3999, range(14, 20)),  # Diners Club
    (4000, 4999, (13, 16, 19)),  # Visa
    (5018, 5018, range(12, 20)),  # Maestro
    (5020, 5020, range(12, 20)),  # Maestro
    (5038, 5038, range(12, 20)),  # Maestro
    (5080, 5089, range(16, 17)),  # RuPay
    (5100, 5599, range(16, 17)),  # Mastercard
    (5893, 5893, range(12, 20)),  # Maestro
    (6000, 6010, range(16, 17)),  # RuPay
    (6011, 6011, range(16, 20)),  # Discover
    (6012, 6099, range(16, 17)),  # RuPay
    (6200, 6299, range(16, 20)),  # UnionPay
    (6304, 6304, range(12, 20)),  # Maestro
    (6440, 6599, range(16, 20)),  # Discover, RuPay
    (6759, 6763, range(12, 20)),  # Maestro
    (8100, 8299, range(16, 20)),  # UnionPay, RuPay
)
_LENGTHS: Final = {
    f"{prefix:04}": frozenset(lengths) for first, last, lengths in _RANGES for prefix in range(first, last + 1)
}

_TOGETHER: Final = Candidates(r"[2-68][0-9]{11,18}")
_IN_GROUPS: Final = Candidates(
    # As embossed: in fours with a shorter end, four-six-five (American Express) and four-six-four (Diners Club).
    r"[2-68][0-9]{3}[ -](?:[0-9]{4}[ -][0-9]{4}(?:[ -][0-9]{1,4}){0,2}|[0-9]{6}[ -][0-9]{4,5})"
)


def has_card(text: bytes) -> bool:
    """Tell whether the text holds the number of a payment card, together or in groups. Raises TooManyError."""
    return any(
        any(map(_is_card, _readings(text[start:end])))
        for candidates in (_TOGETHER, _IN_GROUPS)
        for start, end in candidates.find(text)
    )


def _readings(match: bytes) -> Iterator[str]:
    """Give the digits of the match, and without its last groups: they may be a date or a code that follows."""
    groups = match.decode().replace("-", " ").split(" ")
    return ("".join(groups[:count]) for count in range(len(groups), 0, -1))


def _is_card(digits: str) -> bool:
    return len(digits) in _LENGTHS.get(digits[:4], ()) and luhn(digits)
