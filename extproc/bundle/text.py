"""Which text a signed note can hold, and where a policy's is another.

SPEC: https://c2sp.org/signed-note: UTF-8, no control character of ASCII but the newline, and a newline at the end.
"""

import re
from typing import Final

from extproc.bundle.errors import UnsignableError
from extproc.strict_yaml import Place, Problem

_RETURN: Final = re.compile("\r")
_TAB: Final = re.compile("\t")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def note_text(policy: bytes, *, file: str) -> str:
    """Give the text of a policy that is to be signed; `file` is what its places are called by.

    Raises UnsignableError, with the first place of each kind of fault.
    """
    try:
        text = policy.decode()
    except UnicodeDecodeError as error:
        place = _place(file, policy[: error.start].decode(), error.start)
        raise UnsignableError([Problem(place, "a byte that is not UTF-8", "save the file as UTF-8")]) from None
    problems = [
        *_find(file, text, _RETURN, "a carriage return", "save the file with LF line ends"),
        *_find(file, text, _TAB, "a tab", "indent with spaces; within quotes write \\t"),
        *_find(file, text, _CONTROL, "a control character", "remove it; within double quotes write it as \\x.."),
    ]
    if not text.endswith("\n"):
        problems.append(Problem(_place(file, text, len(text)), "no newline at the end", "end the last line with one"))
    if problems:
        raise UnsignableError(sorted(problems))
    return text


def _find(file: str, text: str, pattern: re.Pattern[str], what: str, mend: str) -> list[Problem]:
    found = [match.start() for match in pattern.finditer(text)]
    if not found:
        return []
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return [Problem(_place(file, text, found[0]), f"{what}, which a signed note cannot hold{more}", mend)]


def _place(file: str, text: str, at: int) -> Place:
    before = text[:at]
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
