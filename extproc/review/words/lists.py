"""Lists and numbers in a sentence."""

from collections.abc import Iterable, Sequence


def joined(words: Iterable[str], *, last: str = "and") -> str:
    """Join words as a sentence lists them: `a`, `a and b`, `a, b and c`. Nothing gives `none`."""
    parts = list(words)
    if len(parts) < 2:  # noqa: PLR2004 - two words are the first that need another one between them
        return parts[0] if parts else "none"
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def some_of(words: Sequence[str], most: int, *, last: str = "and") -> str:
    """Join the first `most` words and count those that are left: `a, b and 3 others`."""
    left = len(words) - most
    return joined(words if left <= 0 else [*words[:most], counted(left, "other")], last=last)


def counted(number: int, one: str, many: str = "") -> str:
    """Count things: `1 request`, `2,300 requests`. `many` is for plurals that take more than an s."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {many or one + 's'}"
