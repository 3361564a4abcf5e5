"""Which entries go into a selection: those of a time, about decisions, or that SQL names.

Owns the choice, made over tables. With each decision come its deliveries, and with all of them the Genesis of their log
and the configurations that they name: without these nobody could read them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from extproc.audit.published import PublishedLog
from extproc.parquet.building import Built
from extproc.parquet.database import Database, QueryError
from extproc.parquet.tables import TABLES

_KEY = '"index"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is chosen: entries made in [from_s, until_s), decisions by id, or decisions for which `where` holds.

    Times are Unix seconds. With several, each narrows.
    """

    from_s: float | None = None
    until_s: float | None = None
    decisions: Sequence[str] = ()
    where: str | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was chosen, and so all is meant."""
        return self.from_s is None and self.until_s is None and not self.decisions and self.where is None


def choose(choice: Choice, built: Built, database: Database) -> dict[PublishedLog, list[int]]:
    """Give the chosen entries by log. Raises QueryError for SQL that is no condition."""
    times = " AND ".join(
        f"epoch(made_at) {sign} {bound!r}"
        for sign, bound in ((">=", choice.from_s), ("<", choice.until_s))
        if bound is not None
    )
    timed = times or "true"
    if choice.decisions or choice.where is not None:
        conditions = [timed]
        if choice.decisions:
            conditions.append("decision IN (SELECT unnest(?))")
        if choice.where is not None:
            conditions.append(f"({choice.where}\n)")
        wanted = f"SELECT log, {_KEY}, decision, config FROM decisions WHERE {' AND '.join(conditions)}"  # noqa: S608 - one SELECT over a locked-in database
        sql = (
            f"WITH wanted AS MATERIALIZED ({wanted}) SELECT log, {_KEY} FROM wanted"  # noqa: S608 - as above
            f" UNION SELECT log, {_KEY} FROM deliveries WHERE decision IN (SELECT decision FROM wanted)"
            f" UNION SELECT c.log, c.{_KEY} FROM configs c JOIN wanted w ON c.log = w.log AND c.config = w.config"
        )
        parameters: list[object] = [list(choice.decisions)] if choice.decisions else []
    else:
        each = (f"SELECT log, {_KEY} FROM {name} WHERE {timed}" for name in TABLES)  # noqa: S608 - our own names
        configs = (
            f"SELECT c.log, c.{_KEY} FROM configs c JOIN decisions d ON c.log = d.log AND c.config = d.config"  # noqa: S608 - as above
            f" WHERE {timed.replace('made_at', 'd.made_at')}"
        )
        sql, parameters = " UNION ".join([*each, configs]), []
    chosen: defaultdict[str, list[int]] = defaultdict(list)
    for log, index in database.select(sql, parameters).rows:
        chosen[log].append(index)
    if not chosen:
        raise QueryError("nothing was chosen: no entry fits. Mend: try it with `situs audit query` first")
    geneses = database.select(f"SELECT log, {_KEY} FROM lifecycle WHERE event = 'genesis'").rows  # noqa: S608 - ours
    for log, index in geneses:
        if log in chosen:
            chosen[log].append(index)
    return {log: sorted(set(chosen[log.name])) for log in built.logs if log.name in chosen}
