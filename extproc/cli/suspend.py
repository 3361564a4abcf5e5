"""`situs suspend`: pull a legal trigger, which takes a region, a permit or a model out of every decision."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from extproc.cli.exits import USAGE, refuse
from extproc.cli.orders import EPILOG, add_order, give

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.control.orders import Order


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "suspend",
        help="take a region, a permit or a model out of every decision, by a legal trigger",
        description="Suspend a region, a permit or a model: no decision uses it from now on, whatever the policy "
        "permits.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_order(parser)
    parser.add_argument(
        "--until", required=True, metavar="MOMENT", help="a day (to its end, UTC) or a moment with its offset"
    )
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="with --overrides: refuse what this policy does not have (default: take anything)",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.control.orders import Action, check_known
    from extproc.policy.load import load_policy
    from extproc.policy.override_file import names_of
    from extproc.strict_yaml import DocumentError

    if args.policy is not None and args.control is not None:
        return refuse("the sidecar checks by its own policy. Mend: leave --policy out, or give --overrides", USAGE)
    try:
        policy = None if args.policy is None else load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)

    def check(order: "Order") -> None:
        if policy is not None:
            check_known(order, names_of(policy, order.kind), str(args.policy))

    return give(args, Action.SUSPEND, check)
