"""The configuration as YAML: deterministic, with the reason written above the first use of a field.

Owns the small part of YAML that is needed to write what protobuf's JSON form holds. Texts that YAML could read as
something else are quoted as JSON, which YAML 1.2 contains.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from extproc.mesh.envoy.bootstrap import Bootstrap
from extproc.mesh.envoy.reasons import REASONS

if TYPE_CHECKING:
    import betterproto2

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json]"

_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_READ_AS_OTHER: Final = frozenset("true false null yes no on off y n".split())
_WIDTH: Final = 110

# The messages' fields are named as in the protobuf files. The library's own snake casing would make `5_xx` of `5xx`.
_AS_NAMED: Final = cast("betterproto2.Casing", str)


def format_bootstrap(rendered: Bootstrap, *, heading: str = "") -> str:
    """Write the configuration for `envoy --config-path`. `heading` becomes a comment at the top.

    Each field that :data:`~extproc.mesh.envoy.reasons.REASONS` names gets its reason where it first occurs; one whose
    reason depends on its value is named there with it (`field: VALUE`).
    """
    fields = rendered.to_dict(casing=_AS_NAMED)
    lines = [*_comment(heading, ""), *_Writer().mapping(fields, "")]
    return "\n".join(lines) + "\n"


class _Writer:
    """Writes one document. Remembers which reasons were given."""

    def __init__(self) -> None:
        self._left = dict(REASONS)

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


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _READ_AS_OTHER:
        return value
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in wrap(text, _WIDTH - len(indent))]
