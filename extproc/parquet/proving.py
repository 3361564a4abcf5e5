"""Proving the rows of a query: from the stored bytes up, as if there were no tables.

Owns what `--verify` means. For each row: the bytes of its entries are read from the log and hashed, their inclusion is
proven against the checkpoint, whose signature is checked, and the row is made again from these bytes and compared.
What it does not show is that no row is missing: that is for `situs audit verify`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from extproc.archive import Archive
from extproc.audit.check_proof import check_proof
from extproc.audit.prove import prove_all
from extproc.audit.published import PublishedLog
from extproc.audit.trust import Trust
from extproc.extra import load_extra
from extproc.parquet.arrow import ArrowTable
from extproc.parquet.building import Built
from extproc.parquet.context import Context
from extproc.parquet.database import Cells, Database, QueryError
from extproc.parquet.statement import PlainQuery
from extproc.parquet.tabulate import Tabulator
from extproc.parquet.views import VIEWS

_HOW = (
    "--verify proves rows by the entries they are made of. Mend: write a plain SELECT over one table or view, without"
    " GROUP BY, DISTINCT, joins or subqueries; or let the result carry the columns log and index, by whose entry each"
    " row is then proven"
)


class UnprovenError(Exception):
    """A row that is not what the stored bytes give."""


@dataclass(slots=True, kw_only=True)
class Proven:
    """What was proven: `entries` by log, and the columns of a result that no entry could be held against."""

    rows: int = 0
    entries: dict[str, int] = field(default_factory=dict)
    checkpoints: dict[str, int] = field(default_factory=dict)
    columns_not_compared: tuple[str, ...] = ()
    absence: str = ""
    """What the rows also say of entries that are not there: that is not proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Proves rows that were selected from `built`, over the logs of `archive`, by keys of the auditor's own.

    `trust_for` gives what is trusted for a log. `progress` is called with the number of entries proven since the last
    call.
    """

    archive: Archive
    built: Built
    database: Database
    trust_for: Callable[[PublishedLog], Trust]
    progress: Callable[[int], None] | None = None

    def prove_plain(self, query: PlainQuery, rows: Sequence[Cells]) -> Proven:
        """Prove the rows of a plain query, whose last columns are the hidden ones.

        The query runs again over nothing but what the proven bytes give, and must give these rows. Raises
        UnprovenError, and as :func:`extproc.audit.check_proof.check_proof`.
        """
        hidden = [row[-query.hidden :] for row in rows]
        found, tables = self._prove(
            (each[i], each[i + 1]) for each in hidden for i in range(0, query.hidden, 2) if each[i] is not None
        )
        with_dates = {name: _with_date(table) for name, table in tables.items()}
        again = Database(with_dates)
        try:
            left = Counter(map(_key, again.select(query.unlimited).rows))
        finally:
            again.close()
        for row in rows:
            key = _key(row)
            if not left[key]:
                raise UnprovenError(self._differs(row[-query.hidden], row[-query.hidden + 1]))
            left[key] -= 1
        found.rows = len(rows)
        found.absence = VIEWS[query.view].absence if query.view in VIEWS else ""
        return found

    def prove_named(self, columns: Sequence[str], rows: Sequence[Cells]) -> Proven:
        """Prove rows of any query by the entry that their columns `log` and `index` name.

        Of the others, those with the name of a column that the entry's row has are compared; the rest are listed.
        Raises QueryError where a row names no entry, and as :meth:`prove_plain`.
        """
        if columns.count("log") != 1 or columns.count("index") != 1:
            raise QueryError(_HOW)
        at_log, at_index = columns.index("log"), columns.index("index")
        found, tables = self._prove((row[at_log], row[at_index]) for row in rows)
        made: defaultdict[tuple[object, object], list[dict[str, object]]] = defaultdict(list)
        for table in tables.values():
            for each in _with_date(table).to_pylist():
                made[each["log"], each["index"]].append(each)
        compared: set[str] = set()
        for row in rows:
            candidates = made[row[at_log], row[at_index]]
            said = dict(zip(columns, row, strict=True))
            names = [name for name in columns if any(name in each for each in candidates)]
            compared.update(names)
            # An entry may have rows in two tables, and a join has columns of both: each must be of a row that fits.
            fitting = [e for e in candidates if all(_key([e[n]]) == _key([said[n]]) for n in names if n in e)]
            if not all(any(name in each for each in fitting) for name in names):
                raise UnprovenError(self._differs(row[at_log], row[at_index]))
        found.rows = len(rows)
        found.columns_not_compared = tuple(name for name in columns if name not in compared)
        return found

    def _prove(self, named: Iterable[tuple[object, object]]) -> tuple[Proven, Mapping[str, ArrowTable]]:
        """Prove entries, and make their rows again from the proven bytes alone."""
        pa = load_extra("pyarrow")
        wanted: defaultdict[str, set[int]] = defaultdict(set)
        for log, index in named:
            if not isinstance(log, str) or not isinstance(index, int):
                raise QueryError(f"a row names no entry: log {log!r}, index {index!r}. {_HOW}")
            wanted[log].add(index)
        logs = {log.name: log for log in self.built.logs}
        found, tables = Proven(), defaultdict[str, list[ArrowTable]](list)
        for name, indices in sorted(wanted.items()):
            if name not in logs:
                raise UnprovenError(f"{name}: a row names this log, and there is none of this name here")
            log = logs[name]
            tabulator = Tabulator(log.name, log.origin, Context())
            trust = self.trust_for(log)
            # What the rows need to know of the entries before them is proven like the rows themselves.
            for proof in prove_all(self.archive, log, sorted(indices | self._contexts(log, indices))):
                checked = check_proof(proof.proof, proof.entry, trust, delegations=proof.delegations)
                if checked.origin != log.origin:
                    raise UnprovenError(f"{name}: entry {proof.index} is proven for {checked.origin}")
                found.checkpoints[log.origin] = max(found.checkpoints.get(log.origin, 0), checked.size)
                tabulator.take(proof.index, proof.entry)
                if self.progress is not None:
                    self.progress(1)
            found.entries[log.origin] = len(indices)
            for table, rows in tabulator.tables().items():
                tables[table].append(rows)
        return found, {name: pa.concat_tables(parts) for name, parts in tables.items()}

    def _contexts(self, log: PublishedLog, indices: set[int]) -> set[int]:
        """Give the entries that say what these were made under: Genesis, configurations, and all legal orders."""
        rows = self.database.select(
            'SELECT "index" FROM configs WHERE log = ? AND "index" <= ? UNION ALL SELECT "index" FROM lifecycle'
            " WHERE log = ? AND event = 'genesis' UNION ALL SELECT \"index\" FROM overrides WHERE log = ?",
            [log.name, max(indices), log.name, log.name],
        ).rows
        return {index for (index,) in rows}

    def _differs(self, log: object, index: object) -> str:
        return (
            f"{log}: entry {index}: the row is not what the stored bytes give. The entry is proven; the table is wrong."
            " Mend: remove the cache and ask again"
        )


def _with_date(table: ArrowTable) -> ArrowTable:
    """Add the day that a file's folder would have."""
    pa, pc = load_extra("pyarrow"), load_extra("pyarrow.compute")
    return table.append_column("date", pc.fill_null(table["made_at"].cast(pa.date32()), pa.scalar(0, pa.date32())))


def _key(row: Iterable[object]) -> str:
    """Write a row so that equal rows are equal, whatever is in them."""
    return json.dumps(list(row), default=str, sort_keys=True)
