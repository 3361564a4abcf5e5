"""`situs audit verify`: prove or refute that logs are whole and signed."""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from extproc.archive import ArchiveError, open_archive
from extproc.audit.check_proof import is_selection
from extproc.audit.checks.kept import Kept
from extproc.audit.trust import load_trust
from extproc.audit.verify import find_logs, verify
from extproc.cli.audit.proving import add_trust
from extproc.cli.audit.usage import usage
from extproc.cli.audit.verify_text import print_verification, verification_to_json
from extproc.engine import EngineError, open_engine
from extproc.export.checking import check_export
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError
from extproc.trust.tlog_policy import NONE

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PERIOD: Final = re.compile(r"(?P<count>[0-9]+)(?P<unit>[smhd])", re.ASCII)

_SELECTION: Final = (
    "{}: chosen records with their proofs, and no log: whether there are others it cannot show. "
    "Mend: check the proofs with `situs audit check-proof`, and ask for whole logs to verify"
)

_VERIFY: Final = """\
Verify every log in a folder, in a zip file or in an object store.

Hashes every entry again and compares every tile; checks the signatures of checkpoints, and that every batch of the
write-ahead log is in the published log; follows each log to the one before it and each key to the one before it; holds
what witnesses and root logs have seen against what is here; looks for holes in the numbering of decisions and in the
heartbeats; and works out again, for each delivery, whether every region that received the request was one that the
decision permitted.

An attempt that began after a legal order had taken out its region, model or legal basis is named too: the retry of a
request that was decided before. That is no violation. A violation that somebody has acknowledged stays one, and says
who has looked at it (`situs audit acknowledge`).

Give --key the public key that the operator handed you once, before you needed it, or --trust a policy that names keys
and witnesses. Without either the key beside the log is used: then the result says that the files are consistent, but
not who made them.

A log shows that nobody changed it after signing. That its owner never signed another one, witnesses show, or a
checkpoint that you kept yourself: keep one of each log now and then, and give it with --kept. That decisions follow
from their policies, `situs audit replay` shows.

Of an export the list of files and the summary are checked too, and who signed that, by the same keys."""

_VERIFY_END: Final = """\
exit status:
  0  verified
  1  usage: no log there, or a key that cannot be read
  2  integrity: the files contradict each other or their signatures; do not rely on them
  3  incomplete: sound as far as it goes, but something that should be there is missing
  4  trust: no key that you gave has signed this, or not when it might, or too few witnesses have seen it
  5  violation: sound, and it shows that a request went where it was not permitted to go

engines:
  auto           one process for each core (the default)
  serial         this process alone
  processes=N    so many processes
  dask=ADDRESS   a Dask cluster whose workers see the same place; their word is taken

examples:
  situs audit verify /var/lib/situs/log --key operator.vkey
  situs audit verify evidence.zip --trust trust.policy --witnessed-within 10m
  situs audit verify s3://evidence/acme/prod --trust trust.policy --engine dask=tcp://10.0.0.7:8786
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
    parser.add_argument(
        "place", metavar="PLACE", help="a folder with a log or with logs below it, a zip file, or s3://BUCKET/PREFIX"
    )
    add_trust(parser)
    parser.add_argument(
        "--witnessed-within",
        metavar="PERIOD",
        type=_period,
        help="with --trust: the witnesses must have seen each log so shortly before its end: 90s, 10m, 1h, 1d",
    )
    parser.add_argument(
        "--kept",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that you kept from an earlier day, a copy of log/checkpoint; may be given again",
    )
    parser.add_argument(
        "--every-signature",
        action="store_true",
        help="verify the signature of every batch, not only those that vouch for all others",
    )
    parser.add_argument("--engine", metavar="ENGINE", default="auto", help="where the work is done; see below")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="print nothing; the exit status tells")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit verify`."""
    began = time.monotonic()
    if args.witnessed_within is not None and args.trust is None:
        message = "--witnessed-within asks for witnesses. Mend: name them with --trust FILE"
        return usage("verify", message, quiet=args.quiet)
    try:
        trust = load_trust(args.key, policy=args.trust, witnessed_within_s=args.witnessed_within)
        if trust.witnessed_within_s is not None and (trust.policy is None or trust.policy.quorum == NONE):
            message = f"{args.trust}: --witnessed-within asks for witnesses. Mend: name a quorum there, not {NONE}"
            return usage("verify", message, quiet=args.quiet)
        engine = open_engine(args.engine)
        with _progress(shown=not args.quiet) as progress:
            archive = open_archive(args.place)
            if is_selection(archive) and not find_logs(archive):
                return usage("verify", _SELECTION.format(args.place), quiet=args.quiet)
            result = verify(
                archive,
                trust,
                engine=engine,
                progress=progress,
                every_signature=args.every_signature,
                kept=[Kept(file=str(path), note=path.read_bytes()) for path in args.kept],
            )
            stated = check_export(archive, [key.public for key in trust.roots], result.logs)
            result = replace(result, findings=[*result.findings, *stated])
    except FileNotFoundError as error:
        return usage("verify", f"{error.filename} does not exist. Mend: check the path", quiet=args.quiet)
    except (ArchiveError, EngineError, LedgerError, NoteError, OSError) as error:
        return usage("verify", str(error), quiet=args.quiet)
    if args.json:
        sys.stdout.write(json.dumps(verification_to_json(result)) + "\n")
    elif not args.quiet:
        print_verification(result, time.monotonic() - began)
    return result.exit_status


def _period(text: str) -> float:
    """Read a time such as 10m, in seconds."""
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number and s, m, h or d, such as 10m")
    return float(int(match["count"]) * _UNITS[match["unit"]])


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how many entries were verified, on a terminal."""
    errors = Console(stderr=True)
    columns = (
        TextColumn("verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("entries"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not (shown and errors.is_terminal)) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda entries, total: bar.update(task, advance=entries, total=total)
