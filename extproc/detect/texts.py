"""The texts of a JSON document: strings, names of fields, and whole numbers long enough to be somebody's."""

from typing import Any, Final

from extproc.detect.found import Unreadable

MAX_DEPTH: Final = 64
"""Levels of arrays and objects. A tensor has at most eight; 64 is beyond what anybody writes."""

MAX_VALUES: Final = 50_000
"""Values and names, without those of arrays that hold numbers only. A list of words as long as a book has as many."""

_NUMBERS: Final = frozenset({int, float, bool, type(None)})
_SHORTEST: Final = 10_000_000
"""Numbers with fewer digits than eight are nothing that is looked for."""


def texts_of(document: Any) -> tuple[list[str], Unreadable | None]:  # noqa: ANN401 - any JSON
    """Give the texts, the name of a field right before its value, and why they are not all.

    An array of numbers, such as a tensor, costs two passes in C over it, which is less than parsing it cost.
    """
    texts: list[str] = []
    level: list[Any] = [[document]]
    values = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                values += 2 * len(container)
                for name, value in container.items():
                    texts.append(name)
                    _add(value, texts, below)
            else:
                kinds = set(map(type, container))
                if kinds <= _NUMBERS:
                    _add_numbers(container, kinds, texts)
                    continue
                values += len(container)
                if kinds == {str}:
                    texts += container
                else:
                    for value in container:
                        _add(value, texts, below)
            if values > MAX_VALUES:
                return texts, Unreadable.TOO_MANY
        if not below:
            return texts, None
        level = below
    return texts, Unreadable.TOO_DEEP


def _add(value: Any, texts: list[str], below: list[Any]) -> None:  # noqa: ANN401 - any JSON
    kind = type(value)
    if kind is str:
        texts.append(value)
    elif kind is list or kind is dict:
        below.append(value)
    elif kind in {int, float}:
        _add_number(value, texts)


def _add_numbers(numbers: list[Any], kinds: set[type], texts: list[str]) -> None:
    if not numbers:
        return
    if type(None) in kinds:
        numbers = [number for number in numbers if number is not None]
    if numbers and max(numbers) >= _SHORTEST:
        for number in numbers:
            _add_number(number, texts)


def _add_number(number: float, texts: list[str]) -> None:
    # A float that is a whole number may be how a client's library wrote an integer. JSON has no infinity.
    if number >= _SHORTEST:
        if type(number) is int:
            texts.append(str(number))
        elif number < 1e20 and number.is_integer():  # noqa: PLR2004 - the longest that is looked for has 19 digits
            texts.append(f"{number:.0f}")
