"""A database over the tables that can read them and nothing else.

Owns the locking-in: no file, no extension, no setting, no second database can be reached from SQL, and only single
SELECTs are run. Two walls, of which each stands alone: what a statement may be is asked before it runs, and the engine
itself has no access to anything.
"""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from extproc.extra import load_extra
from extproc.parquet.arrow import ArrowTable, schema_of
from extproc.parquet.building import Built
from extproc.parquet.tables import TABLES
from extproc.parquet.views import VIEWS

Connection: TypeAlias = Any
"""A DuckDB connection."""
Cells: TypeAlias = tuple[Any, ...]
"""One row of a result: texts, numbers, datetimes in UTC, lists, dicts and None."""

MEMORY: Final = "1GB"
_FETCHED: Final = 2048


class QueryError(Exception):
    """SQL that cannot be run; the message says why, and the mend."""


@dataclass(frozen=True, slots=True)
class Result:
    """The columns of a result, and its rows as they come."""

    columns: tuple[str, ...]
    rows: Generator[Cells]


class Database:
    """Answers SELECTs over sources, each an Arrow table or dataset by the name of its table."""

    def __init__(
        self, sources: Mapping[str, ArrowTable], *, memory: str = MEMORY, timeout_s: float | None = None
    ) -> None:
        """Register the sources and lock the rest out. Raises QueryError for an amount of memory that is none.

        A query that goes on for longer than `timeout_s` is ended; None lets it.
        """
        self._timeout_s = timeout_s
        duckdb = load_extra("duckdb")
        pa = load_extra("pyarrow")
        try:
            self._connection = duckdb.connect(
                ":memory:",
                config={
                    "memory_limit": memory,
                    "enable_external_access": "false",
                    "python_enable_replacements": "false",
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "temp_directory": "",
                },
            )
        except duckdb.Error as error:
            raise QueryError(f"memory {memory!r}: {_first_line(error)}") from None
        for name, table in TABLES.items():
            source = sources.get(name)
            if source is None:
                empty = schema_of(table).append(pa.field("date", pa.date32()))
                source = empty.empty_table()
            self._connection.register(name, source)
        for view in VIEWS.values():
            self._connection.execute(f"CREATE VIEW {view.name} AS {view.sql}")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET lock_configuration = true")

    @property
    def connection(self) -> Connection:
        """The connection itself, locked in as it is."""
        return self._connection

    def select(self, sql: str, parameters: Sequence[object] = ()) -> Result:
        """Run one SELECT. Raises QueryError."""
        duckdb = load_extra("duckdb")
        check_select(sql)
        with self._limited() as limit:
            try:
                relation = self._connection.sql(sql, params=list(parameters))
            except duckdb.Error as error:
                raise QueryError(limit.say(error)) from None
        return Result(tuple(relation.columns), self._fetch(relation))

    def tables(self) -> tuple[str, ...]:
        """Name the tables, without the views."""
        return tuple(TABLES)

    def close(self) -> None:
        """Let go of everything."""
        self._connection.close()

    def _fetch(self, relation: Connection) -> Generator[Cells]:
        """Give the rows by way of Arrow: times come with their zone, and a result of any length in little memory."""
        duckdb, pa = load_extra("duckdb"), load_extra("pyarrow")
        with self._limited() as limit:
            try:
                # Closed when whoever reads has read enough: until then the connection answers nothing else.
                with relation.to_arrow_reader(_FETCHED) as reader:
                    for batch in reader:
                        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise QueryError(limit.say(error)) from None
            except (OverflowError, ValueError) as error:
                # Times and intervals that SQL has and Python has not.
                raise QueryError(f"a value that cannot be shown: {error}. Mend: cast it to VARCHAR") from None

    @contextmanager
    def _limited(self) -> Iterator["_Limit"]:
        """End the query within when its time is over."""
        limit = _Limit(self._connection, self._timeout_s)
        try:
            yield limit
        finally:
            limit.cancel()


class _Limit:
    """Ends what a connection does after some time, unless it is cancelled before."""

    def __init__(self, connection: Connection, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._over = threading.Event()
        self._connection = connection
        self._timer = None if timeout_s is None else threading.Timer(timeout_s, self._end)
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        """Let it go on."""
        if self._timer is not None:
            self._timer.cancel()

    def say(self, error: Exception) -> str:
        """Say why the query ended."""
        if self._over.is_set():
            return f"ended after {self._timeout_s:g} s. Mend: ask for less, or give it more by --timeout"
        return _say(error)

    def _end(self) -> None:
        self._over.set()
        self._connection.interrupt()


def sources_of(built: Built) -> dict[str, Any]:
    """Give the files of built tables as datasets, which are read as far as a query needs them."""
    pa, ds = load_extra("pyarrow"), load_extra("pyarrow.dataset")
    system, base = built.place.open()
    by_day = ds.partitioning(pa.schema([("date", pa.date32())]), flavor="hive")
    return {
        name: ds.dataset(
            [f"{base}/{path}" for path in paths],
            schema=schema_of(TABLES[name]).append(pa.field("date", pa.date32())),
            format="parquet",
            filesystem=system,
            partitioning=by_day,
            partition_base_dir=base,
        )
        for name, paths in built.files.items()
        if paths
    }


@cache
def parser() -> Connection:
    """Give a connection that holds nothing and reads SQL; made once."""
    return load_extra("duckdb").connect(":memory:", config={"enable_external_access": "false"})


def check_select(sql: str) -> None:
    """Raise QueryError for anything that is not one single SELECT."""
    duckdb = load_extra("duckdb")
    try:
        statements = parser().extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(_say(error)) from None
    if len(statements) != 1:
        raise QueryError(f"expected one statement, found {len(statements)}")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise QueryError(
            f"only SELECT is answered here, and this is {kind.name}: records are read, and never changed. Mend: write a"
            " SELECT over the tables that `situs audit query --schema` lists"
        )


def _say(error: Exception) -> str:
    """Give the engine's own words, which point to the place; the names of tables are ours."""
    text = str(error).strip()
    if "does not exist" in text and "Table with name" in text:
        text += f"\nTables and views: {', '.join([*TABLES, *VIEWS])}"
    return text


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
