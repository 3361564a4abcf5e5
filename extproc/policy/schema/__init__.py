"""The written language as a JSON Schema (draft 2020-12), for editors and for other people's tools.

Owns the schema; its descriptions are the docstrings of :mod:`extproc.policy.document`, so that the manual is written
once. The parser stays the judge: a schema cannot say that a name is declared, that a day is not before another, or
that a subdivision is inside its country. What the schema refuses, the parser refuses too.

`situs-policy.schema.json` beside this is what `policy_schema` builds; a test holds the two equal.
"""

import json
from importlib import resources
from typing import Final

from extproc.policy.schema.root import policy_schema

SCHEMA_FILE: Final = "situs-policy.schema.json"

__all__ = ["SCHEMA_FILE", "format_schema", "policy_schema", "read_schema"]


def read_schema() -> str:
    """Read the schema as it is shipped."""
    return resources.files("extproc.policy").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")


def format_schema() -> str:
    """Build the schema and write it as it is shipped."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"
