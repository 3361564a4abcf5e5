"""`situs policy`: write, check, question and sign a policy before it is shipped. One module for each command."""

import argparse
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.policy import (
    bundles,
    check,
    coverage,
    diff,
    expiries,
    explain,
    init,
    lint,
    matrix,
    schema,
    simulate,
    test,
    what_if,
)

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EPILOG = dedent(
    """\
    The usual order of things:
      situs policy init --profile legal-first --output policy.yaml      start from the law as data
      situs policy lint policy.yaml                                     what a careful reader would object to
      situs policy test policy.yaml                                     the policy's own tests
      situs policy explain policy.yaml --tenant acme-bank --country FR  why, with citations
      situs policy diff live.yaml policy.yaml                           what a change changes, in words
      situs policy sign policy.yaml --key counsel.key --name acme/policy/counsel

    Exit codes of all of them: 0 done, 1 wrong usage, 6 the command worked and found what it looks for (findings, failed
    tests, differences that were asked about), 78 a policy that cannot be used.
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group."""
    group = commands.add_parser(
        "policy",
        help="write, check, question and sign a policy",
        description="Write, check, question and sign a policy before it is shipped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subcommands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        init, check, schema, lint, test, coverage, explain, matrix, diff, what_if, expiries, simulate, bundles,
    ):  # fmt: skip
        command.register(subcommands)
