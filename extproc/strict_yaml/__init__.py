"""Strict, typed reading of the YAML that people write: every fault at once, each with its place and its mend.

Owns what "strict" means for all of our files: one document, no anchors, aliases, tags or directives, no key twice, no
field that nobody asked for, no guessing of types. Knows nothing of what the fields mean.

A consumer says what it expects, and gets typed values or a :class:`DocumentError` that lists all that is wrong::

    def read_server(table: Table) -> Server:
        host = table.required("host", text)                                 # ask for every field first,
        port = table.optional("port", integer(minimum=1), default=8080)
        return Server(host=host.value, port=port.value)                     # then take the values

    server = read_document(Path("server.yaml"), table_of(read_server))

SPEC: YAML 1.2.2 with its core schema (section 10.3): `NO`, `yes` and `2026-11-21` are text, `true` and `3` are not.
"""

from extproc.strict_yaml.document import read_document, read_text
from extproc.strict_yaml.nodes import MAX_DEPTH, MAX_SIZE, Kind
from extproc.strict_yaml.problems import DocumentError, Place, Problem, UnfitError
from extproc.strict_yaml.readers import (
    Reader,
    boolean,
    choice,
    entries_of,
    integer,
    list_of,
    number,
    one_or_list_of,
    parsed,
    table_of,
    text,
)
from extproc.strict_yaml.values import Field, Table, Value, nearest

__all__ = [
    "MAX_DEPTH",
    "MAX_SIZE",
    "DocumentError",
    "Field",
    "Kind",
    "Place",
    "Problem",
    "Reader",
    "Table",
    "UnfitError",
    "Value",
    "boolean",
    "choice",
    "entries_of",
    "integer",
    "list_of",
    "nearest",
    "number",
    "one_or_list_of",
    "parsed",
    "read_document",
    "read_text",
    "table_of",
    "text",
]
