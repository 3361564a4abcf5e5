"""`situs audit show`: read the records of logs."""

import argparse
import json
import re
import sys
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from extproc.archive import ArchiveError
from extproc.audit.findings import EXIT_VERIFIED
from extproc.audit.show import Record, read_records
from extproc.cli.audit.terminal import words
from extproc.cli.audit.usage import usage
from extproc.core.ids import DecisionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.errors import LedgerError
from extproc.names import DECISION_HEADER
from extproc.notes.errors import NoteError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_KINDS: Final = tuple(field.name for field in pb.Entry.DESCRIPTOR.oneofs_by_name["kind"].fields)
_PIPE_WIDTH: Final = 240
_DECISION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_SHOW: Final = """\
Show the records of every log in a folder, in a zip file or in an object store. Verifies nothing:
run `situs audit verify` first."""

_SHOW_END: Final = """\
examples:
  situs audit show /var/lib/situs/log --kind decision --last 20
  situs audit show /var/lib/situs/log --decision 019323f5-7a10-7cc2-8a4e-3f0d5b1c9e77 --json"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "show",
        help="show records",
        description=_SHOW,
        epilog=_SHOW_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "place", metavar="PLACE", help="a folder with a log or with logs below it, a zip file, or s3://BUCKET/PREFIX"
    )
    parser.add_argument(
        "--kind", choices=_KINDS, action="append", default=[], help="records of this kind; may be given again"
    )
    parser.add_argument("--decision", metavar="ID", help="records about this decision")
    parser.add_argument("--last", metavar="N", type=int, help="the last N of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit show`."""
    decision = None if args.decision is None else DecisionId(args.decision)
    if decision is not None and not _DECISION.fullmatch(decision):
        return usage(
            "show", f"{decision} is no decision id. Mend: give the UUID that an answer bears in {DECISION_HEADER}"
        )
    try:
        records: Iterable[Record] = read_records(args.place, kinds=frozenset(args.kind), decision=decision)
        if args.last is not None:
            records = deque(records, maxlen=max(0, args.last))
        if args.json:
            for record in records:
                sys.stdout.write(json.dumps(record.to_json()) + "\n")
        else:
            _print_records(records)
    except (ArchiveError, LedgerError, NoteError, OSError, ValueError) as error:
        return usage("show", str(error))
    return EXIT_VERIFIED


def _print_records(records: Iterable[Record]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("time (UTC)", "log", "entry", "kind", "decision", "what"):
        table.add_column(column, overflow="fold", justify="right" if column == "entry" else "left")
    for record in records:
        try:
            at = datetime.fromtimestamp(record.entry.at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        except (ValueError, OverflowError, OSError):
            at = f"{record.entry.at_s} s"
        table.add_row(
            at, words(record.log), f"{record.index:,}", record.kind, record.decision or "", words(record.summary())
        )
    # A file or a pipe has no width of its own, and a table that is cut there cannot be searched.
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    console.print(table)
