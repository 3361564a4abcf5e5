"""`situs audit prune`: remove records that are over their time, so that all else still proves."""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.hold import moment
from extproc.cli.audit.keeping import EXITS, add_keeper, add_log, attempt, grounds_of, keeper_of
from extproc.cli.exits import OK

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.custody.retention import Order, Part, Plan

_PRUNE: Final = """\
Remove the records of logs that ended, once they are over their time.

A Prune entry in the keeper's log comes first, durable and signed; then the entries go. Their hashes and the signed
checkpoint stay, so every proof about anything else still works, and a missing record is told from a removed one. A log
goes whole, once all of it is over its time. With --partial the beginning of a log goes too, in bundles of 256 entries:
what stays is proved as before, but decisions whose configuration entry went cannot be replayed. The last log of each
worker keeps its end, which the next process reads.

Refused: what a legal hold is about (situs audit hold), and what is younger than 184 days, since logs of high-risk AI
systems are kept for at least six months (EU AI Act Art. 19 and 26(6)). The command may be repeated: killed at any
moment, the next run does what is left. Copies in stores end by the stores' own retention."""

_PRUNE_END: Final = f"""\
{EXITS}

examples:
  situs audit prune --log /var/lib/situs --key keeper.key --older-than 400d --dry-run \\
      --reason "retention rule 4" --approved-by "A. Officer"
  situs audit prune ... --before 2025-11-21 --origin acme/prod/eu/node-1 --keep-unshipped /var/lib/ship/state.json"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "prune",
        help="remove records that are over their time",
        description=_PRUNE,
        epilog=_PRUNE_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_log(parser)
    age = parser.add_mutually_exclusive_group(required=True)
    age.add_argument("--older-than", metavar="AGE", help="records that were made longer ago, in days: 400d")
    age.add_argument("--before", metavar="DATE", help="records that were made before this day or moment")
    parser.add_argument("--origin", default="", help="logs that are this or begin with it and a slash (default: all)")
    parser.add_argument("--partial", action="store_true", help="also the beginnings of logs, in bundles of 256 entries")
    parser.add_argument(
        "--keep-unshipped",
        type=Path,
        metavar="STATE",
        help="only logs that are whole in every store, by the state file of `situs audit ship`",
    )
    parser.add_argument("--except-held", action="store_true", help="leave what is held, and prune the rest")
    parser.add_argument(
        "--even-younger", action="store_true", help="also what is younger than 184 days, where no law is against it"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be done; change nothing")
    add_keeper(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit prune`."""
    return attempt("prune", lambda: _prune(args))


def _prune(args: argparse.Namespace) -> int:
    from extproc.custody.acts import read_acts
    from extproc.custody.prune import prune
    from extproc.custody.retention import plan

    order, grounds = _order(args), grounds_of(args)
    if args.dry_run:
        found = plan(args.log, order, read_acts(args.log))
        _print(found, args, recorded=None)
        return OK
    pruned = prune(keeper_of(args), order, grounds, except_held=args.except_held)
    _print(pruned.plan, args, recorded=frozenset(each.origin for each in pruned.recorded))
    return OK


def _order(args: argparse.Namespace) -> "Order":
    from extproc.custody.retention import Order, check_age, parse_age
    from extproc.custody.shipped import shipped_sizes
    from extproc.policy.parse.scalars import parse_start

    now_s = time.time()
    before_s = moment("--before", args.before, parse_start)
    if before_s is None:
        before_s = now_s - parse_age(args.older_than)
    if not args.even_younger:
        check_age(before_s, now_s=now_s)
    shipped = None if args.keep_unshipped is None else shipped_sizes(args.keep_unshipped)
    return Order(before_s=before_s, origin=args.origin.rstrip("/"), partial=args.partial, shipped=shipped)


def _print(found: "Plan", args: argparse.Namespace, *, recorded: "frozenset[str] | None") -> None:
    """Tell what was done, or with None for `recorded` what would be."""
    if args.json:
        print(json.dumps(_to_json(found, recorded), indent=2))
        return
    done = "would prune" if recorded is None else "pruned"
    for part in found.unfinished:
        held = f"held by {', '.join(hold.id for hold in part.holds)}" if part.holds else "done now"
        print(f"left over from an act before: {_say(part)}: {held}")
    for part in found.parts:
        if part.holds:
            print(f"held by {', '.join(hold.id for hold in part.holds)}: {_say(part)}")
        else:
            print(f"{done} {_say(part)}")
    for kept in found.spared:
        print(f"kept {kept.origin}: {kept.why}")
    if not (found.parts or found.spared or found.unfinished):
        print("nothing is over its time")


def _say(part: "Part") -> str:
    newest = datetime.fromtimestamp(part.newest_s, UTC).strftime("%Y-%m-%d")
    what = "all" if part.end == part.log.size else f"the first {part.end:,}"
    return f"{part.log.origin}: {what} of {part.log.size:,} entries, the newest of {newest}"


def _to_json(found: "Plan", recorded: "frozenset[str] | None") -> dict[str, object]:
    return {
        "parts": [
            {
                "origin": part.log.origin,
                "end": part.end,
                "size": part.log.size,
                "oldest_s": part.oldest_s,
                "newest_s": part.newest_s,
                "holds": [hold.id for hold in part.holds],
                "pruned": recorded is not None and part.log.origin in recorded,
            }
            for part in found.parts
        ],
        "spared": [{"origin": kept.origin, "why": kept.why} for kept in found.spared],
        "unfinished": [part.log.origin for part in found.unfinished],
    }
