"""Texts of records and files on their way to a terminal.

Records hold names that clients and tenants chose, and files from others have names that they chose. A terminal takes
some characters for commands: to move, to overwrite what was printed before, to answer as if somebody had typed. So
whatever is no plain character is shown by its number.
"""

import re
from typing import Final

from rich.text import Text

_COMMANDS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters of ASCII and Latin-1 but the newline, those that turn the direction of writing (which make a text
read as another), and halves of characters, which no terminal can be given at all."""


def plain(text: str) -> str:
    """Show what is no plain character by its number, as Python would write it."""
    return _COMMANDS.sub(_number, text)


def line(text: str) -> str:
    """Show a text of one line, which is to stay one."""
    return plain(text).replace("\n", "\\n")


def words(text: str, style: str = "") -> Text:
    """Give a text of one line for rich, whose markup means nothing in it: so none can print a line of its own."""
    return Text(line(text), style=style)


def json_line(dumped: str) -> str:
    """Show in JSON, as it was dumped, what it lets stand: outside of texts there is none of it."""
    return _COMMANDS.sub(lambda match: f"\\u{ord(match[0]):04x}", dumped)


def _number(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004 - two digits
