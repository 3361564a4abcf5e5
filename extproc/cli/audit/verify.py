"""`situs audit verify`: prove or refute that logs are whole and signed."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from extproc.audit.findings import Category, Verification
from extproc.audit.trust import load_trust
from extproc.audit.verify import verify
from extproc.cli.audit.usage import usage
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_SHOWN: Final = 50
"""Most findings that are printed of one category; --json gives them all."""
_COLOURS: Final = {
    Category.INTEGRITY: "bold red",
    Category.TRUST: "bold red",
    Category.VIOLATION: "bold red",
    Category.INCOMPLETE: "yellow",
    Category.NOTE: "dim",
}
_VERIFY: Final = """\
Verify a log, or every log below a folder.

Hashes every entry again and compares every tile; checks the signature of the checkpoint and of every batch; holds the
write-ahead log against the published one; follows each log to the one before it; looks for holes in the numbering of
decisions; and works out again, for each delivery, whether every region that received the request was one that the
decision permitted.

Give --key the public key that the operator handed you once, before you needed it. Without it the key beside the log is
used: then the result says that the files are consistent, but not who made them."""

_VERIFY_END: Final = """\
exit status:
  0  verified
  1  usage: no log there, or a key that cannot be read
  2  integrity: the files contradict each other or their signatures; do not rely on them
  3  incomplete: sound as far as it goes, but something that should be there is missing
  4  trust: no key that you gave has signed this
  5  violation: sound, and it shows that a request went where it was not permitted to go

examples:
  situs audit verify /var/lib/situs/log --key operator.vkey
  situs audit verify evidence/node-1/w0/000001-5f3a90c2 --json | jq .result"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="prove or refute that logs are whole and signed",
        description=_VERIFY,
        epilog=_VERIFY_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="a log, or a folder with logs below it")
    parser.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a .vkey file that you trust, or a folder of them; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="print nothing; the exit status tells")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit verify`."""
    errors = Console(stderr=True)
    began = time.monotonic()
    try:
        trust = load_trust(args.key)
        with Progress(
            TextColumn("verifying"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} entries"),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=args.quiet or not errors.is_terminal,
        ) as bar:
            task = bar.add_task("verifying", total=None)
            result = verify(args.directory, trust, progress=lambda entries: bar.advance(task, entries))
    except FileNotFoundError as error:
        return usage("verify", f"{error.filename} does not exist. Mend: check the path", quiet=args.quiet)
    except (LedgerError, NoteError, OSError) as error:
        return usage("verify", str(error), quiet=args.quiet)
    if args.json:
        sys.stdout.write(json.dumps(_to_json(result)) + "\n")
    elif not args.quiet:
        _print(result, time.monotonic() - began)
    return result.exit_status


def _print(result: Verification, took_s: float) -> None:
    console = Console()
    for log in result.logs:
        console.print(Text(log.origin or log.directory, style="bold"), soft_wrap=True)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(log.kinds.items()))
        console.print(Text(f"  {log.size:,} entries ({kinds})"), soft_wrap=True)
        console.print(
            Text(f"  root {log.root.hex()}, signed by key {', '.join(log.signed_by) or 'none trusted'}"), soft_wrap=True
        )
        console.print(
            Text(f"  {log.tiles:,} tiles and {log.frames:,} batches compared, {'closed' if log.closed else 'open'}")
        )
    if result.deliveries or result.undelivered:
        found = ", ".join(f"{count:,} {finding}" for finding, count in sorted(result.deliveries.items()))
        console.print(
            Text(f"deliveries: {found or 'none'}; {result.undelivered:,} decisions of which Envoy reported nothing"),
            soft_wrap=True,
        )
    for category in Category:
        findings = [finding for finding in result.findings if finding.category is category]
        for finding in findings[:_SHOWN]:
            console.print(Text(f"{category.value}: ", style=_COLOURS[category]) + Text(str(finding)), soft_wrap=True)
        if len(findings) > _SHOWN:
            console.print(Text(f"{category.value}: and {len(findings) - _SHOWN:,} more; --json gives all"))
    entries = sum(log.size for log in result.logs)
    verdict = Text(result.result.upper(), style="bold green" if result.worst is None else _COLOURS[result.worst])
    console.print(Text("RESULT ") + verdict + Text(f"  ({entries:,} entries in {took_s:.1f} s)"))


def _to_json(result: Verification) -> dict[str, object]:
    return {
        "result": result.result,
        "exit_status": result.exit_status,
        "logs": [
            {
                "directory": log.directory,
                "origin": log.origin,
                "size": log.size,
                "root": log.root.hex(),
                "closed": log.closed,
                "signed_by": log.signed_by,
                "tiles": log.tiles,
                "frames": log.frames,
                "kinds": dict(log.kinds),
            }
            for log in result.logs
        ],
        "deliveries": dict(result.deliveries),
        "undelivered": result.undelivered,
        "findings": [
            {
                "category": finding.category.value,
                "file": finding.file,
                "entry": finding.entry,
                "message": finding.message,
                "expected": finding.expected,
                "found": finding.found,
            }
            for finding in result.findings
        ],
    }
