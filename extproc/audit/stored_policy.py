"""Policies as logs keep them: from the canonical form back to a document, and compiled.

Owns the way back from :func:`extproc.policy.canonical.format_canonical`. It guesses nothing: what was read must format
to the very same bytes, whose digest is the policy's name.
"""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Mapping as AbstractMapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from extproc.policy.canonical import Json, format_canonical
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.document import API_VERSION, PolicyDocument


class StoredPolicyError(Exception):
    """A canonical form that this program cannot read back; the message says why."""


@cache
def load_stored(canonical: bytes) -> CompiledPolicy:
    """Compile a policy from its canonical form; each once in a process. Raises StoredPolicyError and DocumentError."""
    return compile_policy(parse_canonical(canonical))


def parse_canonical(canonical: bytes) -> PolicyDocument:
    """Read a canonical form. Raises StoredPolicyError for anything that does not format back to the same bytes."""
    try:
        whole = json.loads(canonical)
        if whole["apiVersion"] != API_VERSION:
            raise StoredPolicyError(f"written as {whole['apiVersion']}, and this program reads {API_VERSION}")
        document = _read(PolicyDocument, whole["document"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoredPolicyError(f"no canonical form of a policy: {error}") from None
    if not isinstance(document, PolicyDocument) or format_canonical(document) != canonical:
        digest = hashlib.sha256(canonical).hexdigest()
        raise StoredPolicyError(f"sha256:{digest} has something that this program does not know: use the one it names")
    return document


def _read(kind: Any, value: Json) -> Any:  # noqa: ANN401 - types as values
    """Read a value of a type; the reverse of what `format_canonical` does to it."""
    kind = getattr(kind, "__supertype__", kind)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read_one_of(get_args(kind), value)
    if kind is NoneType and value is None:
        return None
    if origin in (Mapping, AbstractMapping, dict) and isinstance(value, dict):
        key, part = get_args(kind)
        return {_read(key, name): _read(part, each) for name, each in value.items()}
    if origin is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], each) for each in value)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _read_fields(kind, value)
    return _read_plain(kind, value)


def _read_plain(kind: Any, value: Json) -> Any:  # noqa: ANN401 - types as values
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind is date and isinstance(value, str):
        return date.fromisoformat(value)
    if kind is float and type(value) in (int, float):
        # What was written: 5 stays 5, or the form would be another.
        return value
    if kind in (str, int, bool) and type(value) is kind:
        return value
    raise TypeError(f"expected {getattr(kind, '__name__', kind)}, found {value!r}")


def _read_one_of(kinds: tuple[Any, ...], value: Json) -> Any:  # noqa: ANN401 - types as values
    """Read by the one alternative that fits: no two kinds of a policy's parts have the same fields."""
    if value is None and NoneType in kinds:
        return None
    for kind in kinds:
        try:
            return _read(kind, value)
        except (TypeError, ValueError):
            continue
    raise TypeError(f"expected one of {', '.join(getattr(kind, '__name__', str(kind)) for kind in kinds)}")


def _read_fields(kind: type, value: dict[str, Json]) -> Any:  # noqa: ANN401 - types as values
    known, required = _fields_of(kind)
    missing, unknown = required - value.keys(), value.keys() - known.keys()
    if missing or unknown:
        raise TypeError(f"{kind.__name__}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return kind(**{name: _read(known[name], part) for name, part in value.items()})


@cache
def _fields_of(kind: type) -> tuple[Mapping[str, Any], frozenset[str]]:
    hints = get_type_hints(kind)
    own = fields(kind)
    required = (each.name for each in own if each.default is MISSING and each.default_factory is MISSING)
    return MappingProxyType({each.name: hints[each.name] for each in own}), frozenset(required)
