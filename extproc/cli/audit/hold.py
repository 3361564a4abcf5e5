"""`situs audit hold`: keep evidence from being pruned, until somebody releases it."""

import argparse
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keeping import EXITS, add_keeper, add_log, attempt, grounds_of, keeper_of
from extproc.cli.exits import OK

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.custody.holds import Standing

_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_HOLD: Final = """\
Keep evidence from being pruned. A hold is about the logs at or below an origin and the entries of a span of time, and
stands until it is released. Placing and releasing are entries in the keeper's log. `situs audit prune` reads the holds
of all keepers below the logs' folder, and does not prune against one."""

_HOLD_END: Final = f"""\
{EXITS}

examples:
  situs audit hold place --log /var/lib/situs --key keeper.key --id case-2026-17 --origin acme/prod/eu/node-1 \\
      --from 2026-03-01 --until 2026-04-30 --reason "preservation letter of 2 May" --approved-by "B. Counsel"
  situs audit hold list --log /var/lib/situs
  situs audit hold release --log /var/lib/situs --key keeper.key --id case-2026-17 --reason "case closed" \\
      --approved-by "B. Counsel" """


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and what is below it."""
    hold = commands.add_parser(
        "hold",
        help="place, release and list legal holds",
        description=_HOLD,
        epilog=_HOLD_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = hold.add_subparsers(title="commands", metavar="COMMAND", required=True)
    place, release, listing = (
        below.add_parser(
            name,
            help=f"{what[0].lower()}{what[1:]}",
            description=f"{what}.",
            epilog=EXITS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name, what in (
            ("place", "Place a legal hold"),
            ("release", "Release a legal hold"),
            ("list", "List the legal holds in force"),
        )
    )
    for parser in (place, release):
        add_log(parser)
        parser.add_argument("--id", required=True, help="your name for the matter, such as case-2026-17; is recorded")
    place.add_argument("--origin", default="", help="logs that are this or begin with it and a slash (default: all)")
    place.add_argument("--from", dest="start", metavar="DATE", help="entries from this day or moment (default: any)")
    place.add_argument("--until", metavar="DATE", help="entries up to the end of this day, or a moment (default: any)")
    add_keeper(place)
    add_keeper(release)
    add_log(listing)
    listing.add_argument("--json", action="store_true", help="print JSON")
    place.set_defaults(run=lambda args: attempt("hold place", lambda: _place(args)))
    release.set_defaults(run=lambda args: attempt("hold release", lambda: _release(args)))
    listing.set_defaults(run=lambda args: attempt("hold list", lambda: _list(args)))


def _place(args: argparse.Namespace) -> int:
    from extproc.custody.acts import read_acts
    from extproc.custody.errors import CustodyError
    from extproc.custody.holds import place
    from extproc.custody.keeper import open_keeper
    from extproc.ledger.housekeeping import Hold, HoldAction
    from extproc.policy.parse.scalars import parse_end, parse_start

    if not _ID.fullmatch(args.id):
        raise CustodyError("the id is no usable name. Mend: up to 63 letters, digits and . _ -")
    from_s, until_s = moment("--from", args.start, parse_start), moment("--until", args.until, parse_end)
    if from_s is not None and until_s is not None and until_s <= from_s:
        raise CustodyError("the hold ends before it begins. Mend: exchange --from and --until")
    grounds = grounds_of(args)
    hold = Hold(
        action=HoldAction.PLACED,
        id=args.id,
        origin=args.origin.rstrip("/"),
        reason=grounds.reason,
        from_s=from_s,
        until_s=until_s,
        approved_by=grounds.approved_by,
    )
    keeper = keeper_of(args)
    with open_keeper(keeper) as log:
        place(log, read_acts(keeper.root), hold)
    print(f"hold {hold.id} is in force over {hold.origin or 'all logs'} {_span(hold.from_s, hold.until_s)}; recorded")
    return OK


def _release(args: argparse.Namespace) -> int:
    from extproc.custody.acts import read_acts
    from extproc.custody.holds import release
    from extproc.custody.keeper import open_keeper

    grounds = grounds_of(args)
    keeper = keeper_of(args)
    with open_keeper(keeper) as log:
        acts = read_acts(keeper.root)
        release(log, acts, args.id, reason=grounds.reason, approved_by=grounds.approved_by)
    print(f"hold {args.id} is released; recorded")
    return OK


def _list(args: argparse.Namespace) -> int:
    from extproc.custody.acts import read_acts
    from extproc.custody.holds import standing

    found = standing(read_acts(args.log))
    if args.json:
        print(json.dumps([_to_json(each) for each in found], indent=2))
        return OK
    for each in found:
        hold = each.hold
        span = _span(hold.from_s, hold.until_s)
        print(f"{hold.id}  {hold.origin or 'all logs'}  {span}  placed {_when(each.placed_s)}: {hold.reason}")
    if not found:
        print("no hold is in force")
    return OK


def moment(option: str, text: str | None, parse: Callable[[str], datetime]) -> float | None:
    """Give a time in Unix seconds, None where none was given. Raises CustodyError."""
    from extproc.custody.errors import CustodyError
    from extproc.strict_yaml import UnfitError

    if text is None:
        return None
    try:
        return parse(text).timestamp()
    except UnfitError as error:
        raise CustodyError(f"{option}: {error}") from None


def _to_json(each: "Standing") -> dict[str, object]:
    hold = each.hold
    return {
        "id": hold.id,
        "origin": hold.origin,
        "from_s": hold.from_s,
        "until_s": hold.until_s,
        "placed_s": each.placed_s,
        "reason": hold.reason,
        "approved_by": hold.approved_by,
    }


def _span(from_s: float | None, until_s: float | None) -> str:
    start = "the beginning" if from_s is None else _when(from_s)
    return f"from {start} to {'the end' if until_s is None else _when(until_s)}"


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
