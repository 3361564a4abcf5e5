"""The small shapes that a schema is put together from."""

import re
from enum import StrEnum
from typing import TypeAlias

Schema: TypeAlias = dict[str, object]


def table(
    description: str,
    required: dict[str, Schema] | None = None,
    optional: dict[str, Schema] | None = None,
    **more: object,
) -> Schema:
    """Shape a table with known fields and no others."""
    return {
        "type": "object",
        "description": description,
        "properties": {**(required or {}), **(optional or {})},
        "required": list(required or {}),
        "additionalProperties": False,
        **more,
    }


def entries(description: str, names: Schema, entry: Schema, **more: object) -> Schema:
    """Shape a table whose keys the author chooses."""
    return {
        "type": "object",
        "description": description,
        "propertyNames": names,
        "additionalProperties": entry,
        **more,
    }


def list_of(item: Schema, *, minimum: int = 0) -> Schema:
    """Shape a list."""
    return {"type": "array", "items": item, **({"minItems": minimum} if minimum else {})}


def one_or_list_of(item: Schema) -> Schema:
    """Shape one item, or a list of at least one."""
    return {"anyOf": [item, list_of(item, minimum=1)]}


def described(schema: Schema, description: str) -> Schema:
    """Say what a shape is for, here."""
    return {**schema, "description": description}


def named(definition: str) -> Schema:
    """Refer to one of the shared definitions."""
    return {"$ref": f"#/$defs/{definition}"}


def text() -> Schema:
    """Shape a text that is not blank."""
    return {"type": "string", "pattern": r"\S"}


def matching(pattern: re.Pattern[str]) -> Schema:
    """Shape a text that a pattern matches whole."""
    return {"type": "string", "pattern": f"^(?:{pattern.pattern})$"}


def whole(minimum: int, maximum: int | None = None) -> Schema:
    """Shape a whole number within inclusive bounds."""
    return {"type": "integer", "minimum": minimum, **({} if maximum is None else {"maximum": maximum})}


def one_of(options: type[StrEnum]) -> Schema:
    """Shape one of the values of an enumeration."""
    return {"enum": [option.value for option in options]}


def only(value: object) -> Schema:
    """Shape a single value."""
    return {"const": value}


def refused(why: str) -> Schema:
    """Shape a field that the parser knows, in order to refuse it with its reason."""
    return {"not": {}, "description": why}
