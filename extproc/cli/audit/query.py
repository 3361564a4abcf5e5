"""`situs audit query`: SQL over records, and the proof of what it gives."""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from extproc.archive import Archive, ArchiveError, open_archive
from extproc.cli.audit.proving import add_engine, add_trust, load_trusted, showing, trust_for, warn_untold
from extproc.cli.audit.terminal import json_line, words
from extproc.cli.audit.terminal import plain as safe
from extproc.cli.audit.usage import usage
from extproc.engine import EngineError, open_engine
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError, UnknownSignerError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.parquet.building import Built
    from extproc.parquet.database import Cells, Database
    from extproc.parquet.proving import Proven

_SHOWN: Final = 1000
"""Rows of a table for people, where --limit says nothing."""
_INTEGRITY: Final = 2
_TRUST: Final = 4
_PIPE_WIDTH: Final = 240

_QUERY: Final = """\
Ask records in SQL (DuckDB's), over tables that are made from the logs and kept for the next time.

Only SELECT is answered. The database has no access to files, networks, extensions or settings, so a query that somebody
sent you can do nothing but read records.

--verify proves each row that is printed: the bytes of its entry are read from the log, their inclusion is proven
against the signed checkpoint, and the row is made again from them and compared. It does not show that no row is
missing: for that, run `situs audit verify`."""

_QUERY_END: Final = """\
exit status:
  0  done
  1  usage: no log there, or SQL that cannot be run
  2  integrity: a row, an entry or a checkpoint is not what the log proves
  4  trust: no key that you gave has signed

examples:
  situs audit query --schema
  situs audit query "SELECT outcome, refusal, count(*) FROM decisions GROUP BY ALL" /var/lib/situs/log
  situs audit query "SELECT * FROM violations" evidence.zip --verify --key operator.vkey
  situs audit query "SELECT importer, mechanism, count(*) FROM transfers WHERE date >= '2026-11-01' GROUP BY ALL" LOGS
  situs audit query "SELECT made_at, decision, tenant, region FROM decisions WHERE transfer" LOGS --format csv"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "query",
        help="ask records in SQL, and prove the answer",
        description=_QUERY,
        epilog=_QUERY_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sql", metavar="SQL", nargs="?", help="one SELECT; - reads it from standard input")
    parser.add_argument("place", metavar="PLACE", nargs="?", help="a folder, a zip file or s3://BUCKET/PREFIX")
    parser.add_argument("--schema", action="store_true", help="print the tables and what their columns mean")
    parser.add_argument("--verify", action="store_true", help="prove each row that is printed")
    add_trust(parser)
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
    parser.add_argument(
        "--limit", metavar="N", type=int, help=f"print at most N rows (default: {_SHOWN} of a table, else all)"
    )
    parser.add_argument(
        "--cache", metavar="DIR", type=Path, help="keep the tables there (default: in your cache folder, by place)"
    )
    parser.add_argument("--memory", default="1GB", metavar="SIZE", help="most memory that a query takes (default: 1GB)")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=float,
        default=600.0,
        help="end a query after so long (default: 600; 0 lets it go on)",
    )
    add_engine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit query`."""
    from extproc.extra import MissingExtraError
    from extproc.parquet.database import Database, QueryError, sources_of
    from extproc.parquet.proving import UnprovenError
    from extproc.parquet.views import describe

    if args.schema:
        sys.stdout.write(describe())
        return 0
    if args.sql is None or args.place is None:
        return usage("query", 'expected SQL and a place. Mend: situs audit query "SELECT * FROM gaps" LOGS')
    if args.limit is not None and args.limit < 0:
        return usage("query", f"--limit {args.limit}: expected 0 or more")
    sql = sys.stdin.read() if args.sql == "-" else str(args.sql)
    try:
        archive = open_archive(args.place)
        built = _build(archive, args)
        if not built.logs:
            return usage("query", f"{args.place}: no published log. Mend: name the folder that holds the logs")
        database = Database(sources_of(built), memory=args.memory, timeout_s=args.timeout or None)
        try:
            return _answer(args, sql, archive, built, database)
        finally:
            database.close()
    except UnknownSignerError as error:
        return _fail(str(error), _TRUST)
    except UnprovenError as error:
        return _fail(str(error), _INTEGRITY)
    except (QueryError, MissingExtraError, ArchiveError, EngineError, OSError) as error:
        return usage("query", str(error))
    except (LedgerError, NoteError) as error:
        return _fail(str(error), _INTEGRITY)


