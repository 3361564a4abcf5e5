"""How the commands about a policy speak: text at the terminal's width for people, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from textwrap import fill
from typing import Final

_WIDEST: Final = 110
"""Columns beyond which lines are hard to read, and the width where there is no terminal."""


def page_width() -> int:
    """Give the columns to write in: the terminal's, within reason; a fixed number for a file or a pipe."""
    if not sys.stdout.isatty():
        return _WIDEST
    return min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)


def say(words: str, indent: int = 0, hang: int = 2) -> None:
    """Print a paragraph, wrapped; what follows its first line is indented by `hang` more."""
    first, later = " " * indent, " " * (indent + hang)
    print(
        fill(
            words,
            page_width(),
            initial_indent=first,
            subsequent_indent=later,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def print_json(value: object) -> None:
    """Print plain data as JSON: dataclasses as objects, enumerations by their values, days and moments as ISO 8601."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: object) -> object:
    """Turn data into what JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    match value:
        case Enum():
            return value.value
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(part) for key, part in value.items()}
        case tuple() | list() | set() | frozenset():
            parts = value if isinstance(value, tuple | list) else sorted(value)
            return [plain(part) for part in parts]
        case str() | bool() | int() | float() | None:
            return value
    raise TypeError(f"JSON holds no {type(value).__name__}")
