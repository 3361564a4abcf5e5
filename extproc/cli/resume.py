"""`situs resume`: release a legal trigger."""

import argparse
from typing import TYPE_CHECKING

from extproc.cli.orders import EPILOG, add_order, give

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "resume",
        help="end every suspension of a region, a permit or a model",
        description="Resume what was suspended: remove each suspension of it from the override file. It opens what a "
        "legal order closed, so two people approve it too.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_order(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.control.orders import Action

    return give(args, Action.RESUME, lambda _: None)
