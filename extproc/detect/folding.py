"""Digits, spaces and dashes that look like those of ASCII, and are meant so, become those of ASCII.

Not a Unicode normalisation, which takes time that grows with the square of some texts.
"""

from typing import Final

import re2

_SPACES: Final = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
_DASHES: Final = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_NOTHING: Final = "\u200b\u200c\u200d\u2060\ufeff"
"""Zero width: copied from web pages together with a number."""

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), 0xFF20, 0xFF0E)}
_TABLE: Final[dict[int, int | None]] = {
    **{ord(space): ord(" ") for space in _SPACES},
    **{ord(dash): ord("-") for dash in _DASHES},
    **{ord(nothing): None for nothing in _NOTHING},
    **_FULL_WIDTH,
}
_ANY: Final = re2.compile("[" + "".join(map(chr, _TABLE)) + "]")


def fold(text: str) -> str:
    """Give the text with those characters replaced."""
    if text.isascii() or _ANY.search(text.encode()) is None:
        return text.replace("\t", " ")
    return text.translate(_TABLE)
