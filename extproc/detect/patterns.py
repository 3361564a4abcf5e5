"""The operator's own patterns, in RE2's syntax: searched in time that grows with the text and not faster."""

from collections.abc import Iterator, Sequence
from typing import Final

import re2

from extproc.core.payload import PatternRule
from extproc.detect.found import Found

_ABSOLUTE: Final = re2.compile(r"\\[AzC]|\(\?[a-zA-Z]*-")
"""What means the ends of a text whatever is around it, or turns off what does not."""


def check_pattern(text: str) -> None:
    """Raise ValueError, in RE2's own words, where the text is no pattern, or one that matches every text."""
    if _compile(text).search(b"") is not None:
        raise ValueError("it matches the empty text, and so every text. Mend: let it ask for at least one character")


class PatternFinder:
    """Looks for the patterns of one policy. Raises ValueError where one of them is none."""

    def __init__(self, rules: Sequence[PatternRule]) -> None:
        self._rules = tuple(
            (
                _compile(rule.pattern),
                None if _ABSOLUTE.search(rule.pattern) else _compile(f"(?m:{rule.pattern})"),
                Found(data_class=rule.data_class, by=f"pattern:{rule.id}"),
            )
            for rule in rules
        )
        self.possible = tuple(found for _, _, found in self._rules)

    def find(self, texts: Sequence[str], lines: bytes) -> Iterator[Found]:
        """Give a finding for each pattern that one of the texts matches; `^` and `$` are the ends of a text.

        `lines` are the texts, each ended by a line feed but the last.
        """
        if not self._rules:
            return
        encoded: list[bytes] = []
        for pattern, anywhere, found in self._rules:
            # A match in one text is one in all of them, but not the other way round. One search spares thousands.
            if anywhere is not None and anywhere.search(lines) is None:
                continue
            encoded = encoded or [text.encode() for text in dict.fromkeys(texts)]
            if any(pattern.search(text) is not None for text in encoded):
                yield found


def _compile(text: str) -> "re2._Regexp":
    options = re2.Options()
    options.log_errors = False  # it would write the pattern to the standard error output
    options.never_capture = True
    try:
        return re2.compile(text, options)
    except re2.error as error:
        words = error.args[0] if error.args else "not a pattern"
        raise ValueError(words.decode() if isinstance(words, bytes) else str(words)) from None
    except UnicodeEncodeError:
        raise ValueError("not a pattern: it holds half of a surrogate pair") from None
