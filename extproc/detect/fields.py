"""The fields that the policy names, found by their path."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from extproc.core.payload import FieldRule
from extproc.detect.found import Found

ANY: Final = "*"


class FieldFinder:
    """Looks for the fields of one policy. Each rule looks at each value at most once."""

    def __init__(self, rules: Sequence[FieldRule]) -> None:
        self._rules = tuple((rule, _found(rule)) for rule in rules)
        self.possible = tuple(found for _, found in self._rules)

    def find(self, document: Any) -> Iterator[Found]:  # noqa: ANN401 - any JSON
        """Give a finding for each rule whose field is in the document."""
        for rule, found in self._rules:
            values = [document]
            for name in rule.path:
                values = _below(values, name)
            if any(_holds(rule, value) for value in values):
                yield found


def _found(rule: FieldRule) -> Found:
    kind = "field" if rule.equals is None else "value"
    return Found(data_class=rule.data_class, by=f"{kind}:{'.'.join(rule.path)}")


def _below(values: Sequence[Any], name: str) -> list[Any]:
    """Give the values that one step of a path leads to."""
    if name != ANY:
        return [value[name] for value in values if type(value) is dict and name in value]
    below: list[Any] = []
    for value in values:
        if type(value) is dict:
            below += value.values()
        elif type(value) is list:
            below += value
    return below


def _holds(rule: FieldRule, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if rule.equals is None:
        return value is not None
    if type(value) is str:
        return value == rule.equals
    # Numbers and truth values are compared as JSON writes them; arrays and objects equal nothing.
    return type(value) not in {dict, list} and orjson.dumps(value) == rule.equals.encode()
