"""`situs audit replay`: decide all recorded decisions again, and compare."""

import argparse
import json
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from extproc.archive import ArchiveError, open_archive
from extproc.audit.replay_log import Replayed, replay_logs
from extproc.cli.audit.proving import add_engine, showing
from extproc.cli.audit.terminal import words
from extproc.cli.audit.usage import usage
from extproc.engine import EngineError, open_engine
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.audit.replay_log import Difference

_DIFFERENT: Final = 2
_MISSING: Final = 3
_SHOWN: Final = 20
_REPLAY: Final = """\
Decide every recorded decision again, from the facts, the health and the time that its record holds, by the policy that
the log keeps and the orders recorded before it, and compare field by field.

Equal decisions show that this program, by these policies, decides what was decided. Whether the records are what was
written is for `situs audit verify`."""

_REPLAY_END: Final = """\
exit status:
  0  all equal
  1  usage: no log there
  2  decisions differ
  3  something is missing: a policy that the log does not keep

examples:
  situs audit replay /var/lib/situs/log
  situs audit replay evidence.zip --policies policies/ --json | jq .differences"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "replay",
        help="decide all recorded decisions again, and compare",
        description=_REPLAY,
        epilog=_REPLAY_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("place", metavar="PLACE", help="a folder, a zip file or s3://BUCKET/PREFIX")
    parser.add_argument(
        "--policies",
        metavar="DIR",
        type=Path,
        help="policies that logs do not keep: canonical forms (.json) or written ones (.yaml)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_engine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit replay`."""
    from extproc.strict_yaml.problems import DocumentError

    try:
        archive = open_archive(args.place)
        policies = {} if args.policies is None else load_policies(args.policies)
        with showing("deciding again") as progress:
            found = replay_logs(archive, engine=open_engine(args.engine), progress=progress, policies=policies)
    except (ArchiveError, EngineError, LedgerError, NoteError, DocumentError, OSError) as error:
        return usage("replay", str(error))
    if not found.equal and not found.different and not found.missing:
        return usage("replay", f"{args.place}: no decision here. Mend: name the folder that holds the logs")
    if args.json:
        sys.stdout.write(json.dumps(_to_json(found)) + "\n")
    else:
        _print(found)
    if found.different:
        return _DIFFERENT
    return _MISSING if found.missing else 0


def load_policies(folder: Path) -> dict[str, bytes]:
    """Read canonical forms by their revision. Raises DocumentError and OSError."""
    from extproc.policy.load import load_policy

    forms = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    forms += [load_policy(path).canonical for path in sorted(folder.glob("*.yaml"))]
    return {f"sha256:{sha256(form).hexdigest()}": form for form in forms}


def _print(found: Replayed) -> None:
    console = Console()
    for difference in found.differences[:_SHOWN]:
        where = f"{difference.log}: entry {difference.index}, decision {difference.decision}"
        console.print(words(where, style="bold red"), soft_wrap=True)
        for line in difference.fields:
            console.print(words(f"  {line}"), soft_wrap=True)
    if found.different > _SHOWN:
        console.print(words(f"and {found.different - min(_SHOWN, len(found.differences)):,} more that differ"))
    for reason, count in found.missing.most_common():
        console.print(words(f"missing: {reason} ({count:,} decisions)", style="yellow"), soft_wrap=True)
    if found.without_shadow:
        console.print(words(f"note: of {found.without_shadow:,} decisions the shadow policy is not here"))
    own = version("situs")
    for other, count in sorted(found.programs.items()):
        if other != own:
            console.print(words(f"note: {count:,} decisions were made by version {other}, and this is {own}"))
    done = found.equal + found.different
    console.print(
        words(f"RESULT {done:,} decisions decided again: {found.equal:,} equal, {found.different:,} different")
    )


def _to_json(found: Replayed) -> dict[str, object]:
    def one(difference: "Difference") -> dict[str, object]:
        return {
            "log": difference.log,
            "index": difference.index,
            "decision": difference.decision,
            "fields": list(difference.fields),
        }

    return {
        "equal": found.equal,
        "different": found.different,
        "differences": [one(each) for each in found.differences],
        "missing": dict(found.missing),
        "without_shadow": found.without_shadow,
        "programs": dict(found.programs),
        "program": version("situs"),
    }
