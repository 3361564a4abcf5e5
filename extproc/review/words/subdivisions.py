"""Which subdivisions of countries there are (ISO 3166-2). The parser knows only the form of such a code."""

from functools import cache
from typing import Final

import pycountry

from extproc.policy.compile.epochs import is_subdivision
from extproc.review.words.lists import some_of
from extproc.strict_yaml import nearest

_MOST: Final = 12
"""So many codes are shown of a country that has more."""


@cache
def subdivisions() -> frozenset[str]:
    """Give the codes of all subdivisions."""
    return frozenset(each.code for each in pycountry.subdivisions)


def mend_of_subdivision(code: str) -> str | None:
    """Say what to write in place of a subdivision that does not exist; None where it does, or where it is a country."""
    if not is_subdivision(code) or code in subdivisions():
        return None
    country = code[:2]
    known = sorted(each for each in subdivisions() if each.startswith(f"{country}-"))
    if not known:
        return f"write {country}: it has no subdivisions"
    guess = nearest(code, known)
    hint = f"did you mean {guess}? " if guess else ""
    return f"{hint}write one of {some_of(known, _MOST, last='or')}"
