"""The manual of the language, read from where it is written: the docstrings below the fields of the document.

A docstring below a field is no part of the running class, so the source is parsed.
"""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise


def manual_of(part: type, field: str = "") -> str:
    """Give the description of a part of the document, or of one of its fields, on one line.

    Raises KeyError for a field that has none: every field is documented.
    """
    return _plain(_fields(part)[field] if field else inspect.getdoc(part) or "")


@cache
def _fields(part: type) -> dict[str, str]:
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
    found: dict[str, str] = {}
    body = defined.body if isinstance(defined, ast.ClassDef) else []
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            said = below.value
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                found[field.target.id] = said.value
    return found


def _plain(written: str) -> str:
    return " ".join(written.split())
