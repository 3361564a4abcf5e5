"""`situs audit export`: evidence in one file that needs nothing else."""

import argparse
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from extproc.archive import Archive, ArchiveError, open_archive
from extproc.audit.published import PublishedLog, find_published
from extproc.cli.audit.proving import add_engine, add_trust, load_trusted, showing, trust_for, warn_untold
from extproc.cli.audit.terminal import words
from extproc.cli.audit.usage import usage
from extproc.engine import Engine, EngineError, open_engine
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.export.choosing import Choice
    from extproc.export.parts import Exported
    from extproc.export.picked import PickedArchive
    from extproc.parquet.building import Built
    from extproc.parquet.database import Database

_INTEGRITY: Final = 2
_DECISION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXPORT: Final = """\
Write evidence into one zip file that verifies with no access to anything else.

Whole logs go in as they are, as far as their checkpoints reach. With --from, --to, --decision or --where only some
records do, each with its proof of inclusion. The file says in a README how to verify it with and without this program.
The same input gives the same bytes."""

_EXPORT_END: Final = """\
exit status:
  0  written
  1  usage: no log there, or nothing chosen
  2  integrity: a log's files contradict each other, so it cannot be exported

The summary says what verification found. It is the exporter's word: --sign KEY signs it (Ed25519, in a DSSE envelope).

examples:
  situs audit export /var/lib/situs/log --output evidence.zip --key operator.vkey --sign release.key
  situs audit export s3://evidence-eu/situs --output november.zip --from 2026-11-01 --to 2026-12-01 --csv
  situs audit export LOGS --output transfers.zip --where "transfer AND tenant = 'acme'"
  situs audit verify evidence.zip --key operator.vkey
  situs audit check-proof november.zip --key operator.vkey"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="write evidence into one file that needs nothing else",
        description=_EXPORT,
        epilog=_EXPORT_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("place", metavar="PLACE", help="a folder, a zip file or s3://BUCKET/PREFIX")
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help="the zip file that is written")
    parser.add_argument(
        "--logs", metavar="ORIGIN", action="append", default=[], help="only logs at or below this; may be given again"
    )
    parser.add_argument("--from", dest="from_at", metavar="TIME", help="only records from this day or time on (UTC)")
    parser.add_argument("--to", dest="to_at", metavar="TIME", help="only records before this day or time (UTC)")
    parser.add_argument(
        "--decision", metavar="ID", action="append", default=[], help="only what is about this; may be given again"
    )
    parser.add_argument("--where", metavar="SQL", help="only decisions for which this condition holds, and deliveries")
    parser.add_argument("--csv", action="store_true", help="add each table as CSV")
    parser.add_argument("--otlp", action="store_true", help="add the records as OpenTelemetry log records")
    parser.add_argument("--sign", metavar="KEY", type=Path, help="sign the summary by this private key")
    add_trust(parser)
    add_engine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit export`."""
    from extproc.export.picked import MissingTileError
    from extproc.extra import MissingExtraError
    from extproc.parquet.database import QueryError
    from extproc.trust.delegation import covers

    try:
        choice = _choice(args)
        archive = open_archive(args.place)
        logs = [
            log
            for log in find_published(archive)
            if not args.logs or any(covers(scope, log.origin) for scope in args.logs)
        ]
        if not logs:
            return usage("export", f"{args.place}: no such log. Mend: name the folder that holds the logs")
        exported = _export(args, archive, logs, choice)
    except MissingTileError as error:
        return _fail(str(error))
    except (QueryError, MissingExtraError, ArchiveError, EngineError, ValueError, OSError) as error:
        return usage("export", str(error))
    except (LedgerError, NoteError) as error:
        return _fail(str(error))
    size = args.output.stat().st_size
    _say(f"{args.output}: {exported.entries:,} entries of {len(logs)} logs, {size:,} bytes")
    return 0


def _export(args: argparse.Namespace, archive: Archive, logs: list[PublishedLog], choice: "Choice") -> "Exported":
    """Load what is needed, and write."""
    from extproc.audit.verify import verify
    from extproc.export.choosing import choose
    from extproc.export.evidence import export_logs
    from extproc.export.parts import Extras
    from extproc.export.selection import export_selection
    from extproc.notes.keys import load_key

    engine, trust = open_engine(args.engine), load_trusted(args)
    warn_untold(trust)
    extras = Extras(signer=None if args.sign is None else load_key(args.sign), csv=args.csv, otlp=args.otlp)
    with tempfile.TemporaryDirectory(prefix="situs-export-") as scratch:
        if not choice.is_whole:
            database, built = _tables(archive, logs, Path(scratch), engine)
            try:
                chosen = choose(choice, built, database)
            finally:
                database.close()
            with showing("exporting", total=sum(map(len, chosen.values()))) as progress:
                return export_selection(
                    archive,
                    chosen,
                    args.output,
                    trust_for=lambda log: trust_for(trust, archive, log),
                    authorship=bool(trust.roots),
                    extras=extras,
                    progress=progress,
                )
        with showing("exporting", total=sum(log.size for log in logs)) as progress:
            return export_logs(
                archive,
                logs,
                args.output,
                verify=lambda picked: verify(picked, trust, engine=engine),
                trust=trust,
                extras=extras,
                tables=lambda picked: _tables(picked, logs, Path(scratch), engine)[0],
                progress=progress,
            )


def _tables(
    archive: "Archive | PickedArchive", logs: list[PublishedLog], folder: Path, engine: Engine
) -> "tuple[Database, Built]":
    """Make the tables of some logs, for this once."""
    from extproc.parquet.building import build
    from extproc.parquet.database import Database, sources_of

    built = build(archive, folder, engine, logs=logs)
    return Database(sources_of(built)), built


def _choice(args: argparse.Namespace) -> "Choice":
    """Read what was chosen. Raises ValueError."""
    from extproc.export.choosing import Choice

    for each in args.decision:
        if _DECISION.fullmatch(each) is None:
            raise ValueError(f"--decision {each}: expected the UUID of a decision")
    return Choice(
        from_s=_time(args.from_at, "--from"),
        until_s=_time(args.to_at, "--to"),
        decisions=tuple(args.decision),
        where=args.where,
    )


def _time(text: str | None, option: str) -> float | None:
    """Read a day or a time; without a zone it is UTC."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{option} {text}: expected a day or a time such as 2026-11-21T06:00:00Z") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _say(text: str) -> None:
    Console(stderr=True).print(words(text), soft_wrap=True)


def _fail(message: str) -> int:
    _say(f"situs audit export: {message}")
    return _INTEGRITY
