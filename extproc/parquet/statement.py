"""What a query asks, as far as proving its rows needs to know.

Owns telling a plain SELECT over one table or view, whose every row is made of one row of it, from anything else; and
adding to it, unseen, the columns that name the entries.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from extproc.extra import load_extra
from extproc.parquet.database import QueryError, check_select, parser
from extproc.parquet.tables import TABLES
from extproc.parquet.views import VIEWS, entries_of

HIDDEN: Final = "__situs_"
_LIMIT: Final = "LIMIT_MODIFIER"
_PLAIN_MODIFIERS: Final = frozenset({_LIMIT, "ORDER_MODIFIER"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainQuery:
    """A plain SELECT over `view`. `sql` also gives the hidden columns last, and `unlimited` is it without its limit."""

    view: str
    sql: str
    unlimited: str
    hidden: int


def plain_query(sql: str) -> PlainQuery | None:
    """Read a query; None where it is no plain SELECT over one table or view. Raises QueryError for no SELECT at all."""
    check_select(sql)
    duckdb = load_extra("duckdb")
    connection = parser()
    try:
        (text,) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
        tree: dict[str, Any] = json.loads(text)
        node = None if tree["error"] else tree["statements"][0]["node"]
        view = None if node is None else _view_of(node, _unrepeatable())
        if node is None or view is None:
            return None
        names = [name for pair in entries_of(view) for name in pair]
        node["select_list"] += [_column(name) for name in names]
        limited = _deserialize(connection, tree)
        node["modifiers"] = [each for each in node["modifiers"] if each["type"] != _LIMIT]
        return PlainQuery(view=view, sql=limited, unlimited=_deserialize(connection, tree), hidden=len(names))
    except duckdb.Error as error:
        raise QueryError(str(error).strip()) from None


def _view_of(node: dict[str, Any], unrepeatable: frozenset[str]) -> str | None:
    """Name the one table or view of a plain SELECT; None for anything else."""
    table = node.get("from_table") or {}
    name = str(table.get("table_name", "")).lower()
    plain = (
        node["type"] == "SELECT_NODE"
        and table.get("type") == "BASE_TABLE"
        and not table.get("schema_name")
        and not table.get("sample")
        and (name in TABLES or name in VIEWS)
        and not node["cte_map"]["map"]
        and not node["group_expressions"]
        and not node["group_sets"]
        and node["aggregate_handling"] == "STANDARD_HANDLING"
        and not any(node[each] for each in ("having", "sample", "qualify"))
        and {each["type"] for each in node["modifiers"]} <= _PLAIN_MODIFIERS
    )
    if not plain:
        return None
    for each in _walk(node):
        if each.get("class") in ("SUBQUERY", "WINDOW"):
            return None
        if each.get("class") == "FUNCTION" and str(each.get("function_name", "")).lower() in unrepeatable:
            return None
    return name


def _walk(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)


@cache
def _unrepeatable() -> frozenset[str]:
    """Name the functions that look at more than one row, or say something else each time."""
    rows = (
        parser()
        .execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
            " WHERE function_type = 'aggregate' OR stability = 'VOLATILE'"
        )
        .fetchall()
    )
    return frozenset(name for (name,) in rows)


def _column(name: str) -> dict[str, Any]:
    return {
        "class": "COLUMN_REF",
        "type": "COLUMN_REF",
        "alias": f"{HIDDEN}{name}",
        "query_location": 0,
        "column_names": [name],
    }


def _deserialize(connection: Any, tree: dict[str, Any]) -> str:  # noqa: ANN401 - DuckDB's connection
    (sql,) = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchone()
    return str(sql)
