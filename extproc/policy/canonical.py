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
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from typing import TypeAlias

from extproc.core.ids import PolicyRevision
from extproc.policy.document import API_VERSION, PolicyDocument

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


def format_canonical(document: PolicyDocument) -> bytes:
    """Write the canonical form in UTF-8."""
    form = {"apiVersion": API_VERSION, "document": _plain(replace(document, tests=()))}
    return json.dumps(form, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def revision_of(document: PolicyDocument) -> PolicyRevision:
    """Give `sha256:` and the hex digest of the canonical form."""
    return PolicyRevision(f"sha256:{hashlib.sha256(format_canonical(document)).hexdigest()}")


def _plain(value: object) -> Json:
    if is_dataclass(value) and not isinstance(value, type):
        held = [(field, getattr(value, field.name)) for field in fields(value)]
        return {field.name: _plain(part) for field, part in held if not _is_default(field, part)}
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
    raise TypeError(f"a policy holds no {type(value).__name__}")


def _is_default(field: "Field[object]", value: object) -> bool:
    if field.default_factory is not MISSING:
        return value == field.default_factory()
    return field.default is not MISSING and value == field.default
