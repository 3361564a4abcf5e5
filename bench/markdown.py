"""Tables and figures in Markdown."""

from collections.abc import Iterable, Sequence


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Give the lines of a table."""
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def short(value: float | None) -> str:
    """Write a figure with as many digits as it deserves."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 20 else f"{value:.2f}"  # noqa: PLR2004 - three digits, by eye


def signed(value: float | None) -> str:
    """Write a difference with its sign."""
    return "" if value is None else f"{value:+.0f}"
