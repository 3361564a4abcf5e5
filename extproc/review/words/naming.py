"""What to write in place of a name that the policy does not have."""

from collections.abc import Collection
from typing import Final

from extproc.review.words.lists import some_of
from extproc.strict_yaml import nearest

_MOST: Final = 12
"""So many names are shown; the others are counted."""


def one_of(known: Collection[str]) -> str:
    """List names to choose from: `a, b or c`."""
    return some_of(sorted(known), _MOST, last="or")


def unknown_name(thing: str, written: str, known: Collection[str], option: str = "") -> str:
    """Say that the policy has no such thing, the nearest guess first. `option` is where a name is given."""
    guess = nearest(written, known)
    hint = f"did you mean {guess}? " if guess else ""
    where = f" with {option}" if option else ""
    return f"the policy has no {thing} {written}. Mend: {hint}name one{where}: {one_of(known)}"