def cache_for(archive: Archive) -> Path:
    """Give the folder of a place's tables in the user's cache, which nobody else may read."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    here = Path(archive.location)
    named = str(here.resolve()) if here.exists() else archive.location
    folder = Path(home) / "situs" / "tables" / hashlib.sha256(named.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _build(archive: Archive, args: argparse.Namespace) -> "Built":
    from extproc.parquet.building import build

    out = cache_for(archive) if args.cache is None else args.cache
    with showing("making tables") as progress:
        return build(archive, out, open_engine(args.engine), progress)


def _answer(args: argparse.Namespace, sql: str, archive: Archive, built: "Built", database: "Database") -> int:
    """Run the query, prove what is asked to be proven, and print."""
    limit = args.limit if args.limit is not None else (_SHOWN if args.format == "table" else None)
    if not args.verify:
        result = database.select(sql)
        _print(args.format, result.columns, result.rows, limit)
        return 0
    columns, rows, more, proven = _prove(args, sql, archive=archive, built=built, database=database, limit=limit)
    _print(args.format, columns, rows, None, more=more)
    entries = sum(proven.entries.values())
    logs = ", ".join(f"{origin} at {size:,}" for origin, size in sorted(proven.checkpoints.items())) or "no log"
    _say(f"proven: {proven.rows:,} rows by {entries:,} entries, under the checkpoints of {logs}")
    if proven.absence:
        _say(f"not proven, because no entry can show it: {proven.absence}. For that run `situs audit verify`")
    if proven.columns_not_compared:
        _say(f"not compared, because they are no columns of the entries: {', '.join(proven.columns_not_compared)}")
    return 0


def _prove(  # noqa: PLR0913 - what an answer is made of
    args: argparse.Namespace, sql: str, *, archive: Archive, built: "Built", database: "Database", limit: int | None
) -> "tuple[Sequence[str], list[Cells], bool, Proven]":
    from extproc.parquet.proving import Prover
    from extproc.parquet.statement import plain_query

    trusted = load_trusted(args)
    warn_untold(trusted)
    plain = plain_query(sql)
    result = database.select(sql if plain is None else plain.sql)
    rows, more = _take(result.rows, limit)
    with showing("proving", total=len(rows)) as progress:
        prover = Prover(
            archive=archive,
            built=built,
            database=database,
            trust_for=lambda log: trust_for(trusted, archive, log),
            progress=progress,
        )
        if plain is None:
            return result.columns, rows, more, prover.prove_named(result.columns, rows)
        proven = prover.prove_plain(plain, rows)
    return result.columns[: -plain.hidden], [row[: -plain.hidden] for row in rows], more, proven


def _take(rows: "Generator[Cells]", limit: int | None) -> "tuple[list[Cells], bool]":
    """Give at most `limit` rows, and whether there are more."""
    with closing(rows):  # as long as it is open, the database answers nothing else
        taken = list(islice(rows, limit))
        return taken, limit is not None and next(rows, None) is not None


def _print(
    form: str, columns: Sequence[str], rows: "Iterable[Cells]", limit: int | None, *, more: bool = False
) -> None:
    from extproc.export.csv_text import csv_lines, plain

    it = iter(rows)
    shown = islice(it, limit)
    match form:
        case "json":
            for row in shown:
                line = json.dumps(dict(zip(columns, row, strict=True)), default=plain, ensure_ascii=False)
                sys.stdout.write(json_line(line) + "\n")
        case "csv":
            lines = csv_lines(columns, shown)
            # A file takes the texts as they are; a terminal would do what they say.
            sys.stdout.writelines(map(safe, lines) if sys.stdout.isatty() else lines)
        case _:
            _print_table(columns, shown)
    if more or (limit is not None and next(it, None) is not None):
        _say("there are more rows; --limit N prints more")


def _print_table(columns: Sequence[str], rows: "Iterable[Cells]") -> None:
    from extproc.export.csv_text import cell_of

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(words(name), overflow="fold")
    for row in rows:
        table.add_row(*(words(value if isinstance(value, str) else cell_of(value)) for value in row))
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    console.print(table)


def _say(text: str) -> None:
    Console(stderr=True).print(words(text), soft_wrap=True)


def _fail(message: str, status: int) -> int:
    _say(f"situs audit query: {message}")
    return status
