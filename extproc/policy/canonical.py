"""The canonical form of a policy, and the revision that names it.

Owns what "the same policy" means: the same document, however it was written. Comments, formatting, the order of keys,
and defaults written out or left out change nothing; anything that a person could read differently does. The policy's
tests change no decision, and so are no part of it.

SPEC: the form is JSON without insignificant blanks, keys sorted by code point, text unescaped in UTF-8. Fields that
have their default are left out.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TypeAlias

from extproc.core.ids import PolicyRevision
from extproc.policy.document import API_VERSION, PolicyDocument

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


def format_canonical(document: PolicyDocument) -> bytes:
    """Write the canonical form in UTF-8."""
    form = {"apiVersion": API_VERSION, "document": _plain(replace(document, tests=()))}
    return json.dumps(form, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def revision_of(document: PolicyDocument) -> PolicyRevision:
    """Give the name of a document."""
    return revision_of_form(format_canonical(document))


def revision_of_form(canonical: bytes) -> PolicyRevision:
    """Give `sha256:` and the hex digest of a canonical form."""
    return PolicyRevision(f"sha256:{hashlib.sha256(canonical).hexdigest()}")


def _plain(value: object) -> Json:
    kind = type(value)
    # Texts first, and the fields of each class only once: a policy has a million values, nearly all of them texts.
    if kind is str:
        return value  # type: ignore[return-value]  # narrowed by its exact type
    if is_dataclass(kind):
        parts = ((name, getattr(value, name), default) for name, default in _fields_of(kind))
        return {name: _plain(part) for name, part, default in parts if part != default}
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(part) for key, part in value.items()}
        case tuple():
            return [_plain(part) for part in value]
        case str():  # enumerations too: their value is what was written
            return str(value)
        case bool() | int() | float() | None:
            return value
    raise TypeError(f"a policy holds no {kind.__name__}")


@cache
def _fields_of(kind: type) -> tuple[tuple[str, object], ...]:
    """Give the names of a dataclass's fields with their defaults; MISSING, which nothing equals, for none."""
    return tuple(
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(kind)
    )
