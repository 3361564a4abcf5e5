"""`situs audit keys policy`: the file by which auditors trust."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keys.common import EXIT_CODES, raw, read_roots, unusable, write_new
from extproc.cli.exits import USAGE, refuse
from extproc.notes.keys import load_vkeys
from extproc.notes.note import format_vkey
from extproc.trust.tlog_policy import parse_tlog_policy

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_ABOUT: Final = """\
Write the policy that auditors verify by: whose logs count, and how many witnesses must have cosigned them.

The format is C2SP tlog-policy, which other programs read as well. A key counts for every log whose origin begins with
its name and a slash. Without a witness the quorum is none: then a log that its owner has forked goes unnoticed."""
_EXAMPLES: Final = dedent(
    """\
    examples:
      situs audit keys policy --root acme.pem.vkey --output trust.policy
      situs audit keys policy --root acme.pem.vkey --witness a.vkey --witness b.vkey=https://witness.example/b \\
          --quorum 2 --output trust.policy

    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = raw(commands, "policy", "write the policy that auditors verify by", _ABOUT, _EXAMPLES + EXIT_CODES)
    parser.add_argument(
        "--root", type=Path, action="append", required=True, metavar="VKEY", help="a public key whose logs count"
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY[=URL]",
        help="the public key of a witness, and where checkpoints are submitted to it",
    )
    parser.add_argument("--quorum", type=int, metavar="N", help="how many witnesses are needed (default: all)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="write the policy there")
    parser.add_argument("--force", action="store_true", help="replace the file of --output")
    parser.set_defaults(run=unusable(run))


def run(args: argparse.Namespace) -> int:
    """Run `situs audit keys policy`."""
    needed = len(args.witness) if args.quorum is None else args.quorum
    if not 0 <= needed <= len(args.witness) or (args.witness and not needed):
        return refuse(f"--quorum {needed}: expected a number of the {len(args.witness)} witnesses", USAGE)
    lines = [f"log {format_vkey(key)}" for key in read_roots(args.root)]
    names: list[str] = []
    for each in args.witness:
        file, _, url = each.partition("=")
        for key in load_vkeys(Path(file)):
            names.append(f"witness-{len(names) + 1}")
            lines.append(f"witness {names[-1]} {format_vkey(key)} {url}".rstrip())
    if names:
        lines.append(f"group witnesses {needed} {' '.join(names)}")
    lines.append(f"quorum {'witnesses' if names else 'none'}")
    text = "".join(f"{line}\n" for line in lines)
    parse_tlog_policy(text, file=str(args.output))
    return write_new(args.output, text.encode(), force=args.force)
