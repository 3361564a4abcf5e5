"""What SQL is asked over: every table, and views that put tables together.

Owns the text of the views, which is plain SQL of DuckDB. A view that joins says by which columns each of its rows is
proven.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from extproc.parquet.tables import TABLES

_VIOLATIONS: Final = "('outside_permitted', 'outside_plan', 'refused_but_sent', 'no_decision')"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view over tables. `entries` are pairs of its columns that name the entries of which a row is made."""

    name: str
    meaning: str
    sql: str
    columns: Mapping[str, tuple[str, str]]
    """Beside those of its first table: type and meaning by name."""
    entries: tuple[tuple[str, str], ...]
    over: str
    absence: str = ""
    """What a row also says of entries that are not there, which no entry can prove."""


_ORDERS: Final = View(
    name="orders",
    meaning="legal orders, and how long each log was held to them: from when its process had recorded them",
    over="overrides",
    entries=(("log", "index"),),
    absence="that no entry but those of its log ended an order",
    columns=MappingProxyType(
        {
            "since_at": ("timestamp", "from when the log was held to it: recorded, and in force"),
            "ended_at": ("timestamp", "until when; null while there is no end"),
        }
    ),
    # A changed order is another one, and the end of the old: an end is told by all that an order says.
    sql="""
        SELECT s.*, greatest(s.made_at, s.from_at) AS since_at,
            least(s.until_at, (
                SELECT min(e.made_at) FROM overrides e
                WHERE e.action = 'resumed' AND e.log = s.log AND e."index" > s."index" AND e.id = s.id
                    AND e.kind = s.kind AND e.name = s.name AND e.reason = s.reason AND e.from_at = s.from_at
                    AND e.until_at IS NOT DISTINCT FROM s.until_at AND e.approved_by = s.approved_by
            )) AS ended_at
        FROM overrides s WHERE s.action = 'suspended'
    """,
)
_HELD: Final = """o.since_at <= t.attempt.began_at
                AND (o.ended_at IS NULL OR t.attempt.began_at < o.ended_at)
                AND (o.log = t.log AND o."index" < t."index" OR o.log = t.decision_log AND o.log <> t.log)"""
