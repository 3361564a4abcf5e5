"""YAML as people read it in a pull request: deterministic, with the reason above the first use of a field.

Owns the small part of YAML that is needed to write what protobuf's JSON form holds. Texts that YAML could read as
something else are quoted as JSON, which YAML 1.2 contains; a text of several lines stands as a block.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json]"

_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_READ_AS_OTHER: Final = frozenset("true false null yes no on off y n".split())
_WIDTH: Final = 110


def write_yaml(fields: Mapping[str, Json], *, heading: str = "", reasons: Mapping[str, str] | None = None) -> str:
    """Write one document. `heading` becomes a comment at the top.

    Each field that `reasons` names gets its reason where it first occurs; one whose reason depends on its value is
    named there with it (`field: VALUE`).
    """
    lines = [*_comment(heading, ""), *_Writer(reasons or {}).mapping(fields, "")]
    return "\n".join(lines) + "\n"


class _Writer:
    """Writes one document. Remembers which reasons were given."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._left = dict(reasons)

    def mapping(self, fields: Mapping[str, Json], indent: str) -> Iterator[str]:
        for name, value in fields.items():
            named = f"{name}: {value}" if isinstance(value, str) else name
            yield from _comment(self._left.pop(named, "") or self._left.pop(name, ""), indent)
            key = f"{indent}{_scalar(name)}:"
            if isinstance(value, Mapping) and value:
                yield key
                yield from self.mapping(value, indent + "  ")
            elif isinstance(value, Sequence) and not isinstance(value, str) and value:
                yield key
                yield from self.sequence(value, indent)
            elif isinstance(value, str) and _is_block(value):
                yield f"{key} |"
                yield from (f"{indent}  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
            else:
                yield f"{key} {_scalar(value)}"

    def sequence(self, items: Sequence[Json], indent: str) -> Iterator[str]:
        for item in items:
            if isinstance(item, Mapping) and item:
                lines = list(self.mapping(item, indent + "  "))
                # The dash takes the place of the indent of the first line that is no comment.
                first = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
                lines[first] = f"{indent}- {lines[first][len(indent) + 2 :]}"
                yield from lines
            else:
                yield f"{indent}- {_scalar(item)}"


def _is_block(text: str) -> bool:
    """Tell whether a text is lines that all end, and can stand as they are."""
    return (
        text.endswith("\n")
        and not text.startswith((" ", "\n"))
        and not text.endswith("\n\n")
        and all(line.isprintable() and not line.endswith(" ") for line in text.split("\n"))
    )


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _READ_AS_OTHER:
        return value
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in wrap(text, _WIDTH - len(indent))]
