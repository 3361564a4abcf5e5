"""`situs suspend` and `situs resume`: pull a legal trigger, and release it."""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, USAGE, refuse
from extproc.core.ids import RegionId
from extproc.core.overrides import Suspension

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_APPROVERS = 2

_EPILOG = dedent(
    """\
    The order is written to the override file, atomically and durably, and a running sidecar that watches the file
    takes it within a second and records it. No sidecar need be running, and Envoy needs no new configuration.

    examples:
      situs suspend me-dxb --overrides overrides.yaml --policy policy.yaml --reason "injunction 4 O 12/26" \\
          --until 2027-01-01 --approved-by "A. Counsel" --approved-by "B. Officer"
      situs resume me-dxb --overrides overrides.yaml

    exit codes: 0 done, 1 wrong usage, 78 the override file cannot be used
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands."""
    suspend = commands.add_parser(
        "suspend",
        help="take a region out of every decision, by a legal trigger",
        description="Suspend a region: no decision names it from now on, whatever the policy permits.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    suspend.add_argument("region", help="the region, as the policy names it")
    suspend.add_argument("--reason", required=True, help="why; is recorded and may be shown")
    suspend.add_argument(
        "--until", required=True, metavar="MOMENT", help="a day (to its end, UTC) or a moment with its offset"
    )
    suspend.add_argument(
        "--approved-by", action="append", default=[], metavar="NAME", help="give it twice: two people approve"
    )
    suspend.add_argument(
        "--policy", type=Path, metavar="FILE", help="refuse a region that this policy does not have (default: take any)"
    )
    suspend.set_defaults(run=_suspend)
    resume = commands.add_parser(
        "resume",
        help="end every suspension of a region",
        description="Resume a region: remove each suspension of it from the override file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    resume.add_argument("region", help="the region, as the policy names it")
    resume.set_defaults(run=_resume)
    for parser in (suspend, resume):
        parser.add_argument("--overrides", type=Path, required=True, metavar="FILE", help="the override file")
        parser.add_argument("--json", action="store_true", help="print the orders now in the file as JSON")


def _suspend(args: argparse.Namespace) -> int:
    from extproc.policy.load import load_policy
    from extproc.policy.override_file import new_override_id
    from extproc.policy.parse.overrides import LONGEST_REASON
    from extproc.policy.parse.scalars import parse_end
    from extproc.strict_yaml import DocumentError, UnfitError

    approvers = sorted(set(args.approved_by))
    if len(approvers) < _APPROVERS:
        return refuse("a suspension needs two approvers. Mend: give --approved-by twice, two names", USAGE)
    if not args.reason.strip() or len(args.reason) > LONGEST_REASON:
        return refuse(f"a suspension needs a reason of at most {LONGEST_REASON} characters. Mend: mend --reason", USAGE)
    if args.policy is not None:
        try:
            known = load_policy(args.policy).tables.index
        except DocumentError as error:
            return refuse(error)
        if args.region not in known:
            return refuse(f"{args.policy} has no region {args.region}. Mend: name one of {', '.join(known)}", USAGE)
    try:
        until_s = parse_end(args.until).timestamp()
    except UnfitError as error:
        return refuse(f"--until: {error}", USAGE)
    now_s = time.time()
    if until_s <= now_s:
        return refuse(f"--until {args.until} has passed. Mend: name a later moment", USAGE)

    def add(before: tuple[Suspension, ...]) -> tuple[Suspension, ...]:
        order = Suspension(
            id=new_override_id(before, datetime.now(UTC)),
            region=RegionId(args.region),
            reason=args.reason,
            from_s=now_s,
            until_s=until_s,
            approved_by=tuple(approvers),
        )
        return (*before, order)

    checked = "" if args.policy is not None else " (not checked against a policy: see --policy)"
    return _change(args, add, lambda: f"{args.region} is suspended until {args.until}{checked}")


def _resume(args: argparse.Namespace) -> int:
    removed: list[str] = []

    def remove(before: tuple[Suspension, ...]) -> tuple[Suspension, ...]:
        removed.extend(order.id for order in before if order.region == args.region)
        return tuple(order for order in before if order.region != args.region)

    code = _change(args, remove, lambda: f"{args.region} is resumed: removed {', '.join(removed)}")
    if code == OK and not removed:
        return refuse(f"{args.overrides} holds no suspension of {args.region}. Mend: check the name", USAGE)
    return code


def _change(
    args: argparse.Namespace,
    change: Callable[[tuple[Suspension, ...]], tuple[Suspension, ...]],
    say: Callable[[], str],
) -> int:
    from extproc.policy.override_file import change_overrides
    from extproc.strict_yaml import DocumentError

    if not args.overrides.exists():
        return refuse(
            f"{args.overrides} does not exist. Mend: name the file that was given to `situs serve --overrides`"
        )
    try:
        orders = change_overrides(args.overrides, change)
    except (DocumentError, OSError) as error:
        return refuse(error)
    if args.json:
        rows = [
            {"id": o.id, "region": o.region, "reason": o.reason, "from": o.from_s, "until": o.until_s} for o in orders
        ]
        print(json.dumps(rows, indent=2))
    else:
        print(say())
    return OK