_RECONCILED: Final = View(
    name="reconciled",
    meaning="deliveries beside their decisions, the finding worked out again over all logs here",
    over="deliveries",
    entries=(("log", "index"), ("decision_log", "decision_index")),
    absence="that a decision which a row does not have is nowhere in these logs",
    columns=MappingProxyType(
        {
            "decision_log": ("text", "log of the decision; null where it is in none of these logs"),
            "decision_index": ("bigint", "index of the decision in its log"),
            "tenant": ("text", "tenant of the decision"),
            "model": ("text", "model of the decision"),
            "permitted": ("text[]", "regions that the decision permitted"),
            "plan": ("text[]", "regions that it named"),
            "found": (
                "text",
                "the finding, as `situs audit verify` works it out from the facts",
            ),
            "order_id": ("text", "of after_order: id of the order; null where it is in none of these logs"),
            "order_log": ("text", "log that had recorded the order"),
            "order_index": ("bigint", "index of that entry in its log"),
        }
    ),
    # The order of the cases is that of extproc.core.delivery.reconcile; a test holds one against the other.
    sql="""
        WITH told AS (
            SELECT v.log, v."index", v.decision, d.log AS decision_log, d.model, unnest(v.attempts) AS attempt
            FROM deliveries v JOIN decisions d ON v.decision = d.decision WHERE EXISTS (SELECT 1 FROM orders)
        ), met AS (
            SELECT t.log, t."index", o AS met FROM told t JOIN orders o ON o.kind = 'region'
                AND o.name = t.attempt.region AND {held}
            UNION ALL
            SELECT t.log, t."index", o AS met FROM told t JOIN orders o ON o.kind = 'model'
                AND o.name = t.model AND {held}
            UNION ALL
            SELECT t.log, t."index", o AS met FROM told t
                JOIN transfers r ON r.decision = t.decision AND r.region = t.attempt.region
                JOIN orders o ON o.kind = 'permit' AND o.name = r.regime || '.' || r.permit AND {held}
        ), late AS (
            SELECT log, "index", min_by(met, (met.since_at, met.log, met."index")) AS met FROM met GROUP BY ALL
        )
        SELECT v.*, d.log AS decision_log, d."index" AS decision_index, d.tenant, d.model, d.permitted, d.plan,
            CASE
                WHEN len(v.attempts) = 0 THEN 'undelivered'
                WHEN v.decision IS NULL THEN 'no_decision'
                WHEN d.decision IS NULL THEN 'decided_elsewhere'
                WHEN len(d.plan) = 0 THEN 'refused_but_sent'
                WHEN len(list_filter(v.attempts, lambda a:
                    a.region IS NULL OR NOT list_contains(d.permitted, a.region))) > 0 THEN 'outside_permitted'
                WHEN len(list_filter(v.attempts, lambda a: NOT list_contains(d.plan, a.region))) > 0 THEN 'outside_plan'
                WHEN l.met IS NOT NULL OR v.finding = 'after_order' THEN 'after_order'
                ELSE 'matched'
            END AS found,
            CASE WHEN found = 'after_order' THEN l.met.id END AS order_id,
            CASE WHEN found = 'after_order' THEN l.met.log END AS order_log,
            CASE WHEN found = 'after_order' THEN l.met."index" END AS order_index
        FROM deliveries v LEFT JOIN decisions d ON v.decision = d.decision
            LEFT JOIN late l ON l.log = v.log AND l."index" = v."index"
    """.replace("{held}", _HELD),
)
_VIOLATING: Final = View(
    name="violations",
    meaning="deliveries that went where the decision did not permit or name, or without one: should be empty",
    over="deliveries",
    entries=_RECONCILED.entries,
    absence=_RECONCILED.absence,
    columns=_RECONCILED.columns,
    sql=f"SELECT * FROM reconciled WHERE found IN {_VIOLATIONS}",  # noqa: S608 - our own words
)
_AFTER_ORDERS: Final = View(
    name="after_orders",
    meaning="deliveries of which an attempt began after a legal order had taken out its region, model or legal basis",
    over="deliveries",
    entries=_RECONCILED.entries,
    absence=_RECONCILED.absence,
    columns=_RECONCILED.columns,
    sql="SELECT * FROM reconciled WHERE found = 'after_order'",
)
_UNDELIVERED: Final = View(
    name="undelivered",
    meaning="decisions to steer of which no delivery is recorded here",
    over="decisions",
    entries=(("log", "index"),),
    columns=MappingProxyType({}),
    absence="that no delivery of these decisions is in these logs",
    sql="SELECT * FROM decisions d WHERE len(plan) > 0 AND NOT EXISTS"
    " (SELECT 1 FROM deliveries v WHERE v.decision = d.decision)",
)
VIEWS: Final = MappingProxyType(
    {view.name: view for view in (_ORDERS, _RECONCILED, _VIOLATING, _AFTER_ORDERS, _UNDELIVERED)}
)


def entries_of(name: str) -> tuple[tuple[str, str], ...]:
    """Give the pairs of columns that name the entries of which a row of a table or view is made."""
    return VIEWS[name].entries if name in VIEWS else (("log", "index"),)


def describe() -> str:
    """Write all tables and views with their columns, types and meanings, for people."""
    lines: list[str] = []
    for table in TABLES.values():
        lines.append(f"{table.name}: {table.meaning}")
        lines += [f"    {column.name:<18} {column.type:<12} {column.meaning}" for column in table.all_columns]
        lines.append(f"    {'date':<18} {'date':<12} day of made_at in UTC: the folder in which the row lies")
        lines.append("")
    for view in VIEWS.values():
        lines.append(f"{view.name}: {view.meaning}")
        lines.append(f"    all columns of {view.over}")
        lines += [f"    {name:<18} {kind:<12} {meaning}" for name, (kind, meaning) in view.columns.items()]
        lines.append("")
    return "\n".join(lines)
