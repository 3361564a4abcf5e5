"""`situs policy lint`: what a careful lawyer or operator would mend in a policy that can be used."""

import argparse
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import FINDINGS, OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.policy.compile import CompiledPolicy
    from extproc.review.lint import Finding, GeoIdentityLike, Level, OrderFile

_LEVELS: Final = ("error", "warning", "note")
_DUE_WITHIN_DAYS: Final = 30
_FURTHEST_DAYS: Final = 3650

_EPILOG = dedent(
    """\
    Findings name file, line and column, the check, what is so and the mend. An error means that the policy surely does
    not do what it says, a warning that it most likely does not do what is meant or soon will not, a note that something
    is worth knowing. --level says which are printed and count.

    examples:
      situs policy lint policy.yaml
      situs policy lint policy.yaml --level note --geo-db country.mmdb --overrides overrides.yaml
      situs policy lint policy.yaml --today 2027-03-01     what will be found on that day
      situs policy lint --list                             all checks, one line each
      situs policy lint --explain permit-shadowed          why a check matters

    exit codes: 0 nothing found at the level or above, 6 findings, 1 wrong usage, 78 the policy cannot be used
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "lint",
        help="find what a careful lawyer or operator would mend",
        description="Find what a careful lawyer or operator would mend in a policy that can be used.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("policy", type=Path, nargs="?", metavar="FILE", help="the policy, YAML")
    what.add_argument("--list", action="store_true", dest="list_checks", help="print all checks, one line each")
    what.add_argument("--explain", metavar="ID", help="print why one check matters")
    parser.add_argument(
        "--level",
        choices=_LEVELS,
        default="warning",
        help="the least level that is printed and makes the command exit with 6 (default: warning)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--today", type=_day, metavar="DAY", help="look as on this day, YYYY-MM-DD in UTC (default: the clock's)"
    )
    parser.add_argument(
        "--geo-db", type=Path, metavar="FILE", help="the geolocation database that the sidecar uses (default: none)"
    )
    parser.add_argument(
        "--overrides", type=Path, metavar="FILE", help="the override file that the sidecar watches (default: none)"
    )
    parser.add_argument(
        "--due-within",
        type=_number_of_days,
        default=_DUE_WITHIN_DAYS,
        metavar="N",
        help=f"how many days ahead ends and reviews are told of (default: {_DUE_WITHIN_DAYS})",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.list_checks:
        return _list(as_json=args.json)
    if args.explain is not None:
        return _explain(args.explain)
    return _lint(args)


def _lint(args: argparse.Namespace) -> int:
    from extproc.geo import GeoDatabaseError
    from extproc.policy.load import load_policy
    from extproc.review.lint import Level, lint, read_places
    from extproc.strict_yaml import DocumentError

    try:
        compiled = load_policy(args.policy)
        places = read_places(args.policy)
        geo = None if args.geo_db is None else _identity(args.geo_db)
        orders = None if args.overrides is None else _orders(args.overrides)
    except (DocumentError, GeoDatabaseError, OSError) as error:
        return refuse(error)
    today = args.today or datetime.now(UTC).date()
    found = lint(compiled, places, today=today, geo=geo, due_within_days=args.due_within, overrides=orders)
    least = Level(args.level)
    counting = [finding for finding in found if finding.level.rank <= least.rank]
    if args.json:
        print(json.dumps(_report(compiled, today, least, found, counting), indent=2, ensure_ascii=False))
    else:
        for finding in counting:
            print(finding)
        print(_summary(found, least))
    return FINDINGS if counting else OK


def _report(
    compiled: "CompiledPolicy",
    today: date,
    least: "Level",
    found: "tuple[Finding, ...]",
    counting: "list[Finding]",
) -> dict[str, object]:
    return {
        "policy": compiled.tables.id,
        "version": compiled.tables.version,
        "revision": compiled.tables.revision,
        "today": today.isoformat(),
        "level": least.value,
        "counts": _counts(found),
        "findings": [
            {
                "id": finding.id,
                "level": finding.level.value,
                "file": finding.place.file,
                "line": finding.place.line,
                "column": finding.place.column,
                "message": finding.message,
                "mend": finding.mend,
            }
            for finding in counting
        ],
    }


def _counts(found: "tuple[Finding, ...]") -> dict[str, int]:
    counted = Counter(finding.level.value for finding in found)
    return {level: counted[level] for level in _LEVELS}


def _summary(found: "tuple[Finding, ...]", least: "Level") -> str:
    counts = _counts(found)
    said = ", ".join(f"{number} {level}{'' if number == 1 else 's'}" for level, number in counts.items())
    hidden = sum(finding.level.rank > least.rank for finding in found)
    return f"{said} (--level note shows all)" if hidden else said


def _list(*, as_json: bool) -> int:
    from extproc.review.lint import CHECKS

    if as_json:
        rows = [{"id": each.id, "level": each.level.value, "title": each.title, "why": each.why} for each in CHECKS]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return OK
    width = max(len(each.id) for each in CHECKS)
    for each in CHECKS:
        print(f"{each.id:{width}}  {each.level.value:7}  {each.title}")
    return OK


def _explain(id_: str) -> int:
    from extproc.review.lint import CHECK_OF
    from extproc.strict_yaml import nearest

    check = CHECK_OF.get(id_)
    if check is None:
        guess = nearest(id_, CHECK_OF)
        hint = f"did you mean '{guess}'? " if guess else ""
        return refuse(f"there is no check '{id_}'. Mend: {hint}situs policy lint --list prints them all", USAGE)
    print(f"{check.id} ({check.level.value}): {check.title}\n")
    print(indent(check.why, "  "))
    return OK


def _identity(path: Path) -> "GeoIdentityLike":
    from extproc.geo import GeoDatabase

    database = GeoDatabase.load(path)
    try:
        return database.identity
    finally:
        database.close()


def _orders(path: Path) -> "OrderFile":
    from extproc.policy.override_file import load_overrides
    from extproc.review.lint import OrderFile, read_places

    return OrderFile(orders=load_overrides(path), places=read_places(path))


def _day(written: str) -> date:
    from extproc.policy.parse.scalars import parse_day
    from extproc.strict_yaml import UnfitError

    try:
        return parse_day(written)
    except UnfitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number_of_days(written: str) -> int:
    if not (written.isascii() and written.isdigit() and int(written) <= _FURTHEST_DAYS):
        message = f"'{written[:60]}' is no number of days. Mend: write one from 0 to {_FURTHEST_DAYS}"
        raise argparse.ArgumentTypeError(message)
    return int(written)
