"""The command `situs`: one parser, one module for each group of commands."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from textwrap import dedent
from typing import NoReturn

from extproc.cli import audit, demo, drill, mesh, policy, resume, serve, status, suspend
from extproc.cli.exits import PIPE

_EPILOG = dedent(
    """\
    The usual order of things:
      situs demo                                     see it work, end to end, on this machine
      situs policy init --profile legal-first --output policy.yaml
      situs policy lint policy.yaml                  what a careful lawyer or operator would mend
      situs mesh render --for envoy --policy policy.yaml --mesh mesh.yaml --output envoy.yaml
      situs serve --policy policy.yaml --mesh mesh.yaml --geo-db country.mmdb --overrides overrides.yaml \\
          --log /var/lib/situs --key /etc/situs/log.key
      situs suspend me-dxb --overrides overrides.yaml --policy policy.yaml --reason "court order 12" \\
          --until 2027-01-01 --approved-by "A. Counsel" --approved-by "B. Officer"
      situs audit verify /var/lib/situs              what an auditor runs, offline

    Exit codes: 0 done, 1 wrong usage, 78 a configuration that cannot be used, 141 whoever read the output closed it.
    Commands that have more say so in their own --help.
    """
)


class _Parser(argparse.ArgumentParser):
    """A parser that exits with 1 on wrong usage, because 2 means "integrity" to an auditor."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Report what is left over where it was left, with that command's usage, and not with the program's."""
        found, left = super().parse_known_args(args, namespace)
        if left and self._subparsers is None:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def build_parser(asked: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of all commands; with `asked`, the command that will be run, only as much as that one needs."""
    parser: argparse.ArgumentParser = _Parser(
        prog="situs",
        description="Jurisdiction first, then latency: routes each AI request to a region that may process it, "
        "and proves it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"situs {version('situs')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (serve, demo, drill, policy, mesh):
        module.register(commands)
    audit.register(commands, is_asked=asked in (None, "audit"))
    for module in (suspend, resume, status):
        module.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    words = sys.argv[1:] if argv is None else argv
    args = build_parser(next(iter(words), None)).parse_args(words)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has read enough (`situs … | head`). What is still buffered must not raise again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE
    return code
