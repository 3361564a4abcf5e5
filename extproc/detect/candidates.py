"""Candidates for a number: found in linear time, and no more of them than can be looked at."""

from collections.abc import Iterator
from typing import Any, Final

import re2

MAX_CANDIDATES: Final = 1000
"""What looks like a number of one kind, in one payload. Of so many some would pass every check by chance alone."""

_BEFORE: Final = r"(?:^|[^0-9A-Za-z_.]|[^0-9]\.)"
"""What may stand before a number: no letter or digit, and no decimal point, or every measurement would be looked at."""

_DIGITS: Final = frozenset(b"0123456789")
_BETWEEN: Final = b" -.+"


class TooManyError(Exception):
    """There are more candidates than are looked at, so that nobody can say that there is nothing."""


class Candidates:
    """A pattern of bounded length, without groups that capture, of a number that stands for itself.

    `named` patterns begin with the name of the number, and what stands before that does not matter.
    """

    def __init__(self, pattern: str, *, named: bool = False) -> None:
        self.pattern = rf"{'' if named else _BEFORE}({pattern})\b"
        self._compiled: Any = compile_ascii(self.pattern)

    def find(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Give the start and end of every match, also of those that begin inside another.

        Raises TooManyError after `MAX_CANDIDATES`.
        """
        search = self._compiled.search
        start = 0
        for _ in range(MAX_CANDIDATES):
            match = search(text, start)
            if match is None:
                return
            start, end = match.span(1)
            # A decimal fraction goes on behind its point.
            if not (text[end : end + 1] == b"." and end + 1 < len(text) and text[end + 1] in _DIGITS):
                yield start, end
            start += 1
        raise TooManyError


def compile_ascii(pattern: str) -> Any:  # noqa: ANN401 - re2 has no types
    """Compile a pattern that looks at bytes. In Unicode, ignoring case would let U+017F match S and U+212A match K."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode("ascii"), options)


def signs_of(match: bytes) -> str:
    """Give the digits and letters of a match, the latter as capitals, without what stands between them."""
    return match.translate(None, _BETWEEN).decode("ascii", errors="ignore").upper()
