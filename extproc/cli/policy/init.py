"""`situs policy init`: write a starter policy for an operator to make their own."""

import argparse
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import CONFIGURATION, OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EPILOG = dedent(
    """\
    The starter policies hold the transfer laws of some twenty areas as data, each permit with its citation, the day on
    which it was last checked, and how sure its author was. Everything that is a transfer is off until a tenant declares
    what it rests on. They are material for your own policy, not legal advice.

    examples:
      situs policy init --list
      situs policy init --profile legal-first --output policy.yaml
      situs policy init --profile hybrid --preset finance --output - | less

    exit codes: 0 written, 1 wrong usage or the file is there already, 78 the file cannot be written
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the group `situs policy`."""
    init = subcommands.add_parser(
        "init",
        help="write a starter policy",
        description="Write a starter policy: a whole, commented document that checks, lints and tests clean.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    init.add_argument("--profile", metavar="P", help="how far the policy may go: see --list")
    init.add_argument("--preset", metavar="NAME", help="for whom it is: see --list (default: global)")
    init.add_argument("--output", metavar="FILE", help="where to write it; - prints it")
    init.add_argument("--force", action="store_true", help="overwrite a file that is there")
    init.add_argument("--list", action="store_true", help="show the profiles and presets, and write nothing")
    init.set_defaults(run=_init)


def _init(args: argparse.Namespace) -> int:
    from extproc.policy.starter import DEFAULT_PRESET, PROFILES, PresetError, compose

    if args.list:
        return _list()
    if args.profile is None:
        return refuse(f"no profile is given. Mend: --profile with one of {', '.join(PROFILES)}, or --list", USAGE)
    if args.output is None:
        return refuse("no output is given. Mend: --output policy.yaml, or --output - to print it", USAGE)
    preset = DEFAULT_PRESET if args.preset is None else args.preset
    try:
        text = compose(args.profile, preset)
    except PresetError as error:
        return refuse(error, USAGE)
    if args.output == "-":
        sys.stdout.write(text)
        return OK
    path = Path(args.output)
    try:
        # "x" and not a look before: of two that start at once, one must be told.
        with path.open("w" if args.force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return refuse(f"{path} is there already. Mend: name another file, or add --force to overwrite it", USAGE)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}. Mend: name a file in a folder of yours"
        return refuse(message, CONFIGURATION)
    print(f"wrote {path}: profile {args.profile}, preset {preset}. Read it; then:")
    for command, why in (
        ("check", "is everything spelled right"),
        ("lint", "what would surprise you"),
        ("test", "does it keep its promises"),
    ):
        print(f"  situs policy {command:5} {path}   # {why}")
    return OK


def _list() -> int:
    from extproc.policy.starter import PRESETS, PROFILES

    print("profiles:")
    for name, meaning in PROFILES.items():
        print(f"  {name:18} {meaning}")
    print("presets:")
    for name, preset in PRESETS.items():
        print(f"  {name:18} {preset.summary} ({', '.join(preset.profiles)})")
    return OK
